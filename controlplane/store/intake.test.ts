import { setImmediate as nextTurn } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import type { SourceBatch } from "../model/document.ts";
import { parseFile } from "../source/files/parse-file.ts";
import { createIntake } from "./intake.ts";
import { createStore } from "./store.ts";

function batchOf(file: string, ...documents: readonly string[]): SourceBatch {
  const parsed = parseFile(documents.join("---\n"), file);
  return {
    source: "mesh",
    units: [{ id: file, documents: parsed.documents, problems: parsed.problems, settled: true }],
    notices: [],
  };
}

const account = (name: string, version: string, type = `"${version}"`): string =>
  `apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: ${name}, labels: {version: ${type}}}\n`;
const accounts = (version: string): readonly string[] =>
  ["a", "b", "c", "d", "e"].map((name) => account(name, version));

/** Looking at the clock takes ten milliseconds: two documents are judged in a turn. */
function setUp() {
  const store = createStore({ strict: false });
  const turns: (() => void)[] = [];
  let nowMs = 0;
  const intake = createIntake({
    store,
    clock: { monotonicMs: () => (nowMs += 10) },
    afterOthers: () => new Promise((resolve) => turns.push(resolve)),
  });
  const said = (): string =>
    store
      .world()
      .list("ServiceAccount")
      .map(({ metadata }) => `${metadata.name}${metadata.labels["version"]}`)
      .join(" ");
  /** Gives it turns until it is done; returns what was in force before each. */
  const runThrough = async (): Promise<readonly string[]> => {
    const seen: string[] = [];
    let isDone = false;
    void intake.settled().then(() => {
      isDone = true;
    });
    for (await nextTurn(); !isDone; await nextTurn()) {
      seen.push(said());
      turns.shift()?.();
    }
    return seen;
  };
  return { store, intake, said, runThrough };
}

describe("an intake", () => {
  it("takes a small batch in at once", () => {
    const { intake, said } = setUp();
    intake.take(batchOf("a.yaml", account("a", "1")));
    expect(said()).toBe("a1");
  });

  it("lets others have a turn while a large batch is judged, and then takes it in whole", async () => {
    const { intake, said, store, runThrough } = setUp();
    intake.take(batchOf("a.yaml", ...accounts("1")));
    let updates = 0;
    store.subscribe(() => updates++);
    const seen = await runThrough();
    expect(seen.length).toBeGreaterThan(1);
    expect(new Set(seen)).toEqual(new Set([""]));
    expect([said(), updates]).toEqual(["a1 b1 c1 d1 e1", 1]);
  });

  it("keeps the order of batches, small ones behind large ones", async () => {
    const { intake, said, runThrough } = setUp();
    intake.take(batchOf("a.yaml", ...accounts("1")));
    intake.take(batchOf("a.yaml", account("b", "2")));
    for (const one of await runThrough()) expect(["", "a1 b1 c1 d1 e1"]).toContain(one);
    expect(said()).toContain("b2");
  });

  it("finds what is wrong where the store would", async () => {
    const batch = (): SourceBatch => batchOf("a.yaml", ...accounts("1"), account("f", "1", "[1]"), "kind: Nonsense\n");
    const { intake, store, runThrough } = setUp();
    const other = createStore({ strict: false });
    intake.take(batch());
    await runThrough();
    other.apply(batch());
    expect(store.violations()).toEqual(other.violations());
    expect(store.violations().length).toBeGreaterThan(1);
  });

  it("says when taking in fails, at once or later", async () => {
    const store = {
      ahead: () => [() => undefined, () => undefined],
      apply: () => {
        throw new Error("a bug");
      },
    };
    let nowMs = 0;
    const [fast, slow] = [
      createIntake({ store, clock: { monotonicMs: () => 0 } }),
      createIntake({ store, clock: { monotonicMs: () => (nowMs += 100) } }),
    ];
    expect(() => fast.take(batchOf("a.yaml"))).toThrow("a bug");
    slow.take(batchOf("a.yaml"));
    await expect(slow.settled()).rejects.toThrow("a bug");
  });
});

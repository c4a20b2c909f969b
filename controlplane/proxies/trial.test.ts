import { describe, expect, it } from "vitest";
import { createResourceEncoder, type EncodedResource } from "../snapshot/encode.ts";
import type { FreshContent } from "../snapshot/proxy-snapshots.ts";
import type { MeshProxy } from "../translate/ir/proxy-class.ts";
import type { Verdict } from "../xds/rejections/scratch-process.ts";
import { createTrial, type RefusedInTrial } from "./trial.ts";

const encoder = createResourceEncoder();
const proxy = {} as MeshProxy;

function content(name: string): FreshContent<MeshProxy> {
  const resource = encoder.encodeResource("virtualHosts", name, { name, domains: [name], routes: [] });
  return { resource, proxy, classKey: "a class" };
}

/** An Envoy that answers when it is told to, and loads nothing whose name begins with `bad`. */
function setUp() {
  const asked: string[][] = [];
  const answers: (() => void)[] = [];
  const refused: string[] = [];
  const sleeping: (() => void)[] = [];
  const isBad = ({ name }: EncodedResource): boolean => name.startsWith("bad");
  const trial = createTrial({
    scratch: {
      tryAll(resources) {
        asked.push(resources.map(({ name }) => name));
        return new Promise<Verdict>((resolve) => {
          answers.push(() => resolve(resources.some(isBad) ? { loads: false, reason: "no" } : { loads: true }));
        });
      },
      refused: async (resources) => resources.filter(isBad).map((resource) => ({ resource, reason: "no" })),
    },
    refuse: (contents: readonly RefusedInTrial[]) =>
      void refused.push(
        ...contents.map(({ resource, classKey, reason }) => `${resource.name} of ${classKey}: ${reason}`),
      ),
    sleep: (_ms, signal) =>
      new Promise((resolve, reject) => {
        sleeping.push(resolve);
        signal.addEventListener("abort", () => reject(new Error("aborted")));
      }),
    failed: (error) => expect.unreachable(String(error)),
  });
  return { asked, refused, trial, answer: () => answers.shift()?.(), endPatience: () => sleeping.shift()?.() };
}

const turns = () => new Promise<void>((resolve) => setImmediate(resolve));

/** Whether it is settled by now. */
async function isOver(promise: Promise<void> | undefined): Promise<boolean> {
  const pending = Symbol("pending");
  return (await Promise.race([promise, turns().then(() => pending)])) !== pending;
}

describe("a trial", () => {
  it("holds what is new until there is a word, and tells what is bad before it lets go", async () => {
    const { trial, answer, refused, asked } = setUp();
    const over = trial.of([content("80/good"), content("bad/one")]);
    expect(await isOver(over)).toBe(false);
    answer();
    await over;
    expect(asked).toEqual([["80/good", "bad/one"]]);
    expect(refused).toEqual(["bad/one of a class: no"]);
  });

  it("tries nothing twice, and holds nothing in which nothing is new", async () => {
    const { trial, answer } = setUp();
    const over = trial.of([content("80/good")]);
    answer();
    await over;
    expect(trial.of([content("80/good")])).toBeUndefined();
    expect(trial.of([])).toBeUndefined();
  });

  it("lets go when its patience ends; what is found later is told all the same, and many changes are one trial", async () => {
    const { trial, answer, refused, asked, endPatience } = setUp();
    const first = trial.of([content("80/one")]);
    endPatience();
    await first;
    const others = [trial.of([content("bad/two")]), trial.of([content("80/three")])];
    answer();
    await turns();
    answer();
    await Promise.all(others);
    expect(asked).toEqual([["80/one"], ["bad/two", "80/three"]]);
    expect(refused).toEqual(["bad/two of a class: no"]);
  });
});

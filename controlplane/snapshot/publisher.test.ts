import { describe, expect, it } from "vitest";
import { inSlice } from "../model/time-slice.ts";
import { type EnvoyResources, emptyResources } from "../translate/emit/resources.ts";
import { createProxySnapshots } from "./proxy-snapshots.ts";
import { createResourceEncoder } from "./encode.ts";
import { createPublisher } from "./publisher.ts";

/** A state of a mesh: the content of each part, of which every class has all. */
type Inputs = Readonly<Record<string, number>>;

/** Each part takes ten milliseconds to make: a slice has time for a few. */
function setUp(tried: (names: readonly string[]) => Promise<void> | undefined = () => undefined) {
  const clock = { ms: 0 };
  const turns: (() => void)[] = [];
  const made: string[] = [];
  const parts = new Map<string, number>();
  const published: Inputs[] = [];
  const state: { newest?: Inputs } = {};
  const part = (name: string, content: number): number => {
    const key = `${name}${content}`;
    if (!parts.has(key))
      parts.set(
        key,
        inSlice(() => (made.push(key), (clock.ms += 10), content)),
      );
    return parts.get(key)!;
  };
  const translate = (inputs: Inputs): EnvoyResources => {
    const resources = emptyResources();
    for (const [name, content] of Object.entries(inputs))
      resources.clusters.set(name, { name, type: "STATIC", altStatName: String(part(name, content)) });
    return resources;
  };
  const snapshots = createProxySnapshots<Inputs, string>({
    translate,
    keyOf: (name) => name,
    encoder: createResourceEncoder(),
    isBootstrapCluster: () => false,
    log: {
      error: (fields) => {
        throw new Error(JSON.stringify(fields));
      },
    },
  });
  const publisher = createPublisher<Inputs, string>({
    snapshots,
    clock: { monotonicMs: () => clock.ms },
    inputs: () => state.newest,
    published: (inputs) => void published.push(inputs),
    tried: (preparation) => tried(preparation.fresh().map(({ resource }) => resource.name)),
    afterOthers(callback) {
      turns.push(callback);
      return () => void turns.splice(turns.indexOf(callback), 1);
    },
  });
  const change = (newest: Inputs): void => {
    state.newest = newest;
    publisher.publish();
  };
  return { clock, made, published, snapshots, publisher, change, turns, turn: () => turns.shift()?.() };
}

const NAMES = [..."abcdefghijkl"];
const wide = (content: number): Inputs => Object.fromEntries(NAMES.map((name) => [name, content]));

/** What a class is served: the content of each of its resources, told apart by version. */
function servedTo(snapshots: ReturnType<typeof setUp>["snapshots"], name: string): readonly string[] {
  return [...(snapshots.resourcesOf(name)?.maps.clusters.values() ?? [])].map(({ version }) => version);
}

/** Everything done, with what both classes were served after each turn. */
function runThrough({ turns, turn, snapshots }: ReturnType<typeof setUp>): readonly (readonly string[])[] {
  const seen: (readonly string[])[] = [];
  while (turns.length > 0) {
    turn();
    seen.push(servedTo(snapshots, "one"), servedTo(snapshots, "two"));
  }
  return seen;
}

function served(inputs: Inputs): readonly string[] {
  const { snapshots } = setUp();
  snapshots.setInputs(inputs);
  return servedTo(snapshots, "one");
}

/** Both classes are served the first state. */
function begun(tried?: Parameters<typeof setUp>[0]): ReturnType<typeof setUp> {
  const all = setUp(tried);
  all.change(wide(0));
  runThrough(all);
  runThrough(all);
  for (const name of ["one", "two"]) servedTo(all.snapshots, name);
  all.made.length = all.published.length = 0;
  return all;
}

describe("publishing", () => {
  it("hands out a small change at once", () => {
    const all = begun();
    all.change({ ...wide(0), a: 1 });
    expect(all.published).toHaveLength(1);
    expect(all.turns).toHaveLength(0);
    expect(servedTo(all.snapshots, "two")).toEqual(served({ ...wide(0), a: 1 }));
  });

  it("lets others have a turn while all is made anew, and serves one state or the other, never some of both", () => {
    const all = begun();
    all.change(wide(1));
    expect(all.published).toHaveLength(0);
    expect(all.publisher.isBusy()).toBe(true);
    const seen = runThrough(all);
    expect(seen.length).toBeGreaterThan(4);
    const [old, now] = [served(wide(0)), served(wide(1))];
    const change = seen.findIndex((one) => one.join() === now.join());
    expect(seen.map((one) => one.join())).toEqual(seen.map((_, index) => (index < change ? old : now).join()));
    // Both classes changed in the same turn.
    expect(change % 2).toBe(0);
    expect(all.publisher.isBusy()).toBe(false);
    expect(all.made).toEqual(NAMES.map((name) => `${name}1`));
  });

  it("serves a class that comes meanwhile the state that is handed out, and the new one with the others", () => {
    const all = begun();
    all.change(wide(1));
    all.turn();
    expect(servedTo(all.snapshots, "late")).toEqual(served(wide(0)));
    runThrough(all);
    expect(servedTo(all.snapshots, "late")).toEqual(served(wide(1)));
  });

  it("goes over to what is newer, without making again what both have in common", () => {
    const all = begun();
    all.change(wide(1));
    all.turn();
    all.change({ ...wide(1), a: 2 });
    runThrough(all);
    expect(all.published).toEqual([{ ...wide(1), a: 2 }]);
    expect([...all.made].sort()).toEqual(["a1", "a2", ...NAMES.slice(1).map((name) => `${name}1`)]);
  });

  it("hands something out although changes of everything never end", () => {
    const all = begun();
    for (let content = 1; content < 100; content++) {
      all.clock.ms += 100;
      all.change(wide(content));
      all.turn();
    }
    expect(all.published.length).toBeGreaterThan(2);
    runThrough(all);
    expect(all.published.at(-1)).toEqual(wide(99));
  });

  it("hands out nothing once it is called off", () => {
    const all = begun();
    all.change(wide(1));
    all.publisher.cancel();
    expect([all.turns.length, all.publisher.isBusy()]).toEqual([0, false]);
    expect(servedTo(all.snapshots, "one")).toEqual(served(wide(0)));
  });
});

describe("what is looked at before it is handed out", () => {
  it("waits for that, while what was before is handed out, and what is newer comes after it", async () => {
    const looked: (readonly string[])[] = [];
    const ends: (() => void)[] = [];
    const all = begun((names) => {
      if (names.length === 0) return undefined;
      looked.push(names);
      return new Promise((resolve) => ends.push(resolve));
    });
    all.change({ ...wide(0), a: 1 });
    all.change({ ...wide(0), a: 1, b: 1 });
    expect(looked).toEqual([["a"]]);
    expect([all.published.length, all.publisher.isBusy(), all.turns.length]).toEqual([0, true, 0]);
    expect(servedTo(all.snapshots, "one")).toEqual(served(wide(0)));
    ends.shift()?.();
    await Promise.resolve();
    await Promise.resolve();
    expect(all.published).toEqual([{ ...wide(0), a: 1 }]);
    runThrough(all);
    expect(looked).toEqual([["a"], ["b"]]);
    ends.shift()?.();
    await Promise.resolve();
    await Promise.resolve();
    expect(servedTo(all.snapshots, "two")).toEqual(served({ ...wide(0), a: 1, b: 1 }));
    expect(all.publisher.isBusy()).toBe(false);
  });
});

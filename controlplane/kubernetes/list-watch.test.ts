// Lists and watches against a server of this process that has the faults of real ones.
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createApiClient } from "./http-api-client.ts";
import { pauseAfter } from "./backoff.ts";
import { type CollectionState, createListWatch, type ListWatch } from "./list-watch.ts";
import { startTestApiServer, type TestApiServer } from "./testing-api-server.ts";
import { createFastClock } from "./testing-clock.ts";

const DOORS = { group: "example.com", version: "v1", plural: "doors", kind: "Door", namespaced: true } as const;
const OLD_DOORS = { ...DOORS, version: "v1beta1" } as const;
const pod = (name: string, color = "red") => ({
  ...{ apiVersion: "v1", kind: "Pod", metadata: { name, namespace: "shop" } },
  spec: { color },
});

interface Seen {
  /** name → color, as the changes have it. */
  readonly pods: () => Readonly<Record<string, string>>;
  readonly states: CollectionState[];
  readonly batches: (readonly [put: number, gone: number])[];
  readonly goneUids: string[];
  readonly reader: ListWatch;
  stop(): Promise<void>;
}

let server: TestApiServer;
let running: Seen[] = [];

beforeEach(async () => {
  server = await startTestApiServer();
});
afterEach(async () => {
  for (const seen of running) await seen.stop();
  running = [];
  await server.stop();
});

/** Follows pods with a clock that goes a hundred times as fast. */
function read(paths: readonly [string, ...string[]] = ["/api/v1/pods"], on: TestApiServer = server): Seen {
  const clock = createFastClock(100);
  const client = createApiClient({
    access: {
      namespace: "",
      credentials: async () => ({
        kind: "credentials",
        server: on.url,
        headers: { authorization: `Bearer ${on.token}` },
        tls: { ca: on.ca },
      }),
      renew() {},
    },
    clock,
    idleMs: 20_000,
  });
  const pods = new Map<string, { readonly name: string; readonly color: string }>();
  const [states, batches, goneUids]: [CollectionState[], (readonly [number, number])[], string[]] = [[], [], []];
  const reader = createListWatch({
    client,
    paths,
    decode: ({ metadata, spec }) => ({
      name: (metadata as { readonly name: string }).name,
      color: (spec as { readonly color?: string } | undefined)?.color ?? "",
    }),
    onChanges({ put, gone }) {
      batches.push([put.length, gone.length]);
      goneUids.push(...gone);
      for (const uid of gone) pods.delete(uid);
      for (const { uid, value } of put) pods.set(uid, value);
    },
    onState: (state) => states.push(state),
    clock,
    random: Math.random,
  });
  const ending = new AbortController();
  const ended = reader.run(ending.signal);
  const seen: Seen = {
    pods: () => Object.fromEntries([...pods.values()].map(({ name, color }) => [name, color])),
    ...{ states, batches, goneUids, reader },
    async stop() {
      ending.abort();
      await ended;
      client.close();
    },
  };
  running.push(seen);
  return seen;
}

const until = (isSo: () => boolean) => expect.poll(isSo, { interval: 2, timeout: 20_000 }).toBe(true);
const isFollowing = ({ states }: Seen) => states.at(-1)?.kind === "following";
const calls = (part: string) => server.calls.filter((call) => call.includes(part));

describe.each([
  ["a list that the watch begins with", true],
  ["lists in pages", false],
])("a collection, by %s", (_what, watchList) => {
  beforeEach(() => {
    server.faults.watchList = watchList;
  });

  it("is told whole, then as it changes", async () => {
    for (let index = 0; index < 1_201; index++) server.put(pod(`p${index}`));
    const seen = read();
    await until(() => isFollowing(seen));
    expect(seen.batches).toEqual([[1_201, 0]]);
    if (!watchList) expect(calls("limit=500")).toHaveLength(3);
    server.put(pod("p0", "blue"));
    server.remove("v1/pods", "shop/p1");
    await until(() => seen.batches.length === 3);
    expect([seen.pods()["p0"], seen.pods()["p1"], Object.keys(seen.pods()).length]).toEqual(["blue", undefined, 1_200]);
  });

  it("is followed on where the watch ended: nothing is listed again, nothing is missed", async () => {
    server.put(pod("a"));
    const seen = read();
    await until(() => isFollowing(seen) && server.watching() === 1);
    const lists = () => calls("limit=").length + calls("sendInitialEvents").length;
    const before = lists();
    server.endWatches();
    server.put(pod("b"));
    await until(() => "b" in seen.pods());
    server.cut();
    server.put(pod("c"));
    await until(() => "c" in seen.pods());
    expect([lists(), seen.pods()]).toEqual([before, { a: "red", b: "red", c: "red" }]);
  });

  it("is listed again where the server has forgotten what was seen, and only what is different is told", async () => {
    server.put(pod("a"), pod("b"), pod("c"));
    const seen = read();
    await until(() => isFollowing(seen));
    await server.stop();
    server.put(pod("b", "blue"), pod("d"));
    server.remove("v1/pods", "shop/c");
    server.stored.compact();
    server.put(pod("e"));
    await server.start();
    await until(() => "e" in seen.pods());
    expect([seen.batches, seen.pods()]).toEqual([
      [
        [3, 0],
        [3, 1],
      ],
      { a: "red", b: "blue", d: "red", e: "red" },
    ]);
  });

  it("stays as it was while the server is gone, or answers nothing but faults", async () => {
    server.put(pod("a"));
    const seen = read();
    await until(() => isFollowing(seen));
    for (const fault of [
      { status: 500, body: "no" },
      { status: 503 },
      "cut",
      { status: 401 },
      { status: 200, body: [] },
    ] as const) {
      server.faults.answer = () => fault;
      server.cut();
      await until(() => seen.states.at(-1)?.kind === "unreadable");
      delete server.faults.answer;
      await until(() => isFollowing(seen));
    }
    await server.stop();
    await until(() => seen.states.at(-1)?.kind === "unreadable");
    await server.start();
    await until(() => isFollowing(seen));
    expect([seen.goneUids, seen.pods()]).toEqual([[], { a: "red" }]);
  });

  it("is read on when nothing is heard for too long", async () => {
    const seen = read();
    await until(() => isFollowing(seen));
    let hanging = 2;
    server.faults.answer = () => (hanging-- > 0 ? "hang" : undefined);
    server.endWatches();
    await until(() => hanging < 0 && isFollowing(seen));
    server.put(pod("late"));
    await until(() => "late" in seen.pods());
  });

  it("is left alone as long as a busy server asks for", async () => {
    let busy = 3;
    server.faults.answer = () => (busy-- > 0 ? { status: 429, headers: { "retry-after": "2" } } : undefined);
    server.put(pod("a"));
    const seen = read();
    await until(() => isFollowing(seen));
    expect(seen.pods()).toEqual({ a: "red" });
  });

  it("stays as it was when it may not be read any more, and that is told", async () => {
    server.put(pod("a"));
    const seen = read();
    await until(() => isFollowing(seen));
    server.faults.forbidden = new Set(["v1/pods"]);
    server.endWatches();
    await until(() => seen.states.at(-1)?.kind === "forbidden");
    expect(seen.states.at(-1)).toMatchObject({ message: expect.stringContaining("v1/pods is forbidden") });
    server.put(pod("b"));
    expect(seen.pods()).toEqual({ a: "red" });
    delete server.faults.forbidden;
    await until(() => "b" in seen.pods());
  });

  it("is absent until its kind is served, in whichever version", async () => {
    const seen = read(["/apis/example.com/v1/doors", "/apis/example.com/v1beta1/doors"]);
    await until(() => seen.states.at(-1)?.kind === "absent");
    server.stored.add(OLD_DOORS);
    server.put({ ...pod("oak"), apiVersion: "example.com/v1beta1", kind: "Door" });
    seen.reader.askAgain();
    await until(() => isFollowing(seen));
    expect(seen.pods()).toEqual({ oak: "red" });
  });

  it("outlives a server that starts and does not know its kinds yet; a kind that is gone takes its objects along", async () => {
    server.stored.add(DOORS);
    server.put({ ...pod("oak"), apiVersion: "example.com/v1", kind: "Door" });
    const seen = read(["/apis/example.com/v1/doors"]);
    await until(() => isFollowing(seen));
    server.faults.answer = () => ({ status: 404 });
    server.endWatches();
    await until(() => seen.states.at(-1)?.kind === "unreadable");
    expect(seen.pods()).toEqual({ oak: "red" });
    delete server.faults.answer;
    await until(() => isFollowing(seen));
    expect(seen.goneUids).toEqual([]);
    server.faults.answer = () => ({ status: 404 });
    server.endWatches();
    await until(() => seen.states.at(-1)?.kind === "absent");
    expect(seen.pods()).toEqual({});
  });
});

type Step =
  | { readonly do: "put"; readonly name: string; readonly color: string }
  | { readonly do: "remove"; readonly name: string }
  | { readonly do: "cut" | "end" | "compact" | "restart" | "wait" }
  | { readonly do: "fault"; readonly status: number; readonly times: number };

const names = fc.constantFrom("a", "b", "c", "d");
const steps = fc.array(
  fc.oneof(
    { weight: 5, arbitrary: fc.record({ do: fc.constant("put" as const), name: names, color: fc.string() }) },
    { weight: 3, arbitrary: fc.record({ do: fc.constant("remove" as const), name: names }) },
    { weight: 4, arbitrary: fc.record({ do: fc.constantFrom("cut", "end", "compact", "restart", "wait") }) },
    fc.record({
      do: fc.constant("fault" as const),
      status: fc.constantFrom(0, 404, 410, 429, 500, 503),
      times: fc.integer({ min: 1, max: 3 }),
    }),
  ),
  { maxLength: 25 },
) as fc.Arbitrary<Step[]>;

/** Does a step to a server. */
async function happen(step: Step, on: TestApiServer): Promise<void> {
  if (step.do === "put") on.put(pod(step.name, step.color));
  else if (step.do === "remove") on.remove("v1/pods", `shop/${step.name}`);
  else if (step.do === "cut") on.cut();
  else if (step.do === "end") on.endWatches();
  else if (step.do === "compact") on.stored.compact();
  else if (step.do === "wait") await new Promise((resolve) => setTimeout(resolve, 3));
  else if (step.do === "fault") {
    let left = step.times;
    on.faults.answer = () => (left-- > 0 ? (step.status === 0 ? "cut" : { status: step.status }) : undefined);
  } else {
    await on.stop();
    await on.start();
  }
}

describe("whatever happens", () => {
  it("what was told becomes what is, and nothing is told gone that is not", async () => {
    await fc.assert(
      fc.asyncProperty(steps, fc.boolean(), async (happening, watchList) => {
        const on = await startTestApiServer();
        on.faults.watchList = watchList;
        on.put(pod("always"));
        const seen = read(["/api/v1/pods"], on);
        const removed = new Set<string>();
        const end = on.stored.follow(({ type, object }) => {
          if (type === "DELETED") removed.add(object.metadata.uid ?? "");
        });
        for (const step of happening) await happen(step, on);
        delete on.faults.answer;
        on.put(pod("last"));
        const truth = () =>
          Object.fromEntries(
            on.stored
              .list("v1/pods")
              .map(({ metadata, spec }) => [metadata.name, (spec as { readonly color: string }).color]),
          );
        await until(() => JSON.stringify(sorted(seen.pods())) === JSON.stringify(sorted(truth())));
        expect(seen.goneUids.filter((uid) => !removed.has(uid))).toEqual([]);
        end();
        await seen.stop();
        running = [];
        await on.stop();
      }),
      { numRuns: 100 },
    );
  });
});

function sorted(pods: Readonly<Record<string, string>>): readonly (readonly [string, string])[] {
  return Object.entries(pods).sort(([a], [b]) => (a < b ? -1 : 1));
}

describe("a pause", () => {
  const past = { failures: 0, lastedMs: 400_000, random: 0.5 };
  const failure = { kind: "failed", code: "unreachable", message: "" } as const;
  const answer = (status: number, retryAfterMs?: number) =>
    ({ kind: "answer", status, body: {}, ...(retryAfterMs && { retryAfterMs }) }) as const;
  it("is none after a watch that ran its time, and a part of a second after one that did not", () => {
    expect(pauseAfter({ kind: "closed" }, past)).toBe(0);
    expect(pauseAfter({ kind: "closed" }, { ...past, lastedMs: 10 })).toBe(500);
  });
  it("grows with failures, to seconds, and is never the same for all", () => {
    const pauses = [1, 2, 3, 4, 5, 20].map((failures) => pauseAfter(failure, { ...past, failures, random: 0 }));
    expect(pauses).toEqual([250, 500, 1_000, 2_000, 4_000, 4_000]);
    expect(pauseAfter(failure, { ...past, failures: 20, random: 0.999 })).toBeGreaterThan(7_900);
  });
  it("is longer where only people change something, and as long as the server asks for", () => {
    expect(pauseAfter(answer(403), { ...past, failures: 20, random: 0 })).toBe(5_000);
    expect(pauseAfter(answer(429, 20_000), { ...past, failures: 1 })).toBe(20_000);
  });
});

import { afterEach, describe, expect, it } from "vitest";
import { failed } from "../model/failure.ts";
import type { ApiAnswer, ApiCall } from "./api-client.ts";
import { createLease, type LeaseStage } from "./lease.ts";

const NAME = "istio-leader";
interface Lease {
  readonly metadata: { readonly resourceVersion: string };
  readonly spec: { readonly holderIdentity: string; readonly leaseTransitions: number; readonly acquireTime: string };
}

/** One Lease at an API server, and processes that ask for it; time goes on when it is told to. */
function setUp() {
  let nowMs = 0;
  let lease: Lease | undefined;
  let version = 0;
  const sleepers = new Set<{ readonly atMs: number; readonly wake: () => void }>();
  const unreachable = new Set<string>();
  const lines: string[] = [];
  const log = (_fields: object, line: string): void => void lines.push(line);
  const running: { readonly stage: LeaseStage; readonly stopping: AbortController }[] = [];

  const answer = (status: number, body: unknown): ApiAnswer => ({ kind: "answer", status, body });
  const write = ({ body }: ApiCall, status: number): ApiAnswer => {
    const sent = body as Lease;
    lease = { ...sent, metadata: { ...sent.metadata, resourceVersion: String(++version) } };
    return answer(status, lease);
  };
  const call = async (from: string, sent: ApiCall): Promise<ApiAnswer> => {
    await Promise.resolve();
    if (unreachable.has(from)) return failed("unreachable", "no way there");
    if (sent.method === "GET") return lease === undefined ? answer(404, {}) : answer(200, lease);
    if (sent.method === "POST") return lease === undefined ? write(sent, 201) : answer(409, {});
    const isLast = (sent.body as Lease).metadata.resourceVersion === lease?.metadata.resourceVersion;
    return isLast ? write(sent, 200) : answer(409, {});
  };
  /** A process; `skewMs` is how wrong its wall clock is. */
  const process = async (holder: string, skewMs = 0) => {
    const stopping = new AbortController();
    const stage = createLease({
      ...{ namespace: "istio-system", name: NAME, holder, logger: { info: log, warn: log } },
      api: { request: (sent) => call(holder, sent) },
      clock: {
        nowMs: () => nowMs + skewMs,
        monotonicMs: () => nowMs,
        sleep: (ms, signal) =>
          new Promise((resolve, reject) => {
            const giveUp = (): void => reject(signal?.reason as Error);
            const wake = (): void => {
              signal?.removeEventListener("abort", giveUp);
              resolve();
            };
            sleepers.add({ atMs: nowMs + ms, wake });
            signal?.addEventListener("abort", giveUp);
          }),
      },
    });
    running.push({ stage, stopping });
    await stage.start?.(stopping.signal);
    await settle();
    return {
      leads: () => stage.leads.read(),
      async stop() {
        stopping.abort();
        await stage.stop?.();
      },
    };
  };
  const settle = async (): Promise<void> => {
    for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
  };
  const goOn = async (ms: number): Promise<void> => {
    const endMs = nowMs + ms;
    for (;;) {
      const [next] = [...sleepers].sort((a, b) => a.atMs - b.atMs);
      if (next === undefined || next.atMs > endMs) break;
      sleepers.delete(next);
      nowMs = next.atMs;
      next.wake();
      await settle();
    }
    nowMs = endMs;
  };
  return {
    ...{ process, goOn, lines, unreachable, lease: () => lease },
    async end() {
      for (const { stage, stopping } of running) {
        stopping.abort();
        await stage.stop?.();
      }
    },
  };
}

let world: ReturnType<typeof setUp>;
afterEach(() => world.end());

describe("a Lease", () => {
  it("is one process's at a time, and the next one's at once when it is given back", async () => {
    world = setUp();
    const [a, b] = [await world.process("a"), await world.process("b")];
    await world.goOn(60_000);
    expect([a.leads(), b.leads()]).toEqual([true, false]);
    await a.stop();
    await world.goOn(2_000);
    expect([a.leads(), b.leads()]).toEqual([false, true]);
    expect(world.lease()?.spec).toMatchObject({ holderIdentity: "b", leaseTransitions: 2 });
  });

  it("is not led by when it cannot be renewed, before another may have it", async () => {
    world = setUp();
    const [a, b] = [await world.process("a"), await world.process("b")];
    await world.goOn(5_000);
    world.unreachable.add("a");
    let both = 0;
    let freeMs = 0;
    for (let passedMs = 0; passedMs < 30_000; passedMs += 500) {
      await world.goOn(500);
      if (a.leads() && b.leads()) both++;
      if (!a.leads() && !b.leads()) freeMs += 500;
    }
    expect([both, a.leads(), b.leads()]).toEqual([0, false, true]);
    expect(freeMs).toBeGreaterThanOrEqual(5_000);
    world.unreachable.delete("a");
    await world.goOn(30_000);
    expect([a.leads(), b.leads()]).toEqual([false, true]);
    expect(world.lines).toEqual([
      ...["this control plane leads", expect.stringContaining("no way there")],
      ...["this control plane leads no more: its Lease could not be renewed in time", "this control plane leads"],
    ]);
  });

  it("is held through a short trouble", async () => {
    world = setUp();
    const a = await world.process("a");
    await world.process("b");
    world.unreachable.add("a");
    await world.goOn(8_000);
    world.unreachable.delete("a");
    await world.goOn(60_000);
    expect(a.leads()).toBe(true);
    expect(world.lease()?.spec.leaseTransitions).toBe(0);
  });

  it("is not taken by a clock that is hours ahead, nor kept for one that is behind", async () => {
    world = setUp();
    const [a, b] = [await world.process("a", -7_200_000), await world.process("b", 7_200_000)];
    await world.goOn(120_000);
    expect([a.leads(), b.leads()]).toEqual([true, false]);
    await a.stop();
    await world.goOn(20_000);
    expect(b.leads()).toBe(true);
  });
});

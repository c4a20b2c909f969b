import { EventEmitter } from "node:events";
import { afterEach, expect, it, vi } from "vitest";
import { decode, encode } from "../../../protos/codec.ts";
import { createResourceEncoder, noResources } from "../../snapshot/encode.ts";
import { resourceTypes } from "../../snapshot/type-urls.ts";
import type { ContentMaps } from "../state-machine/stream-events.ts";
import type { StreamHost } from "../stream.ts";
import { serveStream } from "./live-stream.ts";
import type { Call } from "./outbox.ts";
import { DELTA_ADS } from "../state-machine/stream-events.ts";
import { createResponseEncoder, type UnwrittenResponse } from "./wire.ts";
import { createWriteBudget, type WriteBudget } from "./write-budget.ts";

const CDS = resourceTypes.clusters.typeUrl,
  EDS = resourceTypes.endpoints.typeUrl;
const encoder = createResourceEncoder();
const nothing = (): undefined => undefined;
afterEach(() => void vi.useRealTimers());

function hostWith(budget: WriteBudget): StreamHost {
  return {
    budget,
    nowMs: () => 0,
    stallMs: 60_000,
    responses: createResponseEncoder("test"),
    admitted: nothing,
    sent: nothing,
    accepted: nothing,
    settled: nothing,
    culprit: nothing,
    rejected: nothing,
    stale: nothing,
    closed: nothing,
    failed(_stream, error) {
      throw error;
    },
    examine: () => Promise.resolve([]),
    answer: () => Promise.reject(new Error("not asked")),
  };
}

/** A transport that takes a response when it is told to. */
class Transport extends EventEmitter {
  readonly written: { readonly response: UnwrittenResponse; readonly taken: () => void }[] = [];
  write(response: UnwrittenResponse, taken: () => void): void {
    this.written.push({ response, taken });
  }
  getPeer(): string {
    return "127.0.0.1:1";
  }
  end(): void {}
}

function open(host: StreamHost) {
  const call = new Transport();
  const proxy = {
    node: { id: "sidecar~1~a.b~b.svc" },
    identity: { namespace: "b", serviceAccount: "s", pod: "a" },
    isProven: true,
  } as never;
  const stream = serveStream(
    call as unknown as Call,
    DELTA_ADS,
    { identity: undefined, without: [], admit: () => ({ kind: "admitted", proxy }) as never },
    host,
  );
  const ask = (message: object): void =>
    void call.emit("data", encode("DeltaDiscoveryRequest", { typeUrl: CDS, ...message }));
  return {
    stream,
    call,
    ask,
    /** The next response that the transport was given, once it has taken it and the client has accepted it. */
    accept(): readonly (string | undefined)[] {
      const { response, taken } = call.written.shift()!;
      const bytes = new Uint8Array(response.byteLength);
      response.copy(bytes, 0);
      const { resources, nonce } = decode("DeltaDiscoveryResponse", bytes);
      taken();
      ask({ responseNonce: nonce });
      return resources!.map(({ name }) => name);
    },
  };
}

function nonceOf(response: UnwrittenResponse): string {
  const bytes = new Uint8Array(response.byteLength);
  response.copy(bytes, 0);
  return decode("DeltaDiscoveryResponse", bytes).nonce!;
}

const contentWith = (clusters: Record<string, number>): ContentMaps => {
  const messages = new Map(
    Object.entries(clusters).map(([name, length]) => [name, { name, altStatName: "x".repeat(length) }]),
  );
  return { ...noResources("c").maps, secrets: new Map(), clusters: encoder.encodeMap("clusters", messages) };
};

it("a large change waits for room also at who had everything, a small one does not", () => {
  const budget = createWriteBudget(1000);
  const { stream, call, ask, accept } = open(hostWith(budget));
  ask({ node: { id: "sidecar~1~a.b~b.svc" } });
  stream.setContent(contentWith({ a: 1 }));
  expect(accept()).toEqual(["a"]);

  budget.take(5000);
  stream.setContent(contentWith({ a: 2 }));
  expect(accept()).toEqual(["a"]);
  stream.setContent(contentWith({ a: 40_000 }));
  expect(call.written).toEqual([]);
  // What comes meanwhile is not forgotten.
  stream.setContent(contentWith({ a: 40_000, b: 1 }));
  budget.give(5000);
  expect([accept(), accept()]).toEqual([["a"], ["b"]]);
  expect(call.written).toEqual([]);
  stream.end(0, "");
});

it("who leaves while it waits holds up nobody", () => {
  const budget = createWriteBudget(1000);
  const host = hostWith(budget);
  const [one, other] = [open(host), open(host)];
  for (const { stream, ask, accept } of [one, other]) {
    ask({ node: { id: "sidecar~1~a.b~b.svc" } });
    stream.setContent(contentWith({ a: 1 }));
    accept();
  }
  budget.take(5000);
  for (const { stream } of [one, other]) stream.setContent(contentWith({ a: 40_000 }));
  one.call.emit("cancelled");
  budget.give(5000);
  expect(one.call.written).toEqual([]);
  expect(other.accept()).toEqual(["a"]);
});

it("who has read all that it was given is not ended for what waits for room, and is for what it does not read", () => {
  vi.useFakeTimers();
  const budget = createWriteBudget(1000);
  const { stream, call, ask, accept } = open(hostWith(budget));
  const ended: unknown[] = [];
  call.on("error", (error) => ended.push(error));
  const contentOf = (length: number): ContentMaps => ({
    ...contentWith({ a: length % 100 }),
    endpoints: encoder.encodeMap(
      "endpoints",
      new Map([["a", { clusterName: "a", endpoints: [{ locality: { region: "x".repeat(length) } }] }]]),
    ),
  });
  ask({ node: { id: "sidecar~1~a.b~b.svc" } });
  ask({ typeUrl: EDS, resourceNamesSubscribe: ["a"] });
  stream.setContent(contentOf(1));
  for (const typeUrl of [CDS, EDS]) {
    call.written[0]!.taken();
    ask({ typeUrl, responseNonce: nonceOf(call.written.shift()!.response) });
  }

  budget.take(5000);
  stream.setContent(contentOf(40_002));
  expect(call.written.length).toBe(1);
  expect(accept()).toEqual(["a"]);
  vi.advanceTimersByTime(60_001);
  expect(ended).toEqual([]);

  budget.give(5000);
  expect(call.written.length).toBe(1);
  vi.advanceTimersByTime(60_001);
  expect(ended).toEqual([expect.objectContaining({ details: "the stream is not read" })]);
});

import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createApiClient } from "../kubernetes/http-api-client.ts";
import type { ApiClient } from "../kubernetes/api-client.ts";
import { accessTo, CORE_RESOURCES, startTestApiServer, type TestApiServer } from "../kubernetes/testing-api-server.ts";
import type { MeshObject, ObjectRef } from "../model/object.ts";
import { createSystemClock } from "../telemetry/clock.ts";
import { conditionsOf } from "./conditions.ts";
import type { JudgedObject } from "./judge-objects.ts";
import { createStatusWriter } from "./status-writer.ts";

const RESOURCES = [
  ...CORE_RESOURCES,
  ...[
    {
      group: "networking.istio.io",
      version: "v1",
      plural: "virtualservices",
      kind: "VirtualService",
      namespaced: true,
    },
  ],
  ...[{ group: "", version: "v1", plural: "events", kind: "Event", namespaced: true }],
];
const ref: ObjectRef = { kind: "VirtualService", namespace: "shop", name: "reviews" };
const never = new AbortController().signal;

let server: TestApiServer;
let client: ApiClient;
let nowMs: number;
const warnings: string[] = [];
beforeEach(async () => {
  server = await startTestApiServer(RESOURCES);
  nowMs = Date.parse("2026-01-01T00:00:00Z");
  warnings.length = 0;
  client = createApiClient({
    access: accessTo(server),
    clock: createSystemClock(),
  });
  server.put({
    ...{ apiVersion: "networking.istio.io/v1", kind: "VirtualService" },
    metadata: { name: "reviews", namespace: "shop", generation: 4 },
    spec: { hosts: ["reviews"] },
  });
});
afterEach(async () => {
  client.close();
  await server.stop();
});

const stored = () => server.stored.get("networking.istio.io/v1/virtualservices", "shop/reviews");
const status = () =>
  stored()?.["status"] as { observedGeneration: number; conditions: { lastTransitionTime: string }[] };
const writer = () =>
  createStatusWriter({
    api: client,
    clock: { nowMs: () => nowMs, monotonicMs: () => nowMs },
    warn: (problem) => warnings.push(problem),
  });
function judged(errors: readonly string[] = [], reached = 2): JudgedObject {
  const uid = stored()?.metadata.uid ?? "";
  const object = {
    ...{ kind: "VirtualService", apiVersion: "networking.istio.io/v1", metadata: { ...ref, generation: 4 } },
    origin: { kind: "kubernetes", object: "VirtualService/shop/reviews", uid, resourceVersion: "1" },
  } as unknown as MeshObject;
  const conditions = conditionsOf({
    ...{ errors, warnings: [] },
    reach: { concerned: 2, reached, elsewhere: 0, waiting: undefined, held: undefined },
  });
  return { ref, object, isWrong: errors.length > 0, status: { generation: 4, conditions } };
}

describe("a status", () => {
  it("stands in the object with its generation, and each condition since when it is so", async () => {
    const { write, written } = writer();
    await write(judged([], 1), never);
    nowMs += 60_000;
    await write(judged(), never);
    expect(status()).toMatchObject({
      observedGeneration: 4,
      conditions: [
        { type: "Accepted", status: "True", observedGeneration: 4, lastTransitionTime: "2026-01-01T00:00:00.000Z" },
        { type: "Distributed", message: "2 of 2 proxies", lastTransitionTime: "2026-01-01T00:01:00.000Z" },
      ],
    });
    expect(stored()?.["spec"]).toEqual({ hosts: ["reviews"] });
    expect(written(ref)?.writtenAtMs).toBe(nowMs);
    expect(server.calls.at(-1)).toMatch(
      /^PATCH .*\/virtualservices\/reviews\/status\?fieldManager=scrim-status&force=true$/,
    );
  });

  it("that is there already is known to the next leader, with its times", async () => {
    await writer().write(judged(), never);
    const next = writer();
    await next.read(["VirtualService", "DestinationRule"], never);
    expect(next.written(ref)).toMatchObject({ ...judged().status, writtenAtMs: nowMs });
    nowMs += 60_000;
    await next.write(judged([], 1), never);
    expect(status().conditions.map(({ lastTransitionTime }) => lastTransitionTime)).toEqual([
      ...["2026-01-01T00:00:00.000Z", "2026-01-01T00:01:00.000Z"],
    ]);
  });

  it("that says that something is wrong is told its author once, by whatever leader", async () => {
    await writer().write(judged(["spec.hosts: is missing"]), never);
    await writer().write(judged(["spec.hosts: is missing"]), never);
    const events = server.stored.list("v1/events");
    expect(events).toMatchObject([
      {
        type: "Warning",
        reason: "Rejected",
        message: "spec.hosts: is missing; its last good version is served instead",
        involvedObject: { kind: "VirtualService", name: "reviews", uid: stored()?.metadata.uid },
      },
    ]);
    expect(warnings).toEqual([]);
  });

  it("of an object that is gone is written nowhere; what cannot be written is said once, and due again", async () => {
    const { write, written } = writer();
    server.faults.answer = (call) => (call.startsWith("PATCH") ? { status: 403, body: { message: "no" } } : undefined);
    await write(judged(), never);
    await write(judged(), never);
    expect(warnings).toEqual(["the status of VirtualService/shop/reviews cannot be written: 403: no"]);
    expect(written(ref)).toBeUndefined();
    server.faults.answer = () => undefined;
    const wrong = judged(["spec.hosts: is missing"]);
    server.remove("networking.istio.io/v1/virtualservices", "shop/reviews");
    await write(wrong, never);
    expect([stored(), warnings.length]).toEqual([undefined, 1]);
  });
});

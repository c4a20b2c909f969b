import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createApiClient } from "../kubernetes/http-api-client.ts";
import { accessTo, startTestApiServer, type TestApiServer } from "../kubernetes/testing-api-server.ts";
import { createCell } from "../stages/cell.ts";
import { createSystemClock } from "../telemetry/clock.ts";
import type { Issuer } from "./authority-stage.ts";
import { createRootConfigMaps } from "./root-config-maps.ts";

let server: TestApiServer;
let stop: () => Promise<void>;
let lines: string[];
const issuer = createCell<Issuer | undefined>(undefined);
const clock = createSystemClock();

const namespace = (name: string, phase = "Active") =>
  server.put({ apiVersion: "v1", kind: "Namespace", metadata: { name }, status: { phase } });
const configMap = (name: string) => server.stored.get("v1/configmaps", `${name}/istio-ca-root-cert`);
const rootsIn = (name: string) => (configMap(name)?.["data"] as Record<string, string> | undefined)?.["root-cert.pem"];
const sign = (rootPem: string) => issuer.set({ rootPem } as Issuer);
const until = (isSo: () => boolean) => expect.poll(isSo, { interval: 5, timeout: 20_000 }).toBe(true);
const writes = () => server.calls.filter((call) => call.startsWith("PATCH")).length;

async function start(): Promise<void> {
  const client = createApiClient({
    access: accessTo(server),
    clock,
  });
  const quick = { ...clock, sleep: (ms: number, signal?: AbortSignal) => clock.sleep(Math.min(ms, 20), signal) };
  const logger = { warn: (_fields: object, line: string) => void lines.push(line) } as never;
  const stage = createRootConfigMaps({ client, clock: quick, logger, random: () => 0.5 }, issuer);
  const ending = new AbortController();
  await stage.start?.(ending.signal);
  stop = async () => {
    ending.abort();
    await stage.stop?.();
    client.close();
  };
}

beforeEach(async () => {
  server = await startTestApiServer();
  lines = [];
  sign("root 1");
});
afterEach(async () => {
  await stop();
  await server.stop();
});

describe("the roots in every namespace", () => {
  it("are written where they are missing or wrong, also in one that comes later, and nowhere else", async () => {
    for (const name of ["a", "b", "kube-system", "kube-public", "kube-node-lease"]) namespace(name);
    namespace("ending", "Terminating");
    const labels = { "istio.io/config": "true" };
    const right = { name: "istio-ca-root-cert", namespace: "b", labels };
    server.put({ apiVersion: "v1", kind: "ConfigMap", metadata: right, data: { "root-cert.pem": "root 1" } });
    await start();
    await until(() => rootsIn("a") === "root 1" && rootsIn("kube-system") === "root 1");
    expect(configMap("a")?.metadata["labels"]).toEqual(labels);
    namespace("later");
    await until(() => rootsIn("later") === "root 1");
    expect([configMap("kube-public"), configMap("kube-node-lease"), configMap("ending")]).toEqual([
      ...[undefined, undefined, undefined],
    ]);
    expect(writes()).toBe(3);
  });

  it("are mended when somebody changes or deletes them, and follow the authority", async () => {
    namespace("a");
    await start();
    await until(() => rootsIn("a") === "root 1");
    server.put({
      ...{ apiVersion: "v1", kind: "ConfigMap", metadata: { name: "istio-ca-root-cert", namespace: "a" } },
      data: { "root-cert.pem": "evil", "crl.pem": "theirs" },
    });
    await until(() => rootsIn("a") === "root 1");
    expect(configMap("a")?.["data"]).toMatchObject({ "crl.pem": "theirs" });
    server.remove("v1/configmaps", "a/istio-ca-root-cert");
    await until(() => rootsIn("a") === "root 1");
    sign("root 1\nroot 2");
    await until(() => rootsIn("a") === "root 1\nroot 2");
  });

  it("are written when they can be, and that they could not is said once", async () => {
    namespace("a");
    server.faults.answer = (call) => (call.startsWith("PATCH") ? { status: 403, body: { message: "no" } } : undefined);
    await start();
    await until(() => writes() > 3);
    expect(lines).toEqual(["the ConfigMap a/istio-ca-root-cert cannot be written: 403: no"]);
    server.faults.answer = () => undefined;
    await until(() => rootsIn("a") === "root 1");
  });

  it("of five hundred namespaces are written once each", async () => {
    for (let index = 0; index < 500; index++) namespace(`n${index}`);
    await start();
    await until(() => rootsIn("n499") === "root 1" && rootsIn("n0") === "root 1");
    await until(() => server.stored.list("v1/configmaps").length === 500);
    expect(writes()).toBe(500);
  });
});

import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createApiClient } from "../kubernetes/http-api-client.ts";
import { accessTo, startTestApiServer, type TestApiServer } from "../kubernetes/testing-api-server.ts";
import { createSystemClock } from "../telemetry/clock.ts";
import { secretStore } from "./secret-store.ts";
import type { SigningFiles, SigningIdentity } from "./signing-identity.ts";
import { filesOf, rootPair, signedBy } from "./testing-certificates.ts";

let server: TestApiServer;
let lines: string[];
let stop: AbortController;
beforeEach(async () => {
  server = await startTestApiServer();
  lines = [];
  stop = new AbortController();
});
afterEach(async () => {
  stop.abort();
  await server.stop();
});

/** A replica's store; its naps are short. */
function replica() {
  const log = (_fields: object, line: string): void => void lines.push(line);
  const { ca, url } = server;
  const system = createSystemClock();
  const clock = { ...system, sleep: (ms: number, signal?: AbortSignal) => system.sleep(Math.min(ms, 20), signal) };
  const api = createApiClient({
    access: accessTo({ url, ca }),
    clock: system,
  });
  return secretStore("istio-system", { api, clock, logger: { warn: log } as never });
}

const put = (name: string, files: Partial<SigningFiles> | Record<string, string>): void =>
  server.put({
    ...{ apiVersion: "v1", kind: "Secret", metadata: { name, namespace: "istio-system" } },
    data: Object.fromEntries(
      Object.entries(files).map(([key, text]) => [key, Buffer.from(text ?? "").toString("base64")]),
    ),
  });

const open = (store = replica()) => store.open("cluster.local", stop.signal);

async function opened(store = replica()): Promise<SigningIdentity> {
  const identity = await open(store);
  if (identity.kind === "failed") throw new Error(identity.message);
  return identity;
}

async function until(condition: () => boolean): Promise<void> {
  for (let tries = 0; tries < 400; tries++) {
    if (condition()) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error("waited in vain");
}

describe("the CA's Secret", () => {
  it("is made once, whoever comes first, and all replicas sign with the same", async () => {
    const identities = await Promise.all(Array.from({ length: 8 }, () => opened()));
    expect(new Set(identities.map(({ rootsPem }) => rootsPem)).size).toBe(1);
    expect((await opened()).rootsPem).toBe(identities[0]?.rootsPem);
    const secret = server.stored.get("v1/secrets", "istio-system/istio-ca-secret");
    expect(secret?.["type"]).toBe("istio.io/ca-root");
    expect(Object.keys(secret?.["data"] as object)).toEqual([
      ...["ca-cert.pem", "ca-key.pem", "cert-chain.pem", "root-cert.pem"],
    ]);
  });

  it("is people's own where they made one, and no other is made", async () => {
    const top = rootPair();
    const own = signedBy(top);
    put("cacerts", filesOf(own, [own], [top]));
    const identity = await opened();
    expect([identity.rootsPem, identity.chainPem]).toEqual([top.pem, own.pem]);
    expect(server.stored.get("v1/secrets", "istio-system/istio-ca-secret")).toBeUndefined();
  });

  it("may be one of Istio, which has no root beside its certificate, or one of cert-manager", async () => {
    const root = rootPair();
    put("istio-ca-secret", { "ca-cert.pem": root.pem, "ca-key.pem": root.key, "root-cert.pem": "" });
    expect((await opened()).rootsPem).toBe(root.pem);
    const own = signedBy(root);
    put("cacerts", { "tls.crt": own.pem, "tls.key": own.key, "ca.crt": root.pem });
    expect((await opened()).chainPem).toBe(own.pem);
  });

  it("that does not hold together is refused with its key's name; no root is made instead", async () => {
    put("cacerts", filesOf(rootPair(), [], [rootPair()]));
    expect(await open()).toMatchObject({
      kind: "failed",
      message: expect.stringContaining("ca-cert.pem of the Secret istio-system/cacerts does not lead to root-cert.pem"),
    });
    server.faults.forbidden = new Set(["v1/secrets"]);
    expect(await open()).toMatchObject({ kind: "failed", code: "forbidden" });
  });

  it("is waited for while the API server cannot be reached, and that is said once", async () => {
    server.faults.answer = () => ({ status: 500 });
    const opening = opened();
    await until(() => server.calls.length > 3);
    server.faults.answer = () => undefined;
    await opening;
    expect(lines).toEqual([expect.stringContaining("cannot be read yet")]);
  });

  it("is taken up when it changes, kept when it is made wrong, and put back when it vanishes", async () => {
    const store = replica();
    const first = await opened(store);
    const replaced: SigningIdentity[] = [];
    store.follow?.((identity) => replaced.push(identity), stop.signal);
    const top = rootPair();
    put("cacerts", { ...filesOf(top, [], [top]), "ca-key.pem": rootPair().key });
    await until(() => lines.length === 1);
    expect(lines[0]).toContain("what was read before goes on signing");
    put("cacerts", filesOf(top, [], [top]));
    await until(() => replaced.length === 1);
    expect(replaced[0]?.rootsPem).toBe(top.pem);
    server.remove("v1/secrets", "istio-system/cacerts");
    await until(() => lines.length === 2);
    expect(lines[1]).toContain("cacerts is gone");

    const other = replica();
    expect((await opened(other)).rootsPem).toBe(first.rootsPem);
    other.follow?.(() => undefined, stop.signal);
    server.remove("v1/secrets", "istio-system/istio-ca-secret");
    await until(() => server.stored.get("v1/secrets", "istio-system/istio-ca-secret") !== undefined);
    expect((await opened()).rootsPem).toBe(first.rootsPem);
  });
});

// Who is who on a cluster, asked of a real API server: pods' tokens, the CA's Secret, the Lease of the leader.
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { secretStore } from "../../../controlplane/ca/secret-store.ts";
import { createPodTokens } from "../../../controlplane/identity/pod-tokens.ts";
import { openAccess } from "../../../controlplane/kubernetes/access.ts";
import type { ApiClient } from "../../../controlplane/kubernetes/api-client.ts";
import { createApiClient } from "../../../controlplane/kubernetes/http-api-client.ts";
import { createLease } from "../../../controlplane/kubernetes/lease.ts";
import { isFailed } from "../../../controlplane/model/failure.ts";
import { createSystemClock } from "../../../controlplane/telemetry/clock.ts";
import { type ApiServer, noApiServer, startApiServer } from "../../support/api-server.ts";
import { until } from "../../support/until.ts";

const system = createSystemClock();
const lines: string[] = [];
const log = (_fields: object, line: string): void => void lines.push(line);
const logger = { info: log, warn: log, error: log };
const PROVEN = { kind: "proven", identity: { namespace: "default", serviceAccount: "web", pod: "web-1" } };
const UNPROVEN = { kind: "failed", code: "unproven" };

let server: ApiServer;
let api: ApiClient;
const stopping: (() => Promise<void> | undefined)[] = [];

async function openClient(): Promise<ApiClient> {
  const access = await openAccess({ kind: "kubeconfig", paths: [server.kubeconfig], context: undefined });
  if (isFailed(access)) throw new Error(access.message);
  return createApiClient({ access, clock: system });
}

async function kubectl(args: readonly string[], input?: string): Promise<string> {
  const { code, stdout, stderr } = await server.kubectl(args, input);
  if (code !== 0) throw new Error(`kubectl ${args.join(" ")}: ${stderr}`);
  return stdout.trim();
}

async function createPod(): Promise<void> {
  const spec = { serviceAccountName: "web", nodeName: "node-1", containers: [{ name: "web", image: "web" }] };
  await kubectl(
    ["create", "-f", "-"],
    JSON.stringify({ apiVersion: "v1", kind: "Pod", metadata: { name: "web-1", namespace: "default" }, spec }),
  );
}

const deletePod = () => kubectl(["delete", "pod", "web-1", "--force", "--grace-period=0"]);
const tokenOf = (...more: readonly string[]) => kubectl(["create", "token", "web", ...more]);
const bound = ["--bound-object-kind=Pod", "--bound-object-name=web-1"];

describe.skipIf(noApiServer)(`identity on a cluster${noApiServer ? ` (${noApiServer})` : ""}`, () => {
  beforeAll(async () => {
    server = await startApiServer();
    api = await openClient();
    await kubectl(["create", "namespace", "istio-system"]);
    await kubectl(["create", "serviceaccount", "web"]);
    await kubectl(
      ["create", "-f", "-"],
      JSON.stringify({ apiVersion: "v1", kind: "Node", metadata: { name: "node-1" } }),
    );
  });
  afterEach(async () => {
    for (const stop of stopping.splice(0)) await stop();
  });
  afterAll(async () => {
    api.close();
    await server.stop();
  });

  it("a token for the mesh is its pod's as long as that is there, and no other token is anybody's", async () => {
    await createPod();
    let laterMs = 0;
    const authenticate = createPodTokens({
      ...{ api, audience: "istio-ca", podUid: () => undefined, logger },
      clock: { nowMs: system.nowMs, monotonicMs: () => system.monotonicMs() + laterMs },
    });
    const token = await tokenOf("--audience=istio-ca", ...bound);
    expect(await authenticate(token)).toMatchObject(PROVEN);
    expect(await authenticate(await tokenOf(...bound))).toMatchObject(UNPROVEN);
    expect(await authenticate(await tokenOf("--audience=istio-ca"))).toMatchObject({ identity: { pod: "" } });
    const [head, claims, signature = ""] = token.split(".");
    const forged = [head, claims, signature.split("").reverse().join("")].join(".");
    expect(await authenticate(forged)).toMatchObject(UNPROVEN);

    await deletePod();
    expect(await authenticate(token)).toMatchObject(UNPROVEN);
    await createPod();
    laterMs += 10_000;
    expect(await authenticate(token)).toMatchObject(UNPROVEN);
    expect(await authenticate(await tokenOf("--audience=istio-ca", ...bound))).toMatchObject(PROVEN);
    expect(lines.join("\n")).not.toContain(signature);
  });

  it("eight control planes that start together sign with one CA", async () => {
    const clients = await Promise.all(Array.from({ length: 8 }, openClient));
    const opened = await Promise.all(
      clients.map((client) =>
        secretStore("istio-system", { api: client, clock: system, logger: logger as never }).open(
          "cluster.local",
          new AbortController().signal,
        ),
      ),
    );
    for (const client of clients) client.close();
    expect(new Set(opened.map((one) => (one.kind === "failed" ? one.message : one.rootsPem))).size).toBe(1);
    expect(await kubectl(["get", "secret", "istio-ca-secret", "-n", "istio-system", "-o=jsonpath={.type}"])).toBe(
      "istio.io/ca-root",
    );
  });

  it("one of several control planes leads, and another as soon as that one stops", async () => {
    const replica = (holder: string) => {
      const stop = new AbortController();
      const lease = createLease({
        ...{ api, clock: system, logger, namespace: "istio-system", name: "istio-leader", holder },
        times: { leaseMs: 15_000, renewWithinMs: 10_000, everyMs: 50 },
      });
      const end = async (): Promise<void> => {
        stop.abort();
        await lease.stop?.();
      };
      stopping.push(end);
      void lease.start?.(stop.signal);
      return { leads: () => lease.leads.read(), end };
    };
    const replicas = ["a", "b", "c"].map(replica);
    const leaders = () => replicas.filter(({ leads }) => leads());
    await until(() => leaders().length === 1, "a leader");
    const [first] = leaders();
    await first?.end();
    await until(() => leaders().length === 1, "the next leader");
    expect(leaders()[0]).not.toBe(first);
  });
});

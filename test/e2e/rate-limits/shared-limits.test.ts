// A limit of the whole mesh: every sidecar of a workload asks one rate limit service, which is a workload of the mesh
// itself, over mutual TLS.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Mesh, repository, request, startMesh } from "../../support/mesh.ts";
import { eventually } from "../../support/until.ts";
import { documents, echoDeployment, service } from "../../support/workloads.ts";

const QUOTA = 30;
let mesh: Mesh;

const rateLimitService = `apiVersion: v1
kind: ServiceAccount
metadata: {name: ratelimit, namespace: infra}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: ratelimit, namespace: infra}
spec:
  selector: {matchLabels: {app: ratelimit}}
  template:
    metadata:
      labels: {app: ratelimit}
      annotations: {scrim.mesh/local-command: exec node ${repository}test/support/apps/rate-limit-service.mjs}
    spec:
      serviceAccountName: ratelimit
      containers: [{name: app, ports: [{containerPort: 8081, name: grpc}], env: [{name: LIMIT, value: "${QUOTA}"}]}]
---
apiVersion: v1
kind: Service
metadata: {name: ratelimit, namespace: infra}
spec: {selector: {app: ratelimit}, ports: [{name: grpc, port: 8081}]}
`;

// The workloads may call nobody: what their limits ask is there all the same.
const scope = `apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {name: web, namespace: default}
spec: {workloadSelector: {labels: {app: web}}, egress: [{hosts: ["./nobody"]}]}
`;

const strict = `apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: strict, namespace: istio-system}
spec: {mtls: {mode: STRICT}}
`;

const policy = (failure: string, more = ""): string => `apiVersion: policy.scrim.mesh/v1alpha1
kind: RateLimitPolicy
metadata: {name: web, namespace: default}
spec:
  selector: {matchLabels: {app: web}}
  headers: draft-03
  limits:
  - {name: per-user, key: [{header: x-user, as: user}]${more}, global: {
      host: ratelimit.infra.svc.cluster.local, domain: shop, timeout: 5s, lease: 5, failure: ${failure}}}
`;

beforeAll(async () => {
  mesh = await startMesh({
    files: {
      "workloads.yaml": documents(
        service("web"),
        echoDeployment({ name: "web", app: "web", replicas: 2 }),
        service("client"),
        echoDeployment({ name: "client", app: "client" }),
        rateLimitService,
        scope,
        strict,
      ),
      "limits.yaml": policy("closed"),
    },
  });
}, 120_000);
afterAll(() => mesh?.stop());

async function statuses(count: number, user: string): Promise<Record<number, number>> {
  const seen: Record<number, number> = {};
  for (let i = 0; i < count; i++) {
    const { status } = await mesh.from("client", "http://web/", { headers: { "x-user": user } });
    seen[status] = (seen[status] ?? 0) + 1;
  }
  return seen;
}

async function calls(): Promise<number> {
  const proxies = (await mesh.proxies()).filter(({ workload }) => workload === "web");
  const pages = await Promise.all(
    proxies.map(({ envoyAdmin }) => request(`http://${envoyAdmin}/stats?filter=scrim_ratelimit_global_calls_total`)),
  );
  return pages.reduce(
    (sum, { body }) =>
      sum +
      body
        .split("\n")
        .filter((line) => line.includes("scrim_ratelimit_global_calls_total"))
        .reduce((all, line) => all + Number(line.slice(line.lastIndexOf(" ") + 1)), 0),
    0,
  );
}

describe("a limit that a service decides", () => {
  it("is one for all replicas, and is told to the client", async () => {
    await eventually(
      "the service answers",
      async () => {
        const { status, body } = await mesh.from("client", "http://web/", { headers: { "x-user": "warm" } });
        if (status !== 200) throw new Error(`${status} ${body}`);
        return true;
      },
      60_000,
    );
    const before = await calls();
    const first = await mesh.from("client", "http://web/", { headers: { "x-user": "ann" } });
    expect(first.status).toBe(200);
    expect(first.headers).toMatchObject({ "ratelimit-limit": String(QUOTA) });
    const seen = await statuses(2 * QUOTA, "ann");
    expect(1 + (seen[200] ?? 0)).toBeLessThanOrEqual(QUOTA);
    // each replica may sit on what it took ahead
    expect(1 + (seen[200] ?? 0)).toBeGreaterThanOrEqual(QUOTA - 10);
    expect((seen[200] ?? 0) + (seen[429] ?? 0)).toBe(2 * QUOTA);
    expect((await statuses(1, "bob"))[200]).toBe(1);
    expect((await calls()) - before).toBeLessThan(2 * QUOTA);
    const proxies = (await mesh.proxies()).filter(({ workload }) => workload === "web");
    expect(proxies).toHaveLength(2);
  });

  it("falls back on each proxy's own numbers when the service is gone, if the policy says so", async () => {
    mesh.write("limits.yaml", policy("local", ", requests: 4, per: 1h").replace("ratelimit.infra", "gone.infra"));
    await new Promise((resolve) => setTimeout(resolve, 700));
    await mesh.synced();
    // four at each of the two
    expect(await statuses(20, "cid")).toEqual({ 200: 8, 429: 12 });
  });
});

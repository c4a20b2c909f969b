// Which endpoint a request goes to, and which it does not: outliers, affinity, pools, subsets.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Answer, Mesh, RequestOptions } from "../../support/mesh.ts";
import { eventually } from "../../support/until.ts";
import { rule, startWebMesh, virtualService } from "./web-mesh.ts";

let mesh: Mesh;
beforeAll(async () => void (mesh = await startWebMesh()), 120_000);
afterAll(() => mesh?.stop());

async function applied(...texts: readonly string[]): Promise<void> {
  await mesh.apply("traffic.yaml", ...texts);
  expect(await mesh.errorsIn("traffic.yaml")).toEqual([]);
}

const ask = (path: string, options: RequestOptions = {}): Promise<Answer> =>
  mesh.from("client", `http://web${path}`, options);

describe("where a request goes", () => {
  it("stops sending to an endpoint that keeps failing, and to no other", async () => {
    await applied(
      rule(
        "{outlierDetection: {consecutive5xxErrors: 3, interval: 1s, baseEjectionTime: 60s, " +
          "maxEjectionPercent: 100}, loadBalancer: {simple: ROUND_ROBIN}}",
      ),
      virtualService("  - retries: {attempts: 0}\n    route: [{destination: {host: web}}]\n"),
    );
    for (let i = 0; i < 12; i++) await ask("/only/v1/500");
    const statuses = new Set<string>();
    for (let i = 0; i < 20; i++) statuses.add(String((await ask("/only/v1/500")).headers["x-version"]));
    expect([...statuses]).toEqual(["v2"]);
  });

  it("keeps a caller with the endpoint that its header, cookie or query parameter names", async () => {
    for (const [policy, path, headers] of [
      ["{httpHeaderName: x-user}", "/", (user: string) => ({ "x-user": user })],
      ["{httpQueryParameterName: user}", "?", () => ({})],
      ["{httpCookie: {name: user, ttl: 0s}}", "/", (user: string) => ({ cookie: `user=${user}` })],
    ] as const) {
      await applied(
        rule(`{loadBalancer: {consistentHash: ${policy}}}`),
        virtualService("  - route: [{destination: {host: web}}]\n"),
      );
      const homes = new Set<string>();
      for (let user = 0; user < 20; user++) {
        const seen = new Set<string>();
        for (let i = 0; i < 4; i++)
          seen.add(
            String(
              (await ask(path === "?" ? `/?user=${user}` : path, { headers: headers(String(user)) })).headers[
                "x-version"
              ],
            ),
          );
        expect(seen.size, `${policy} ${user}`).toBe(1);
        for (const version of seen) homes.add(version);
      }
      expect(homes.size, policy).toBe(2);
    }
  });

  it("refuses what would exceed a connection pool, and says so in the log", async () => {
    await applied(
      rule("{connectionPool: {tcp: {maxConnections: 1}, http: {http1MaxPendingRequests: 1, http2MaxRequests: 1}}}"),
      virtualService("  - retries: {attempts: 0}\n    route: [{destination: {host: web, subset: v1}}]\n"),
    );
    const answers = await Promise.all(Array.from({ length: 8 }, () => ask("/delay/300", { agent: undefined })));
    const refused = answers.filter(({ status }) => status === 503);
    expect(refused.length).toBeGreaterThan(3);
    expect(refused.every(({ headers }) => headers["x-envoy-overloaded"] === "true")).toBe(true);
    expect(answers.filter(({ status }) => status === 200).length).toBeGreaterThan(0);
    await eventually("UO in the access log", () => (/\bUO\b/.test(mesh.accessLog("client-")) ? true : undefined));
  });

  it("lets a port's settings replace, a subset's override", async () => {
    await applied(
      `apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: web, namespace: default}
spec:
  host: web
  trafficPolicy:
    loadBalancer: {consistentHash: {httpHeaderName: x-user}}
    portLevelSettings: [{port: {number: 80}, connectionPool: {http: {maxRequestsPerConnection: 1}}}]
  subsets:
  - {name: all, trafficPolicy: {loadBalancer: {consistentHash: {httpHeaderName: x-team}}}}
`,
      virtualService(
        "  - match: [{uri: {prefix: /subset}}]\n    route: [{destination: {host: web, subset: all}}]\n" +
          "  - route: [{destination: {host: web}}]\n",
      ),
    );
    const homes = async (path: string, headers: Record<string, string>): Promise<number> => {
      const seen = new Set<string>();
      for (let i = 0; i < 16; i++)
        seen.add(String((await ask(path, { headers: { ...headers, "x-unrelated": String(i) } })).headers["x-version"]));
      return seen.size;
    };
    expect(await homes("/", { "x-user": "a" })).toBe(2);
    expect(await homes("/subset", { "x-team": "a" })).toBe(1);
    expect(await homes("/subset", { "x-user": "a" })).toBe(2);
  });

  it("answers 503 for a subset that nobody defined or nobody runs", async () => {
    await applied(
      rule("{}").replace("{name: v2, labels: {version: v2}}", "{name: v3, labels: {version: v3}}"),
      virtualService(`  - match: [{uri: {prefix: /nobody}}]
    route: [{destination: {host: web, subset: v3}}]
  - route: [{destination: {host: web, subset: v1}}]
`),
    );
    expect((await ask("/nobody")).status).toBe(503);
    expect((await ask("/")).headers["x-version"]).toBe("v1");
  });
});

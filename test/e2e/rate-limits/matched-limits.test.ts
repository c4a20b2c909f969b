// Limits for some requests only, what they tell whom they refuse, and what is counted of each, on live sidecars.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Answer, type Mesh, request, startMesh } from "../../support/mesh.ts";
import { echoApps } from "../../support/workloads.ts";

const POLICY = `apiVersion: policy.scrim.mesh/v1alpha1
kind: RateLimitPolicy
metadata: {name: web, namespace: default}
spec:
  selector: {matchLabels: {app: web}}
  limits:
  - name: free-scans
    match:
      headers: [{name: x-tier, notValues: [gold]}]
      queryParameters: [{name: mode, values: [full]}]
      notPaths: [/health]
    requests: 5
    per: 1h
    refusal: {status: 503, headers: {x-reason: scans are for gold}}
  - name: here
    match: {ipBlocks: [127.0.0.0/8], notIpBlocks: [127.0.0.0/9, 127.128.0.0/9]}
    requests: 1
    per: 1h
  - name: watched
    requests: 2
    per: 1h
    shadow: true
`;

let mesh: Mesh;
beforeAll(async () => {
  mesh = await startMesh({
    files: { "workloads.yaml": echoApps("web", "client"), "limits.yaml": POLICY },
  });
}, 120_000);
afterAll(() => mesh?.stop());

const get = (path: string, headers: Record<string, string> = {}): Promise<Answer> =>
  mesh.from("client", `http://web${path}`, { headers });

/** The counters of limits on the page of the workload's proxy. */
async function counted(): Promise<readonly string[]> {
  const { envoyAdmin } = await mesh.proxy("web");
  const { body } = await request(`http://${envoyAdmin}/stats/prometheus`);
  return body.split("\n").filter((line) => line.startsWith("scrim_ratelimit_limit_"));
}

describe("a limit for some requests", () => {
  it("refuses those alone, in its own words, and every limit is counted by its name", async () => {
    for (let i = 0; i < 5; i++) expect((await get("/?mode=full")).status).toBe(200);
    const refused = await get("/?a=1&mode=%66ull");
    expect(refused.status).toBe(503);
    expect(refused.headers).toMatchObject({ "x-reason": "scans are for gold", "x-envoy-ratelimited": "true" });
    expect(Number(refused.headers["retry-after"])).toBeGreaterThan(0);
    expect((await get("/?mode=full", { "x-tier": "gold" })).status).toBe(200);
    expect((await get("/?mode=full", { "x-tier": "gold, silver" })).status).toBe(503);
    expect((await get("/health?mode=full")).status).toBe(200);
    expect((await get("/?mode=quick")).status).toBe(200);
    const page = await counted();
    expect(page).toContain('scrim_ratelimit_limit_total{limit="default/web/free-scans"} 7');
    expect(page).toContain('scrim_ratelimit_limit_over_total{limit="default/web/free-scans"} 2');
    expect(page).toContain('scrim_ratelimit_limit_near_total{limit="default/web/free-scans"} 1');
    expect(page).toContain('scrim_ratelimit_limit_shadow_total{limit="default/web/watched"} 6');
    expect(page).toContain('scrim_ratelimit_limit_over_total{limit="default/web/watched"} 6');
    expect(page.filter((line) => line.includes("default/web/here") && !line.endsWith(" 0"))).toEqual([]);
  });
});

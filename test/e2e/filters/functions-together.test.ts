// Functions share a module where they stand side by side and fail alike: what runs in a place changes with the
// policies, the listener does not.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Answer, type Mesh, request, startMesh } from "../../support/mesh.ts";
import { object } from "../../support/objects.ts";
import { eventually } from "../../support/until.ts";
import { echoApps } from "../../support/workloads.ts";

let mesh: Mesh;

beforeAll(async () => {
  mesh = await startMesh({
    files: {
      "workloads.yaml": echoApps("web", "client"),
    },
  });
});

afterAll(async () => {
  await mesh?.stop();
});

const LIMIT = `apiVersion: policy.scrim.mesh/v1alpha1
kind: RateLimitPolicy
metadata: {name: few, namespace: default}
spec: {selector: {matchLabels: {app: web}}, limits: [{name: few, match: {paths: [/limited]}, requests: 3, per: 600s}]}
`;
const ALLOW = `apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: reads, namespace: default}
spec:
  selector: {matchLabels: {app: web}}
  action: ALLOW
  rules: [{from: [{source: {namespaces: [default]}}], to: [{operation: {methods: [GET]}}]}]
`;
const mesh_config = (settings: string): string =>
  `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: istio, namespace: istio-system}\ndata: {mesh: '${settings}'}\n`;
const FAIL_ALIKE = mesh_config("failStrategies: {rateLimit: FAIL_CLOSE, telemetry: FAIL_CLOSE}");

interface Place {
  readonly name: string;
  readonly configuration: string;
}

/** What Envoy runs under the names that its inbound places have. */
async function places(): Promise<readonly Place[]> {
  const { envoyAdmin } = await mesh.proxy("web");
  const dump = JSON.parse((await request(`http://${envoyAdmin}/config_dump?resource=ecds_filters`)).body) as {
    configs?: { ecds_filter?: { name: string; typed_config?: { config?: { configuration?: { value?: string } } } } }[];
  };
  return (dump.configs ?? [])
    .map(({ ecds_filter: filter }) => ({
      name: filter?.name ?? "",
      configuration: filter?.typed_config?.config?.configuration?.value ?? "",
    }))
    .filter(({ name }) => !name.includes("outbound") && name !== "scrim.router");
}

/** The parts that the place with this name runs; undefined: a module of one function, or none. */
const partsOf = (place: Place | undefined): string[] =>
  place?.configuration === undefined || place.configuration === ""
    ? []
    : Object.keys(JSON.parse(place.configuration) as object).sort();

async function listenerVersion(): Promise<string> {
  const { envoyAdmin } = await mesh.proxy("web");
  const dump = JSON.parse((await request(`http://${envoyAdmin}/config_dump?resource=dynamic_listeners`)).body) as {
    configs?: { name: string; active_state?: { version_info: string; last_updated: string } }[];
  };
  return JSON.stringify((dump.configs ?? []).map(({ name, active_state: state }) => [name, state?.last_updated]));
}

const ask = (path: string, method = "GET"): Promise<Answer> => mesh.from("client", `http://web${path}`, { method });

async function running(name: string, parts: readonly string[]): Promise<void> {
  let seen: readonly Place[] = [];
  await eventually(`${name} with ${parts.join(", ")}`, async () => {
    seen = await places();
    if (JSON.stringify(partsOf(seen.find((place) => place.name === name))) === JSON.stringify(parts)) return true;
    throw new Error(JSON.stringify(seen));
  });
}

describe("functions of one module", () => {
  it("come and go with the policies, in the same listeners, under the same metrics", async () => {
    const shared = "scrim.ratelimit+scrim.telemetry.inbound";
    await running(shared, ["reporter"]);
    const before = await listenerVersion();
    mesh.write("limit.yaml", LIMIT);
    await running(shared, ["ratelimit", "telemetry"]);
    expect([(await ask("/limited")).status, (await ask("/limited")).status]).toEqual([200, 200]);
    mesh.write("allow.yaml", ALLOW);
    await running("scrim.authz", ["policies"]);
    expect(await listenerVersion()).toBe(before);
    expect((await ask("/", "POST")).status).toBe(403);
    const { envoyAdmin } = await mesh.proxy("web");
    const page = (await request(`http://${envoyAdmin}/stats/prometheus`)).body;
    for (const name of ["istio_requests_total", "scrim_ratelimit_allowed_total", "scrim_authz_denied_total"])
      expect(page).toContain(`# TYPE ${name} counter`);
    expect(page).toMatch(/istio_requests_total\{[^}]*source_workload="client"[^}]*\} \d+/);
  });

  it("are all in one when all fail alike, and what was taken from a bucket stays taken", async () => {
    mesh.write("istio.yaml", FAIL_ALIKE);
    await running("scrim.authz+scrim.ratelimit+scrim.telemetry.inbound", ["authz", "ratelimit", "telemetry"]);
    await mesh.synced();
    await eventually("the new listener's answer", async () =>
      (await ask("/", "POST")).status === 403 ? true : undefined,
    );
    const statuses = [];
    for (let i = 0; i < 4; i++) statuses.push((await ask("/limited")).status);
    expect(statuses).toEqual([200, 429, 429, 429]);
    expect(statuses.length).toBe(4);
  });

  it("run apart where a plugin stands between them", async () => {
    const plugin = object(
      "WasmPlugin",
      "between",
      "{selector: {matchLabels: {app: web}}, phase: AUTHZ, failStrategy: FAIL_OPEN, url: file:///nowhere.wasm}",
    );
    mesh.write("plugin.yaml", plugin);
    await running("scrim.telemetry.inbound", ["reporter"]);
    await running("scrim.authz+scrim.ratelimit", ["authz", "ratelimit"]);
    mesh.remove("plugin.yaml");
    await running("scrim.authz+scrim.ratelimit+scrim.telemetry.inbound", ["authz", "ratelimit", "telemetry"]);
  });
});

// What Istio's own dashboards ask for, on the pages that Prometheus reads: of a proxy, and of the control plane.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { SCRIM_VERSION } from "../../../controlplane/settings/version.ts";
import { type Mesh, request, startMesh } from "../../support/mesh.ts";
import { eventually } from "../../support/until.ts";
import { echoApps, routeWithHeader } from "../../support/workloads.ts";

let mesh: Mesh;
beforeAll(async () => {
  mesh = await startMesh({
    files: { "workloads.yaml": echoApps("web", "client"), "route.yaml": routeWithHeader("web", "x-a", "b") },
  });
}, 120_000);
afterAll(() => mesh?.stop());

async function linesOf(url: string): Promise<readonly string[]> {
  return (await request(url)).body.split("\n");
}

async function proxyPage(workload: string): Promise<readonly string[]> {
  return linesOf(`http://${(await mesh.proxy(workload)).envoyAdmin}/stats/prometheus`);
}

describe("a proxy's page", () => {
  it("says which version the proxy is of, and that its control plane is connected", async () => {
    expect((await mesh.from("client", "http://web/")).status).toBe(200);
    const page = await proxyPage("web");
    expect(page).toContain(`istio_build{component="proxy",tag="${SCRIM_VERSION}"} 1`);
    const connected = page.filter((line) => line.startsWith("envoy_cluster_upstream_cx_active{"));
    expect(connected.filter((line) => /[{,]cluster_name="xds-grpc"/.test(line))).toEqual([
      expect.stringMatching(/ 1$/),
    ]);
    expect(connected.some((line) => line.includes('envoy_cluster_name="xds-grpc"'))).toBe(true);
    expect(connected.some((line) => /[{,]cluster_name="outbound/.test(line))).toBe(false);
  });
});

/** What the dashboards ask for, as deploy/README.md has it. */
const OF_PROXIES = [
  "istio_build",
  "istio_requests_total",
  "istio_request_duration_milliseconds_bucket",
  "istio_request_bytes_bucket",
  "istio_response_bytes_bucket",
  "envoy_cluster_upstream_cx_active",
  "envoy_wasm_envoy_wasm_runtime_v8_active",
  "envoy_wasm_envoy_wasm_runtime_v8_created",
  "envoy_wasm_remote_load_cache_entries",
  "envoy_wasm_remote_load_cache_hits",
  "envoy_wasm_remote_load_cache_misses",
  "envoy_wasm_remote_load_cache_negative_hits",
  "envoy_wasm_remote_load_fetch_failures",
  "envoy_wasm_remote_load_fetch_successes",
];
const OF_NO_PROXY = ["envoy_wasm_envoy_wasm_runtime_null_active"];
const OF_THE_CONTROL_PLANE = [
  "istio_build",
  "pilot_xds",
  "pilot_xds_pushes",
  "pilot_push_triggers",
  "pilot_total_xds_internal_errors",
  "pilot_xds_push_time_bucket",
  "pilot_xds_config_size_bytes_bucket",
  "galley_validation_passed",
  "process_virtual_memory_bytes",
  "process_resident_memory_bytes",
  "process_cpu_seconds_total",
  "process_open_fds",
  "nodejs_heap_size_used_bytes",
  "nodejs_eventloop_lag_seconds",
];
const OF_NO_CONTROL_PLANE = [
  "go_goroutines",
  "go_memstats_alloc_bytes",
  "pilot_k8s_reg_events",
  "sidecar_injection_success_total",
];

const missing = (page: readonly string[], names: readonly string[]): readonly string[] =>
  names.filter((name) => !page.some((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `)));

describe("the metrics that the dashboards ask for", () => {
  it("are there, but for those that the README says are not", async () => {
    const proxy = await proxyPage("web");
    expect(missing(proxy, OF_PROXIES)).toEqual([]);
    expect(missing(proxy, OF_NO_PROXY)).toEqual(OF_NO_PROXY);
    const plane = await linesOf(`${mesh.admin}/metrics`);
    expect(missing(plane, OF_THE_CONTROL_PLANE)).toEqual([]);
    expect(missing(plane, OF_NO_CONTROL_PLANE)).toEqual(OF_NO_CONTROL_PLANE);
    // As with Istio, nothing stands there before the first.
    expect(plane).toContain("# TYPE pilot_total_xds_rejects counter");
  });
});

describe("the control plane's page", () => {
  it("says its version, and counts what passed validation and what did not", async () => {
    const metrics = () => linesOf(`${mesh.admin}/metrics`);
    const routes = 'group="networking.istio.io",version="v1",resource="virtualservices"';
    expect(await metrics()).toContain(`istio_build{component="pilot",tag="${SCRIM_VERSION}"} 1`);
    expect(await metrics()).toContain(`galley_validation_passed{${routes}} 1`);
    mesh.write("route.yaml", routeWithHeader("web", "not a name", "b"));
    await eventually("the failure", async () =>
      (await metrics()).includes(`galley_validation_failed{${routes},reason="invalid_resource"} 1`) ? true : undefined,
    );
    await mesh.apply("route.yaml", routeWithHeader("web", "x-a", "c"));
    expect(await metrics()).toContain(`galley_validation_passed{${routes}} 2`);
  });
});

import { X509Certificate } from "node:crypto";
import { describe, expect, it } from "vitest";
import { TestIdentities } from "../../test/support/test-identities.ts";
import {
  type CountedProxy,
  registerBuild,
  registerControlPlaneMetrics,
  registerRootExpiry,
} from "./control-plane-metrics.ts";
import { createMetrics } from "./metrics.ts";
import { registerPushMetrics, registerXdsMetrics } from "./xds-metrics.ts";

const linesOf = async (registry: ReturnType<typeof createMetrics>, pattern: RegExp): Promise<string[]> =>
  (await registry.metrics()).split("\n").filter((line) => pattern.test(line));

describe("what is counted of proxies", () => {
  const proxy = (nodeId: string, ...refused: string[]): CountedProxy => ({
    nodeId,
    envoyVersion: "1.40.0",
    rejections: refused.map((type) => ({ type })),
  });
  let proxies: readonly CountedProxy[] = [];
  let reads = 0;
  const registry = createMetrics();
  registerControlPlaneMetrics(registry, {
    proxies: () => (reads++, proxies),
    services: () => 4,
    virtualServices: () => 2,
    violations: () => 0,
  });
  const shown = () => linesOf(registry, /^(pilot_xds|scrim_rejecting)/);

  it("has Istio's labels, speaks of now, and looks at the proxies once for a page", async () => {
    proxies = [proxy("a", "cds", "lds", "ecds"), proxy("b", "cds"), { ...proxy("c"), envoyVersion: "" }];
    expect(await shown()).toEqual([
      'pilot_xds{version="envoy 1.40.0"} 2',
      'pilot_xds{version="unknown"} 1',
      'pilot_xds_cds_reject{node="a",err="INVALID_ARGUMENT"} 1',
      'pilot_xds_cds_reject{node="b",err="INVALID_ARGUMENT"} 1',
      'pilot_xds_lds_reject{node="a",err="INVALID_ARGUMENT"} 1',
      "scrim_rejecting_proxies 2",
    ]);
    expect(reads).toBe(1);
    proxies = [proxy("b")];
    expect(await shown()).toEqual(['pilot_xds{version="envoy 1.40.0"} 1', "scrim_rejecting_proxies 0"]);
  });
});

describe("what clients can ask for", () => {
  it("makes no label of its own, however odd", async () => {
    const registry = createMetrics();
    const { sent, rejected, stale, failed } = registerXdsMetrics(registry);
    for (const type of ["cds", "istio.io/debug", "istio.io/odd", "type.googleapis.com/odd.1", "odd.2", "__proto__"]) {
      sent(type, 1, 10, 0);
      rejected(type, "node", "no");
      stale(type);
    }
    failed();
    expect(await linesOf(registry, /^pilot_(xds_pushes|total_xds)/)).toEqual([
      'pilot_xds_pushes{type="cds"} 1',
      'pilot_xds_pushes{type="istio.io"} 2',
      'pilot_xds_pushes{type="unknown"} 3',
      'pilot_total_xds_rejects{type="cds"} 1',
      'pilot_total_xds_rejects{type="istio.io"} 2',
      'pilot_total_xds_rejects{type="unknown"} 3',
      "pilot_total_xds_internal_errors 1",
    ]);
  });
});

describe("what Istio's dashboards ask beside", () => {
  it("says which control plane this is, how long publishing takes and how long the root lasts", async () => {
    const registry = createMetrics();
    let nowMs = 0;
    registerBuild(registry, "0.1.0");
    const pushes = registerPushMetrics(registry, { monotonicMs: () => nowMs });
    pushes.triggered("config");
    nowMs = 40;
    pushes.began();
    nowMs = 540;
    pushes.pushed();
    pushes.pushed();
    const expiresMs = Date.parse(new X509Certificate(new TestIdentities().rootPem).validTo);
    registerRootExpiry(registry, () => expiresMs, { nowMs: () => Date.now() });
    expect(
      await linesOf(registry, /^(istio_build|pilot_(pushcontext_init_seconds|debounce_time)_(sum|count))/),
    ).toEqual([
      'istio_build{component="pilot",tag="0.1.0"} 1',
      "pilot_debounce_time_sum 0.54",
      "pilot_debounce_time_count 1",
      "pilot_pushcontext_init_seconds_sum 0.5",
      "pilot_pushcontext_init_seconds_count 1",
    ]);
    const [timestamp, seconds] = (await linesOf(registry, /^citadel_server_root_cert_expiry/)).map((line) =>
      Number(line.split(" ")[1]),
    );
    expect(timestamp! - Date.now() / 1_000).toBeCloseTo(seconds!, 0);
    expect(seconds).toBeGreaterThan(80_000);
  });
});

// The control plane's own metrics, under the names that Istio's users know.
import { Counter, Gauge } from "prom-client";
import type { Registry } from "./metrics.ts";

/** A connected proxy as far as it is counted. */
export interface CountedProxy {
  readonly nodeId: string;
  /** As in `1.40.0`; "" when the proxy did not say. */
  readonly envoyVersion: string;
  /** What it refuses now, by type (`cds`, …). */
  readonly rejections: readonly { readonly type: string }[];
}

export interface MeasuredStages {
  readonly proxies: () => readonly CountedProxy[];
  readonly services: () => number;
  readonly virtualServices: () => number;
  readonly violations: () => number;
}

/** Types whose rejections have a metric of their own in Istio. */
const REJECTED_TYPES = ["cds", "eds", "lds", "rds"];
/** Reasons are of endless variety: of a proxy's rejections a label keeps the kind only. */
const REJECTION_CODE = "INVALID_ARGUMENT";

/** Registers gauges that are read from the stages when the page is asked for (Istio: "Pilot metrics"). */
export function registerControlPlaneMetrics(registry: Registry, stages: MeasuredStages): void {
  const registers = [registry];
  const gauge = (name: string, help: string, read: () => number): void => {
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(read());
      },
    });
  };
  const proxies = onceATurn(stages.proxies);
  new Gauge({
    name: "pilot_xds",
    help: "Proxies with an open xDS stream, by what they say they are.",
    labelNames: ["version"],
    registers,
    collect() {
      this.reset();
      for (const { envoyVersion } of proxies())
        this.inc({ version: envoyVersion === "" ? "unknown" : `envoy ${envoyVersion}` });
    },
  });
  for (const type of REJECTED_TYPES) {
    new Gauge({
      name: `pilot_xds_${type}_reject`,
      help: `What proxies refuse now of ${type}.`,
      labelNames: ["node", "err"],
      registers,
      collect() {
        this.reset();
        for (const { nodeId, rejections } of proxies())
          for (const rejection of rejections)
            if (rejection.type === type) this.inc({ node: nodeId, err: REJECTION_CODE });
      },
    });
  }
  gauge(
    "scrim_rejecting_proxies",
    "Proxies that reject a part of their configuration now.",
    () => proxies().filter(({ rejections }) => rejections.length > 0).length,
  );
  gauge("pilot_services", "Services known to the mesh.", stages.services);
  gauge("pilot_virt_services", "VirtualServices known to the mesh.", stages.virtualServices);
  gauge("scrim_violations", "Problems in the mesh's documents and plugins.", stages.violations);
}

/** Registers which control plane this is, as Istio's dashboards ask. */
export function registerBuild(registry: Registry, version: string): void {
  new Gauge({
    name: "istio_build",
    help: "Which control plane this is.",
    labelNames: ["component", "tag"],
    registers: [registry],
  }).set({ component: "pilot", tag: version }, 1);
}

/** Registers until when the root certificate is valid, milliseconds since 1970 (Istio: "Citadel metrics"). */
export function registerRootExpiry(registry: Registry, expiresMs: () => number, clock: { nowMs(): number }): void {
  const registers = [registry];
  new Gauge({
    name: "citadel_server_root_cert_expiry_timestamp",
    help: "When the root certificate expires, in seconds since 1970.",
    registers,
    collect() {
      this.set(expiresMs() / 1_000);
    },
  });
  new Gauge({
    name: "citadel_server_root_cert_expiry_seconds",
    help: "Seconds until the root certificate expires.",
    registers,
    collect() {
      this.set((expiresMs() - clock.nowMs()) / 1_000);
    },
  });
}

/** Registers a counter of the plugins' traps; returns what counts one of `<namespace>/<name>`. */
export function registerTrapMetric(registry: Registry): (plugin: string) => void {
  const traps = new Counter({
    name: "scrim_plugin_traps_total",
    help: "Callbacks of plugins that ended in a trap, as their proxies logged them.",
    labelNames: ["plugin"],
    registers: [registry],
  });
  return (plugin) => traps.inc({ plugin });
}

/** One page of metrics asks all gauges in one turn: what they read together is read once. */
function onceATurn<T>(read: () => T): () => T {
  let known: { readonly value: T } | undefined;
  return () => {
    if (known === undefined) {
      known = { value: read() };
      queueMicrotask(() => (known = undefined));
    }
    return known.value;
  };
}

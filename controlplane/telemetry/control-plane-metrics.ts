// The control plane's own metrics, under the names that Istio's users know.
import { Counter, Gauge } from "prom-client";
import type { Registry } from "./metrics.ts";

export interface MeasuredStages {
  /** Connected proxies, and how many of them reject something that is still wanted. */
  readonly proxies: () => { readonly connected: number; readonly rejecting: number };
  readonly services: () => number;
  readonly virtualServices: () => number;
  readonly violations: () => number;
}

/** Registers gauges that are read from the stages when the page is asked for (Istio: "Pilot metrics"). */
export function registerControlPlaneMetrics(registry: Registry, { proxies, services, virtualServices, violations }: MeasuredStages): void {
  const gauge = (name: string, help: string, read: () => number): void => {
    new Gauge({ name, help, registers: [registry], collect() { this.set(read()); } });
  };
  gauge("pilot_xds", "Proxies with an open xDS stream.", () => proxies().connected);
  gauge("scrim_rejecting_proxies", "Proxies that reject a part of their configuration now.", () => proxies().rejecting);
  gauge("pilot_services", "Services known to the mesh.", services);
  gauge("pilot_virt_services", "VirtualServices known to the mesh.", virtualServices);
  gauge("scrim_violations", "Problems in the mesh's documents and plugins.", violations);
}

/** Registers a counter of the plugins' traps; returns what counts one of `<namespace>/<name>`. */
export function registerTrapMetric(registry: Registry): (plugin: string) => void {
  const traps = new Counter({ name: "scrim_plugin_traps_total", help: "Callbacks of plugins that ended in a trap, as their proxies logged them.", labelNames: ["plugin"], registers: [registry] });
  return (plugin) => traps.inc({ plugin });
}

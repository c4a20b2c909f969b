// How many documents passed validation and how many did not, under the names of Istio's webhook (Galley's once).
import { Counter } from "prom-client";
import type { Registry } from "./metrics.ts";

/** Groups whose kinds are a mesh's own: what Istio's webhook is asked about. */
const MESH_GROUP = /(?:^|\.)(?:istio\.io|scrim\.mesh)$/;
/** Istio's word for a document that says something wrong. */
const INVALID = "invalid_resource";

/**
 * Registers the counters; returns what counts one document that was judged: a mesh's own kind, by what it says it is.
 * Whatever a document says, there are only as many labels as there are kinds.
 */
export function registerValidationMetrics(
  registry: Registry,
  kinds: ReadonlySet<string>,
): (document: unknown, passed: boolean) => void {
  const registers = [registry];
  const labelNames = ["group", "version", "resource"];
  const passes = new Counter({
    name: "galley_validation_passed",
    help: "Documents that were found valid.",
    labelNames,
    registers,
  });
  const failures = new Counter({
    name: "galley_validation_failed",
    help: "Documents that were refused.",
    labelNames: [...labelNames, "reason"],
    registers,
  });
  return (document, passed) => {
    const { apiVersion, kind } = (document ?? {}) as { readonly apiVersion?: unknown; readonly kind?: unknown };
    const [group = "", version = ""] = typeof apiVersion === "string" ? apiVersion.split("/") : [];
    if (!MESH_GROUP.test(group)) return;
    const isKnown = typeof kind === "string" && kinds.has(kind) && /^v\d+(?:(?:alpha|beta)\d+)?$/.test(version);
    const labels = isKnown ? { group, version, resource: resourceOf(kind) } : { group: "", version: "", resource: "" };
    if (passed) passes.inc(labels);
    else failures.inc({ ...labels, reason: INVALID });
  };
}

/** Returns what a kind is called in a URL: `VirtualService` is `virtualservices`, `Telemetry` `telemetries`. */
function resourceOf(kind: string): string {
  const name = kind.toLowerCase();
  return /[^aeiou]y$/.test(name) ? `${name.slice(0, -1)}ies` : `${name}s`;
}

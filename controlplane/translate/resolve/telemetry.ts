// The telemetry filter on both sides of a request: its place is always there, the filter unless the mesh counts nothing.
import type { configSchema, metricSchema } from "../../../filters/telemetry/config.schema.ts";
import { LABELS } from "../../../filters/telemetry/labels.ts";
import { METRIC_NAMES, type MetricOverrideSpec } from "../../model/kinds/telemetry.ts";
import type { MeshObject } from "../../model/object.ts";
import type { SpecFrom } from "../../model/schema.ts";
import { derived } from "../../world/derive.ts";
import type { World } from "../../world/world.ts";
import type { FunctionFilter, WasmFilter } from "../ir/filters.ts";
import { builtinFilter } from "./builtin-filter.ts";
import type { Inputs } from "./modules.ts";
import { isForSide, telemetryLevels } from "./telemetry-levels.ts";
import type { SelectedProxy } from "./workload-selector.ts";

/** What the filter is told; its fields are described in filters/telemetry/config.schema.ts. */
type TelemetryConfiguration = SpecFrom<typeof configSchema>;
type MetricChange = SpecFrom<typeof metricSchema>;

/**
 * Returns the telemetry filter of one side: `destination` counts what a workload serves, `source` what it (or a
 * gateway) asks for.
 */
export function resolveTelemetry(inputs: Inputs, proxy: SelectedProxy, side: "inbound" | "outbound"): FunctionFilter {
  const { world } = inputs;
  const configuration = telemetryConfiguration(world, proxy, side === "inbound" ? "server" : "client");
  return builtinFilter(
    inputs,
    "telemetry",
    `scrim.telemetry.${side}`,
    countsNothing(world) ? undefined : JSON.stringify(configuration),
    world.mesh.failStrategies.telemetry,
  );
}

/** Returns what counts the connections of a workload's tcp ports, or those that it opens. */
export function resolveTcpTelemetry(
  inputs: Inputs,
  proxy: SelectedProxy,
  side: "inbound" | "outbound" = "inbound",
): WasmFilter {
  const { world } = inputs;
  const configuration: TelemetryConfiguration = {
    ...telemetryConfiguration(world, proxy, side === "inbound" ? "server" : "client"),
    protocol: "tcp",
  };
  return {
    ...builtinFilter(
      inputs,
      "telemetry",
      side === "inbound" ? "scrim.telemetry.tcp" : "scrim.telemetry.tcp.outbound",
      countsNothing(world) ? undefined : JSON.stringify(configuration),
      world.mesh.failStrategies.telemetry,
    ),
    network: true,
  };
}

/**
 * Returns what the filter of one side is told: the changes of the mesh, then of the namespace, then of the workload.
 */
export function telemetryConfiguration(
  world: World,
  proxy: SelectedProxy,
  side: "client" | "server",
): TelemetryConfiguration {
  const declaredTags = world.mesh.extraStatTags;
  const known = new Set([...LABELS, ...declaredTags]);
  const metrics = telemetryLevels(world, proxy)
    .flatMap(overridesOf)
    .filter(({ match }) => isForSide(match?.mode, side))
    .map((override) => changeOf(override, known));
  return {
    reporter: side === "client" ? "source" : "destination",
    ...(declaredTags.length > 0 && { declaredTags }),
    ...(metrics.length > 0 && { metrics }),
  };
}

/** What is said of our metrics. */
function overridesOf({ spec }: MeshObject<"Telemetry">): readonly MetricOverrideSpec[] {
  return (spec.metrics ?? [])
    .filter(
      ({ providers }) =>
        providers === undefined || providers.length === 0 || providers.some(({ name }) => name === "prometheus"),
    )
    .flatMap(({ overrides }) => overrides ?? [])
    .filter(({ match }) => match?.customMetric === undefined);
}

/**
 * Whether the mesh turns all metrics off on both sides, and nobody turns one on again: then no proxy needs to know its
 * peers either, and nothing of ours runs for it. One that counts wants all others to say who they are.
 */
const countsNothing = derived((world: World): boolean => {
  const everywhere = telemetryLevels(world, { namespace: world.mesh.rootNamespace, labels: {} }).flatMap(overridesOf);
  const isOff = (side: "client" | "server"): boolean =>
    everywhere.some(
      ({ match, disabled }) =>
        disabled === true && (match?.metric ?? "ALL_METRICS") === "ALL_METRICS" && isForSide(match?.mode, side),
    );
  return (
    isOff("client") &&
    isOff("server") &&
    !world.list("Telemetry").some((object) => overridesOf(object).some(({ disabled }) => disabled === false))
  );
});

/**
 * A label that no bootstrap declares would stand in a metric's name: it is left out, and analysis says so
 * (analyze/telemetry.ts).
 */
function changeOf({ match, disabled, tagOverrides }: MetricOverrideSpec, known: ReadonlySet<string>): MetricChange {
  const metric = match?.metric;
  const tags = Object.fromEntries(
    Object.entries(tagOverrides ?? {})
      .filter(([name]) => known.has(name))
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, { operation, value }]) => [
        name,
        operation === "REMOVE" ? { remove: true as const } : { value: value ?? "" },
      ]),
  );
  return {
    ...(metric !== undefined && metric !== "ALL_METRICS" && { name: METRIC_NAMES[metric] }),
    ...(disabled !== undefined && { disabled }),
    ...(Object.keys(tags).length > 0 && { tags }),
  };
}

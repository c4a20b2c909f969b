// Where and how proxies write their access logs, and what of it.
import { isDeepStrictEqual } from "node:util";
import type { AccessLoggingSpec } from "../../model/kinds/telemetry.ts";
import type { Labels } from "../../model/labels.ts";
import { derived } from "../../world/derive.ts";
import type { World } from "../../world/world.ts";
import type { AccessLog, AccessLogRule } from "../ir/proxy.ts";
import { labelsKey } from "../../world/labels-key.ts";
import { isForSide, telemetryLevels } from "./telemetry-levels.ts";

/** Where a Telemetry's `envoy` provider writes when MeshConfig names no file. */
const DEFAULT_PATH = "/dev/stdout";

/**
 * Returns the access log of a workload: MeshConfig's, unless the narrowest Telemetry that speaks of access logs says
 * otherwise; undefined when nothing is written.
 */
export const resolveAccessLog = derived(
  (world: World, namespace: string, labels: Labels): AccessLog | undefined => {
    const { accessLogFile, accessLogEncoding, accessLogFormat } = world.mesh;
    const said = telemetryLevels(world, { namespace, labels })
      .map(({ spec }) => (spec.accessLogging ?? []).filter(isOurs))
      .findLast((entries) => entries.length > 0);
    if (said === undefined && accessLogFile === "") return undefined;
    const rules = said && {
      client: ruleFor(said, "client", accessLogFile),
      server: ruleFor(said, "server", accessLogFile),
    };
    if (rules?.client.kind === "none" && rules.server.kind === "none") return undefined;
    return {
      path: accessLogFile === "" ? DEFAULT_PATH : accessLogFile,
      encoding: accessLogEncoding,
      ...(accessLogFormat !== "" && { format: accessLogFormat }),
      ...(rules && { rules }),
    };
  },
  { keyOf: (namespace, labels) => `${namespace} ${labelsKey(labels)}`, same: isDeepStrictEqual },
);

/** The provider that is always there is the proxy itself. */
function isOurs({ providers }: AccessLoggingSpec): boolean {
  return providers === undefined || providers.length === 0 || providers.some(({ name }) => name === "envoy");
}

/** The last entry for a side counts; a side of which nothing is said is as without Telemetry. */
function ruleFor(entries: readonly AccessLoggingSpec[], side: "client" | "server", file: string): AccessLogRule {
  const entry = entries.findLast(({ match }) => isForSide(match?.mode, side));
  if (entry === undefined) return { kind: file === "" ? "none" : "all" };
  if (entry.disabled === true) return { kind: "none" };
  const expression = entry.filter?.expression;
  return expression === undefined ? { kind: "all" } : { kind: "some", expression };
}

// Consumes: a World.
// Produces: what is right in every object alone and wrong between objects, as warnings.
// Never does: refuse, because order of arrival must not matter; nor look again at what a change does not concern.
import { formatPath } from "../model/document.ts";
import { objectKey, refOf } from "../model/object.ts";
import type { Violation } from "../validate/violation.ts";
import { derived } from "../world/derive.ts";
import type { World } from "../world/world.ts";
import { analyzeBindings } from "./bindings.ts";
import { analyzeCredentials } from "./credentials.ts";
import { analyzeDelegates } from "./delegates.ts";
import { analyzeDestinations, analyzeEgressProxies, analyzeRateLimitServices } from "./destinations.ts";
import { analyzeEgress } from "./egress.ts";
import { exportAnalyses } from "./exports.ts";
import type { Finding } from "./finding.ts";
import { analyzeBoundGateways, analyzeGateways } from "./gateways.ts";
import { analyzeAliases, analyzeCallers } from "./names.ts";
import { analyzeRivals } from "./rivals.ts";
import { analyzeRules } from "./rules.ts";
import { selectorAnalyses } from "./selectors.ts";
import { analyzeServices } from "./services.ts";
import { analyzeTelemetry } from "./telemetry.ts";

/** A warning, and what would have to be there for it to be gone (as `Finding.lacks`). */
export interface Warning extends Violation {
  readonly lacks: readonly string[];
}

const analyses: readonly ((world: World) => readonly Finding[])[] = [
  analyzeBoundGateways,
  analyzeGateways,
  analyzeDestinations,
  analyzeEgressProxies,
  analyzeDelegates,
  analyzeRules,
  analyzeCredentials,
  ...selectorAnalyses,
  analyzeServices,
  ...exportAnalyses,
  analyzeEgress,
  analyzeAliases,
  analyzeCallers,
  analyzeBindings,
  analyzeRateLimitServices,
  analyzeTelemetry,
  analyzeRivals,
];

const findings = derived((world: World): readonly Finding[] => analyses.flatMap((analyze) => analyze(world)));

/**
 * Returns references that lead nowhere and objects that another one makes ineffective, by kind and age. After a change
 * only what depends on it is looked at.
 */
export function analyzeWorld(world: World): readonly Warning[] {
  return findings(world).map(({ object, path, message, lacks = [] }) => ({
    severity: "warning",
    origin: { ...object.origin },
    object: objectKey(refOf(object)),
    field: formatPath(path),
    message,
    lacks,
  }));
}

/**
 * Returns the warnings that do not merely follow from something refused: what a refused object would have been is not
 * missing, and where a file cannot be read nobody knows what it holds.
 */
export function withoutFollowOns(warnings: readonly Warning[], violations: readonly Violation[]): readonly Warning[] {
  const refused = violations.filter(({ severity }) => severity === "error").map(({ object }) => object);
  if (refused.length === 0) return warnings;
  const isUnread = refused.includes("");
  return warnings.filter(
    ({ lacks }) =>
      lacks.length === 0 || (!isUnread && !lacks.some((start) => refused.some((object) => object.startsWith(start)))),
  );
}

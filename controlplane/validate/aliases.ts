// The circuit breaker's field names that Istio never had, rewritten to the standard ones before anything else looks.
import type { FieldPath } from "../model/document.ts";
import { didYouMean } from "./suggest.ts";
import type { Relocation } from "./violation.ts";

/** One deprecated field that was found and what to write instead. */
export interface AliasUse {
  readonly path: FieldPath;
  readonly message: string;
  /** True if the alias cannot take effect because it contradicts another field. */
  readonly conflict: boolean;
}

/** A spec with only standard fields. */
export interface Rewritten {
  readonly spec: unknown;
  readonly uses: readonly AliasUse[];
  /** Where rewritten fields stand in the document. */
  readonly relocations: readonly Relocation[];
}

type Fields = Readonly<Record<string, unknown>>;
type Draft = { uses: AliasUse[]; relocations: Relocation[] };

const POOL = "connectionPoolSettings";
const BREAKER = "httpCircuitBreaker";
const EJECTION = ["outlierDetection", "maxEjectionPercent"];
/** Fields of httpCircuitBreaker and the standard fields that mean the same. */
const BREAKER_FIELDS: Readonly<Record<string, readonly string[]>> = {
  consecutiveErrors: ["outlierDetection", "consecutive5xxErrors"],
  interval: ["outlierDetection", "interval"],
  openDuration: ["outlierDetection", "baseEjectionTime"],
  sleepWindow: ["outlierDetection", "baseEjectionTime"],
  maxRequests: ["connectionPool", "http", "http2MaxRequests"],
};

/**
 * Returns a DestinationRule's spec with the aliases of every traffic policy rewritten; `spec` itself if there are none.
 */
export function rewriteDestinationRuleAliases(spec: unknown, at: FieldPath): Rewritten {
  const draft: Draft = { uses: [], relocations: [] };
  if (!isFields(spec)) return { spec, ...draft };
  let result = replaced(spec, "trafficPolicy", (policy) => rewritePolicy(policy, [...at, "trafficPolicy"], draft));
  result = replaced(result, "subsets", (subsets) =>
    mapItems(subsets, (subset, index) =>
      replaced(subset, "trafficPolicy", (policy) =>
        rewritePolicy(policy, [...at, "subsets", index, "trafficPolicy"], draft),
      ),
    ),
  );
  return { spec: result, ...draft };
}

function rewritePolicy(policy: unknown, at: FieldPath, draft: Draft): unknown {
  if (!isFields(policy)) return policy;
  const result = rewriteLevel(policy, at, draft);
  return replaced(result, "portLevelSettings", (settings) =>
    mapItems(settings, (setting, index) => rewriteLevel(setting, [...at, "portLevelSettings", index], draft)),
  );
}

function rewriteLevel(level: Fields, at: FieldPath, draft: Draft): Fields {
  let result = level;
  if (Object.hasOwn(level, POOL)) {
    result = moved(without(result, POOL), ["connectionPool"], level[POOL], [...at, POOL], at, draft);
  }
  const breaker = level[BREAKER];
  if (!isFields(breaker)) return result;
  let rest = breaker;
  for (const [alias, target] of Object.entries(BREAKER_FIELDS)) {
    if (!Object.hasOwn(breaker, alias)) continue;
    rest = without(rest, alias);
    result = moved(result, target, breaker[alias], [...at, BREAKER, alias], at, draft);
  }
  for (const name of Object.keys(rest)) {
    draft.uses.push({
      path: [...at, BREAKER, name],
      message: `unknown field "${name}"${didYouMean(name, Object.keys(BREAKER_FIELDS))}`,
      conflict: true,
    });
  }
  return without(openingWhole(result, breaker), BREAKER);
}

/** A circuit opens for all of a service, where outlier detection alone lets nine tenths of its endpoints go on. */
function openingWhole(level: Fields, breaker: Fields): Fields {
  const isOpened = Object.entries(BREAKER_FIELDS).some(
    ([alias, [group]]) => group === EJECTION[0] && Object.hasOwn(breaker, alias),
  );
  return isOpened && valueAt(level, EJECTION) === undefined ? withValue(level, EJECTION, 100) : level;
}

function moved(
  level: Fields,
  target: readonly string[],
  value: unknown,
  from: FieldPath,
  at: FieldPath,
  draft: Draft,
): Fields {
  const standard = target.join(".");
  const existing = valueAt(level, target);
  const conflict = existing !== undefined && existing !== value;
  const message = conflict
    ? `is a deprecated alias of ${standard}, which has another value already: write only ${standard}`
    : `is deprecated: write ${standard} instead`;
  draft.uses.push({ path: from, message, conflict });
  if (existing !== undefined) return level;
  draft.relocations.push({ from, to: [...at, ...target] });
  return withValue(level, target, value);
}

function valueAt(fields: unknown, path: readonly string[]): unknown {
  return path.reduce(
    (value: unknown, name) => (isFields(value) && Object.hasOwn(value, name) ? value[name] : undefined),
    fields,
  );
}

function withValue(fields: Fields, [name = "", ...rest]: readonly string[], value: unknown): Fields {
  const inner = fields[name];
  return { ...fields, [name]: rest.length === 0 ? value : withValue(isFields(inner) ? inner : {}, rest, value) };
}

function replaced(fields: Fields, name: string, change: (value: unknown) => unknown): Fields {
  if (!Object.hasOwn(fields, name)) return fields;
  const value = change(fields[name]);
  return value === fields[name] ? fields : { ...fields, [name]: value };
}

function mapItems(list: unknown, change: (item: Fields, index: number) => Fields): unknown {
  if (!Array.isArray(list)) return list;
  const items = list as readonly unknown[];
  const result = items.map((item, index) => (isFields(item) ? change(item, index) : item));
  return result.some((item, index) => item !== items[index]) ? result : list;
}

function without(fields: Fields, name: string): Fields {
  return Object.fromEntries(Object.entries(fields).filter(([key]) => key !== name));
}

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

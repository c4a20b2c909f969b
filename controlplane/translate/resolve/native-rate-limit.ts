// consumes: the rate limits of a workload that wants Envoy's own local rate limit
// produces: those that Envoy admits as the filter would, those that stay in the filter, and a note for each that stays
// never does: give up a meaning to make a limit fit
import type { LocalRateLimit, RateLimit } from "../ir/rate-limit.ts";
import type { RateLimits } from "./rate-limit.ts";

/** Limits by the engine that keeps them. */
export interface RateLimitSplit {
  readonly native: readonly LocalRateLimit[];
  readonly wasm: RateLimits;
  /** One sentence for each limit that stays in the Wasm filter. */
  readonly notes: readonly string[];
}

/** What of a limit Envoy's own has; a limit that says anything else stays. */
const NATIVE_FIELDS: ReadonlySet<string> = new Set([
  "name",
  "match",
  "key",
  "tokens",
  "intervalMs",
  "burst",
  "overrides",
  "cost",
  "shadow",
]);
const NATIVE_MATCH_FIELDS: ReadonlySet<string> = new Set(["methods", "paths", "hosts"]);
/** Envoy's shortest time between fills, and its largest bucket. */
const SHORTEST_MS = 50;
const LARGEST = 4_294_967_295;

/** Returns the split; every limit stands alone, since all that match must admit. */
export function splitRateLimits({ limits, ...others }: RateLimits): RateLimitSplit {
  const reasons = new Map(
    limits.flatMap((limit) => {
      const reason =
        others.headers !== "none" ? "response headers that tell limits are asked for" : whyNotNative(limit);
      return reason === undefined ? [] : [[limit, reason] as const];
    }),
  );
  return {
    native: limits.flatMap((limit) => (limit.global !== undefined || reasons.has(limit) ? [] : [limit])),
    wasm: { ...others, limits: limits.filter((limit) => reasons.has(limit)) },
    notes: [...reasons].map(
      ([{ name }, reason]) => `rate limit ${name}: ${reason}, so it runs in the Wasm filter (engine: native)`,
    ),
  };
}

function whyNotNative(limit: RateLimit): string | undefined {
  if (limit.global !== undefined) return "a rate limit service decides it";
  const unknown = [
    ...unknownFields(limit, NATIVE_FIELDS),
    ...unknownFields(limit.match ?? {}, NATIVE_MATCH_FIELDS).map((field) => `match.${field}`),
  ];
  if (unknown.length > 0) return `Envoy's own local rate limit has no ${unknown.join(", ")}`;
  if (limit.key.length > 0)
    return "it has a key, and Envoy's own keeps no bucket for each client that survives its neighbours";
  if (limit.overrides.length > 0) return "it has overrides, which Envoy's own cannot tell by the caller's identity";
  if (limit.shadow === true) return "it is a shadow limit, and Envoy's own has one switch for all";
  if (limit.cost !== undefined && limit.cost !== 1) return "a request costs other than 1";
  if (limit.intervalMs < SHORTEST_MS) return `its interval is shorter than Envoy's ${SHORTEST_MS} ms`;
  return limit.tokens > LARGEST || limit.burst > LARGEST ? `its bucket is larger than Envoy's ${LARGEST}` : undefined;
}

function unknownFields(object: object, known: ReadonlySet<string>): readonly string[] {
  return Object.entries(object).flatMap(([name, value]) => (value === undefined || known.has(name) ? [] : [name]));
}

// Rate limits as Envoy's own local rate limit keeps them: a descriptor with a bucket for each.
import type {
  HeaderMatcher,
  LocalRateLimit,
  LocalRateLimitDescriptor,
  RateLimit as RateLimitActions,
  RuntimeFractionalPercent,
  TokenBucket,
} from "../../../protos/build/envoy.ts";
import { durationFromMs } from "../../../protos/codec.ts";
import type { LocalRateLimit as ProxyRateLimit, RateLimitMatch } from "../ir/rate-limit.ts";
import { ANYTHING, escaped, hostMatcher, pathLineRegex, regexMatcher } from "./rbac-patterns.ts";

const always: RuntimeFractionalPercent = { defaultValue: { numerator: 100, denominator: "HUNDRED" } };
const LIMIT = "limit";
/** What no limit matches passes: Envoy wants a bucket for it nevertheless. */
const unlimited: TokenBucket = {
  maxTokens: 4_294_967_295,
  tokensPerFill: 4_294_967_295,
  fillInterval: durationFromMs(50),
};

/**
 * Returns the filter's configuration. Each limit is asked about each request that its match fits; all of them must
 * admit it.
 */
export function buildNativeRateLimit(limits: readonly ProxyRateLimit[]): LocalRateLimit {
  return {
    statPrefix: "scrim_ratelimit",
    tokenBucket: unlimited,
    filterEnabled: always,
    filterEnforced: always,
    alwaysConsumeDefaultTokenBucket: false,
    rateLimitedAsResourceExhausted: true,
    descriptors: limits.map(descriptorOf),
    rateLimits: limits.map(actionsOf),
  };
}

function descriptorOf({ name, tokens, burst, intervalMs }: ProxyRateLimit): LocalRateLimitDescriptor {
  return {
    entries: [{ key: LIMIT, value: name }],
    tokenBucket: { maxTokens: burst, tokensPerFill: tokens, fillInterval: durationFromMs(intervalMs) },
  };
}

function actionsOf({ name, match }: ProxyRateLimit): RateLimitActions {
  return {
    actions: [
      {
        headerValueMatch: {
          descriptorKey: LIMIT,
          descriptorValue: name,
          expectMatch: true,
          headers: headersOf(match ?? {}),
        },
      },
    ],
  };
}

/** All headers must match, any value of one; as the filter, it counts a request that could be read so. */
function headersOf({ methods = [], paths = [], hosts = [] }: RateLimitMatch): readonly HeaderMatcher[] {
  const matchers = [
    ...(methods.length > 0 ? [{ name: ":method", stringMatch: anyOf(methods.map(methodRegex)) }] : []),
    ...(paths.length > 0 ? [{ name: ":path", stringMatch: anyOf(paths.map(pathLineRegex)) }] : []),
    ...(hosts.length > 0
      ? [
          {
            name: ":authority",
            stringMatch: anyOf(hosts.map((host) => hostMatcher(host, "loose").safeRegex?.regex ?? "")),
          },
        ]
      : []),
  ];
  return matchers.length > 0 ? matchers : [{ name: ":method", presentMatch: true }];
}

function methodRegex(value: string): string {
  return value.split("*").map(escaped).join(ANYTHING);
}

function anyOf(regexes: readonly string[]): HeaderMatcher["stringMatch"] {
  return regexMatcher(regexes.map((regex) => `(?:${regex})`).join("|"));
}

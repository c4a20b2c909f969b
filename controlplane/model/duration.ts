// Durations as Istio's users write them.

const UNIT_MS: Readonly<Record<string, number>> = {
  h: 3_600_000,
  m: 60_000,
  s: 1_000,
  ms: 1,
  us: 1e-3,
  µs: 1e-3,
  ns: 1e-6,
};
const WHOLE = /^(?:\d+(?:\.\d+)?(?:h|ms|m|s|us|µs|ns))+$/;
const PART = /(\d+(?:\.\d+)?)(h|ms|m|s|us|µs|ns)/g;
/** protobuf's Duration ends at 10,000 years. */
const MAX_MS = 315_576_000_000_000;

/**
 * Returns the milliseconds (possibly with a fraction) of a duration in protobuf's JSON form ("2s", "0.5s") or Go's
 * ("1m30s", "250ms"); undefined if it is neither, negative, or longer than protobuf's Duration can be.
 */
export function parseDurationMs(text: string): number | undefined {
  if (text === "0") return 0;
  if (text.length > 64 || !WHOLE.test(text)) return undefined;
  let total = 0;
  for (const [, amount, unit] of text.matchAll(PART)) total += Number(amount) * (UNIT_MS[unit ?? ""] ?? Number.NaN);
  return Number.isFinite(total) && total <= MAX_MS ? total : undefined;
}

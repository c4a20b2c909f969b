// Numbers of several rounds, told with how far they lie apart.

/** A median and the range of the middle half of the values (all of them, where there are fewer than four). */
export interface Summary {
  readonly median: number;
  readonly low: number;
  readonly high: number;
  readonly values: readonly number[];
}

/** Returns the value below which the share `q` (0…1) of the sorted values lies, interpolated; NaN for none. */
export function quantile(sorted: readonly number[], q: number): number {
  const at = (sorted.length - 1) * q;
  const below = sorted[Math.floor(at)] ?? NaN;
  const above = sorted[Math.ceil(at)] ?? NaN;
  return below + (above - below) * (at - Math.floor(at));
}

/** Returns the median with its spread. */
export function summarize(values: readonly number[]): Summary {
  const sorted = [...values].sort((a, b) => a - b);
  const whole = sorted.length < 4;
  return {
    median: quantile(sorted, 0.5),
    low: quantile(sorted, whole ? 0 : 0.25),
    high: quantile(sorted, whole ? 1 : 0.75),
    values,
  };
}

/** Returns `left - right` of each round, summarized: what changes slowly on the machine cancels out. */
export function pairedDifference(left: readonly number[], right: readonly number[]): Summary {
  return summarize(left.slice(0, right.length).map((value, round) => value - (right[round] ?? NaN)));
}

/** Whether a difference says nothing, because its own spread reaches over zero or is larger than it. */
export function isNoise({ median, low, high }: Summary): boolean {
  return low <= 0 === high > 0 || high - low > Math.abs(median);
}

/** Returns the value as text with the half width of its spread: `3.4 ±0.2`. */
export function withSpread({ median, low, high }: Summary, digits = 1): string {
  return `${median.toFixed(digits)} ±${((high - low) / 2).toFixed(digits)}`;
}

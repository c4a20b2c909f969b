// Whether a number grows with what happened, or only goes up and down.

export interface Slope {
  /** Per step, by least squares. */
  readonly perStep: number;
  /** Its standard error. */
  readonly error: number;
  readonly first: number;
  readonly last: number;
}

/**
 * Returns the slope of `values` over `steps`, leaving out the first share (0…1) of the steps, in which caches fill; NaN
 * for fewer than three values.
 */
export function slopeOf(steps: readonly number[], values: readonly number[], warmUp = 0.5): Slope {
  const from = (steps.at(-1) ?? 0) * warmUp;
  const points = steps.map((step, index) => [step, values[index] ?? NaN] as const).filter(([step]) => step >= from);
  const mean = (pick: 0 | 1): number => points.reduce((sum, point) => sum + point[pick], 0) / points.length;
  const [meanStep, meanValue] = [mean(0), mean(1)];
  const spread = points.reduce((sum, [step]) => sum + (step - meanStep) ** 2, 0);
  const perStep = points.reduce((sum, [step, value]) => sum + (step - meanStep) * (value - meanValue), 0) / spread;
  const rest = points.reduce((sum, [step, value]) => sum + (value - meanValue - perStep * (step - meanStep)) ** 2, 0);
  return {
    perStep: points.length < 3 ? NaN : perStep,
    error: Math.sqrt(rest / Math.max(1, points.length - 2) / spread),
    first: points[0]?.[1] ?? NaN,
    last: points.at(-1)?.[1] ?? NaN,
  };
}

/** Whether it grows by more than its own noise (three standard errors), and by more than `most` over so many steps. */
export function grows({ perStep, error }: Slope, steps: number, most: number): boolean {
  return perStep > 3 * error && perStep * steps > most;
}

// How a plugin's new version is to be rolled out: the text of its annotation `scrim.mesh/rollout`.
import { parseDurationMs } from "../model/duration.ts";
import { type Failure, failed, ScrimError } from "../model/failure.ts";
import { parsePiece } from "../model/yaml.ts";

export const ROLLOUT_ANNOTATION = "scrim.mesh/rollout";

export interface RolloutStep {
  /** Of the plugin's proxies or requests, from 1 to 100. */
  readonly percent: number;
  /** How long the step is watched before the next; undefined: until somebody promotes. */
  readonly pauseMs: number | undefined;
}

/** When a version is taken back. */
export interface RollbackLimits {
  /** Percentage points of 5xx answers above those of the proxies with the version before. */
  readonly errorRate: number;
  /** Percent by which p99 may lie above that of the proxies with the version before. */
  readonly latency: number;
  /** A counter of the filter's own, and how often it may rise, per 1,000 requests. */
  readonly metric: { readonly name: string; readonly perThousand: number } | undefined;
  /** Requests below which rates say nothing. */
  readonly minimumRequests: number;
}

/** Whether a step's percent is a share of the plugin's proxies, or of the requests in each of them. */
export type RolloutUnit = "proxies" | "requests";

export interface RolloutPlan {
  readonly of: RolloutUnit;
  readonly steps: readonly RolloutStep[];
  readonly rollback: RollbackLimits;
}

const DEFAULTS: RollbackLimits = { errorRate: 1, latency: 50, metric: undefined, minimumRequests: 50 };

/**
 * Returns the plan that an annotation's YAML means, or what is wrong with it. A last step of 100 percent is implied.
 */
export function parseRolloutPlan(text: string): RolloutPlan | Failure<"invalid-plan"> {
  try {
    const parsed = parsePiece(text);
    if (parsed.kind === "broken") return failed("invalid-plan", "it is not YAML");
    const root = record(parsed.kind === "empty" ? null : parsed.value, "the plan", ["steps", "of", "rollback"]);
    return { of: readUnit(root["of"]), steps: readSteps(root["steps"]), rollback: readLimits(root["rollback"]) };
  } catch (error) {
    return failed("invalid-plan", error instanceof ScrimError ? error.message : "it is not YAML");
  }
}

const invalid = (message: string) => new ScrimError("invalid-plan", message);

function readSteps(value: unknown): readonly RolloutStep[] {
  if (!Array.isArray(value) || value.length === 0 || value.length > 20)
    throw invalid("steps: expected a list of 1 to 20 steps such as {percent: 10, pause: 1m}");
  const steps = value.map((step: unknown, index): RolloutStep => {
    const { percent, pause } = record(step, `steps[${index}]`, ["percent", "pause"]);
    if (typeof percent !== "number" || !Number.isInteger(percent) || percent < 1 || percent > 100)
      throw invalid(`steps[${index}].percent: expected a whole number from 1 to 100`);
    return { percent, pauseMs: pause === undefined ? undefined : duration(pause, `steps[${index}].pause`) };
  });
  steps.forEach(({ percent }, index) => {
    if (percent <= (steps[index - 1]?.percent ?? 0))
      throw invalid(`steps[${index}].percent: expected more than the step before`);
  });
  return steps.at(-1)?.percent === 100 ? steps : [...steps, { percent: 100, pauseMs: 0 }];
}

function readUnit(value: unknown): RolloutUnit {
  if (value === undefined || value === "proxies") return "proxies";
  if (value === "requests") return "requests";
  throw invalid("of: expected proxies or requests");
}

function readLimits(value: unknown): RollbackLimits {
  if (value === undefined) return DEFAULTS;
  const { errorRate, latency, metric, minimumRequests } = record(value, "rollback", [
    "errorRate",
    "latency",
    "metric",
    "minimumRequests",
  ]);
  return {
    errorRate: amount(errorRate, DEFAULTS.errorRate, "rollback.errorRate"),
    latency: amount(latency, DEFAULTS.latency, "rollback.latency"),
    minimumRequests: amount(minimumRequests, DEFAULTS.minimumRequests, "rollback.minimumRequests"),
    metric: metric === undefined ? undefined : readMetric(metric),
  };
}

function readMetric(value: unknown): RollbackLimits["metric"] {
  const { name, perThousand } = record(value, "rollback.metric", ["name", "perThousand"]);
  if (typeof name !== "string" || !/^[A-Za-z0-9_.]{1,200}$/.test(name))
    throw invalid("rollback.metric.name: expected the name of a counter of the filter");
  return { name, perThousand: amount(perThousand, 0, "rollback.metric.perThousand") };
}

function record(value: unknown, path: string, known: readonly string[]): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw invalid(`${path}: expected fields such as ${known[0]}`);
  const unknown = Object.keys(value).find((key) => !known.includes(key));
  if (unknown !== undefined) throw invalid(`${path}: there is no field ${unknown}; there are ${known.join(", ")}`);
  return { ...value };
}

function duration(value: unknown, path: string): number {
  const ms = typeof value === "string" ? parseDurationMs(value) : undefined;
  if (ms === undefined) throw invalid(`${path}: expected a duration such as 60s`);
  return ms;
}

function amount(value: unknown, otherwise: number, path: string): number {
  if (value === undefined) return otherwise;
  if (typeof value !== "number" || !(value >= 0 && value <= Number.MAX_SAFE_INTEGER))
    throw invalid(`${path}: expected a number from 0 on`);
  return value;
}

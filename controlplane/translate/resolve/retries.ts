// Retries of a route.
import type { RetriesSpec } from "../../model/kinds/virtual-service.ts";
import type { Retries } from "../ir/routes.ts";
import { durationMs } from "./traffic-policy.ts";

const DEFAULT_ATTEMPTS = 2;
/**
 * `retriable-status-codes` stands without any code, as in Istio: an answer of the application is never asked for again
 * unless a rule says so.
 */
const DEFAULT_CONDITIONS = ["connect-failure", "refused-stream", "unavailable", "cancelled", "retriable-status-codes"];

/** What holds for routes that say nothing about retries. */
export const defaultRetries: Retries = {
  attempts: DEFAULT_ATTEMPTS,
  conditions: DEFAULT_CONDITIONS,
  statusCodes: [],
  otherHosts: true,
};

/** The same where a key of the request says which host it is. */
export const defaultRetriesOfHashed: Retries = { ...defaultRetries, otherHosts: false };

/**
 * Returns the retries of a route; undefined when its `attempts` are 0, as they are where it names none. Numbers in
 * retryOn are status codes. `hashed`: its one destination picks hosts by a key of the request, so that they are asked
 * again unless the route says otherwise.
 * https://istio.io/latest/docs/reference/config/networking/virtual-service/#HTTPRetry
 */
export function resolveRetries(spec: RetriesSpec | undefined, hashed: boolean): Retries | undefined {
  if (spec === undefined) return hashed ? defaultRetriesOfHashed : defaultRetries;
  const attempts = spec.attempts ?? 0;
  if (attempts === 0) return undefined;
  const perTryTimeoutMs = durationMs(spec.perTryTimeout);
  const backoffMs = durationMs(spec.backoff);
  return {
    attempts,
    ...conditionsOf(spec.retryOn ?? ""),
    ...(perTryTimeoutMs && { perTryTimeoutMs }),
    ...(backoffMs && { backoffMs }),
    otherHosts: spec.retryIgnorePreviousHosts ?? !hashed,
    ...(spec.retryRemoteLocalities === true && { otherLocalities: true }),
  };
}

function conditionsOf(retryOn: string): Pick<Retries, "conditions" | "statusCodes"> {
  const words = retryOn
    .split(",")
    .map((word) => word.trim())
    .filter((word) => word !== "");
  if (words.length === 0) return { conditions: DEFAULT_CONDITIONS, statusCodes: [] };
  const statusCodes = words.filter((word) => /^\d+$/.test(word)).map(Number);
  const conditions = words.filter((word) => !/^\d+$/.test(word));
  if (statusCodes.length > 0 && !conditions.includes("retriable-status-codes"))
    conditions.push("retriable-status-codes");
  return { conditions, statusCodes };
}

// Retries in Envoy's words, said once for a virtual host where its routes agree.
import type { RetryPolicy, Route as EnvoyRoute, VirtualHost as EnvoyVirtualHost } from "../../../protos/build/envoy.ts";
import { durationFromMs, packAny } from "../../../protos/codec.ts";
import type { Retries } from "../ir/routes.ts";
import { interned } from "../../world/interned.ts";

/** How often another host is asked for before one that was tried is taken after all. */
const OTHER_HOST_ATTEMPTS = 5;

const previousHosts: RetryPolicy["retryHostPredicate"] = [
  { name: "envoy.retry_host_predicates.previous_hosts", typedConfig: packAny("PreviousHostsPredicate", {}) },
];

/** As in Istio: only after two hosts of the same priority. */
const otherPriorities: RetryPolicy["retryPriority"] = {
  name: "envoy.retry_priorities.previous_priorities",
  typedConfig: packAny("PreviousPrioritiesConfig", { updateFrequency: 2 }),
};

const policies = interned(
  (retries: Retries) => retries,
  (retries): RetryPolicy => ({
    retryOn: retries.conditions.join(","),
    numRetries: retries.attempts,
    ...(retries.statusCodes.length > 0 && { retriableStatusCodes: retries.statusCodes }),
    ...(retries.perTryTimeoutMs !== undefined && { perTryTimeout: durationFromMs(retries.perTryTimeoutMs) }),
    ...(retries.backoffMs !== undefined && { retryBackOff: { baseInterval: durationFromMs(retries.backoffMs) } }),
    ...(retries.otherHosts && {
      retryHostPredicate: previousHosts,
      hostSelectionRetryMaxAttempts: OTHER_HOST_ATTEMPTS,
    }),
    ...(retries.otherLocalities && { retryPriority: otherPriorities }),
  }),
);

/** Returns the retry policy; the same object for equal retries. */
export function buildRetryPolicy(retries: Retries): RetryPolicy {
  return policies(retries);
}

/**
 * Stands on a route that must not retry where its virtual host says how: Envoy takes a route's own policy whole, and
 * this one names no condition.
 */
const never: RetryPolicy = {};

/**
 * Returns the routes with the policy that most of them have moved to the virtual host, where Envoy looks for routes
 * that have none of their own. Policies must come from buildRetryPolicy. Routes that go nowhere (redirects, direct
 * responses) are left as they are, and so are all where no two agree.
 */
export function shareRetries(routes: readonly EnvoyRoute[]): Pick<EnvoyVirtualHost, "routes" | "retryPolicy"> {
  const shared = mostFrequent(routes.flatMap(({ route }) => route?.retryPolicy ?? []));
  if (shared === undefined) return { routes };
  return { routes: routes.map((entry) => withoutShared(entry, shared)), retryPolicy: shared };
}

function withoutShared(entry: EnvoyRoute, shared: RetryPolicy): EnvoyRoute {
  if (entry.route === undefined) return entry;
  const { retryPolicy, ...route } = entry.route;
  if (retryPolicy === shared) return { ...entry, route };
  return retryPolicy === undefined ? { ...entry, route: { ...route, retryPolicy: never } } : entry;
}

/** The first of those that stand most often; undefined where none stands twice. */
function mostFrequent(found: readonly RetryPolicy[]): RetryPolicy | undefined {
  const times = new Map<RetryPolicy, number>();
  for (const policy of found) times.set(policy, (times.get(policy) ?? 0) + 1);
  const most = Math.max(...times.values());
  return most < 2 ? undefined : found.find((policy) => times.get(policy) === most);
}

// What a route does, in Envoy's words.
import type {
  RedirectAction_RedirectResponseCode,
  Route as EnvoyRoute,
  RouteAction as EnvoyRouteAction,
  RouteAction_HashPolicy,
  RouteAction_RequestMirrorPolicy,
  WeightedCluster_ClusterWeight,
} from "../../../protos/build/envoy.ts";
import { durationFromMs } from "../../../protos/codec.ts";
import type { Mirror, Route, RouteAction, Target } from "../ir/routes.ts";
import type { HashKey } from "../ir/upstream.ts";
import { fractionOf } from "./fault.ts";
import { buildHeaderFields } from "./header-options.ts";
import { upstreamName } from "./names.ts";
import { buildRetryPolicy } from "./retries.ts";

type Forward = Extract<RouteAction, { kind: "forward" }>;
type Redirect = Extract<RouteAction, { kind: "redirect" }>;

const REDIRECT_CODES: Readonly<Record<Redirect["code"], RedirectAction_RedirectResponseCode>> = {
  301: "MOVED_PERMANENTLY",
  302: "FOUND",
  303: "SEE_OTHER",
  307: "TEMPORARY_REDIRECT",
  308: "PERMANENT_REDIRECT",
};

/** Returns the action and header fields of a route. */
export function buildAction(route: Route): EnvoyRoute {
  const { action } = route;
  switch (action.kind) {
    case "forward":
      return {
        route: forward(action),
        ...buildHeaderFields(
          [route.requestHeaders, ...only(action, "requestHeaders")],
          [route.responseHeaders, ...only(action, "responseHeaders")],
        ),
      };
    case "redirect":
      return { redirect: redirect(action), ...buildHeaderFields([], [route.responseHeaders]) };
    case "respond": {
      const body =
        action.body === undefined
          ? undefined
          : typeof action.body === "string"
            ? { inlineString: action.body }
            : { inlineBytes: action.body };
      return {
        directResponse: { status: action.status, ...(body && { body }) },
        ...buildHeaderFields([], [route.responseHeaders]),
      };
    }
  }
}

/** The header changes of an only target stand on the route itself. */
function only(action: Forward, field: "requestHeaders" | "responseHeaders") {
  return action.targets.length === 1 ? action.targets.map((target) => target[field]) : [];
}

function forward(action: Forward): EnvoyRouteAction {
  const [first, ...others] = action.targets;
  const authority = action.rewrite?.authority ?? (others.length === 0 ? first?.authority : undefined);
  return {
    ...(first !== undefined && others.length === 0
      ? { cluster: upstreamName(first.upstream) }
      : { weightedClusters: { clusters: action.targets.map(weighted) } }),
    // Zero is Envoy's word for "no timeout".
    timeout: durationFromMs(action.timeoutMs ?? 0),
    ...(action.retries && { retryPolicy: buildRetryPolicy(action.retries) }),
    ...(action.rewrite?.path !== undefined && { prefixRewrite: action.rewrite.path }),
    ...(action.rewrite?.pathRegex && {
      regexRewrite: {
        pattern: { regex: action.rewrite.pathRegex.match },
        substitution: action.rewrite.pathRegex.rewrite,
      },
    }),
    ...(authority !== undefined && { hostRewriteLiteral: authority }),
    ...(action.mirrors.length > 0 && { requestMirrorPolicies: action.mirrors.map(mirrorPolicy) }),
    ...(action.hashes.length > 0 && { hashPolicy: action.hashes.map(hashPolicy) }),
  };
}

function weighted(target: Target): WeightedCluster_ClusterWeight {
  return {
    name: upstreamName(target.upstream),
    weight: target.weight,
    ...(target.authority !== undefined && { hostRewriteLiteral: target.authority }),
    ...buildHeaderFields([target.requestHeaders], [target.responseHeaders]),
  };
}

function mirrorPolicy(mirror: Mirror): RouteAction_RequestMirrorPolicy {
  return {
    cluster: upstreamName(mirror.upstream),
    runtimeFraction: { defaultValue: fractionOf(mirror.percent) },
    traceSampled: false,
  };
}

function hashPolicy(key: HashKey): RouteAction_HashPolicy {
  switch (key.kind) {
    case "header":
      return { header: { headerName: key.name } };
    case "cookie":
      return {
        cookie: {
          name: key.name,
          path: key.path,
          ...(key.ttlMs !== undefined && { ttl: durationFromMs(key.ttlMs) }),
          ...(key.attributes.length > 0 && { attributes: key.attributes }),
        },
      };
    case "sourceIp":
      return { connectionProperties: { sourceIp: true } };
    case "queryParameter":
      return { queryParameter: { name: key.name } };
  }
}

function redirect(action: Redirect): EnvoyRoute["redirect"] {
  return {
    responseCode: REDIRECT_CODES[action.code],
    ...(action.path !== undefined && { pathRedirect: action.path }),
    ...(action.prefixRewrite !== undefined && { prefixRewrite: action.prefixRewrite }),
    ...(action.authority !== undefined && { hostRedirect: action.authority }),
    ...(action.scheme !== undefined && { schemeRedirect: action.scheme }),
    ...(action.port !== undefined && { portRedirect: action.port }),
  };
}

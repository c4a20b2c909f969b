// What a route does with a request: forward, redirect or answer.
import type { HttpRouteSpec, RouteDestinationSpec } from "../../model/kinds/virtual-service.ts";
import type { Mirror, Rewrite, RouteAction, Target } from "../ir/routes.ts";
import type { HashKey, Upstream } from "../ir/upstream.ts";
import type { DestinationResolver } from "./destination.ts";
import { authorityFrom, noHeaderChanges, resolveHeaderChanges } from "./header-changes.ts";
import { defaultRetries, defaultRetriesOfHashed, resolveRetries } from "./retries.ts";
import { durationMs } from "./traffic-policy.ts";

const REDIRECT_CODES = [301, 302, 303, 307, 308] as const;

/**
 * Returns the action of a VirtualService's http route; `owner` is its namespace, `port` the one the client asked for.
 */
export function resolveAction(
  spec: HttpRouteSpec,
  owner: string,
  port: number,
  destinations: DestinationResolver,
): RouteAction {
  if (spec.redirect !== undefined) return redirectAction(spec.redirect, port);
  if (spec.directResponse !== undefined) return respondAction(spec.directResponse);
  // Validation refuses routes that lead nowhere; should one come through, it answers what a route without any host
  // would.
  if (spec.route === undefined || spec.route.length === 0) return { kind: "respond", status: 503 };
  const weighted = spec.route.filter((entry) => (entry.weight ?? 0) > 0);
  const chosen = weighted.length > 0 ? weighted : spec.route.slice(0, 1);
  const found = chosen.map((entry) => ({ entry, upstream: destinations.find(entry.destination, owner, port) }));
  const rewrite = rewriteOf(spec);
  const timeoutMs = durationMs(spec.timeout);
  const hashed = found.length === 1 && found.some(({ upstream }) => isHashed(upstream));
  const retries = resolveRetries(spec.retries, hashed);
  return {
    kind: "forward",
    targets: found.map(({ entry, upstream }) => targetOf(entry, upstream, chosen.length === 1)),
    ...(timeoutMs && { timeoutMs }),
    ...(retries && { retries }),
    ...(rewrite && { rewrite }),
    mirrors: mirrorsOf(spec, owner, port, destinations),
    hashes: hashesOf(found.map(({ upstream }) => upstream)),
  };
}

/** Returns the action of hosts for which no VirtualService speaks. */
export function forwardAction(upstream: Upstream): RouteAction {
  const target: Target = {
    upstream: upstream.id,
    weight: 1,
    requestHeaders: noHeaderChanges,
    responseHeaders: noHeaderChanges,
  };
  const retries = isHashed(upstream) ? defaultRetriesOfHashed : defaultRetries;
  return { kind: "forward", targets: [target], retries, mirrors: [], hashes: hashesOf([upstream]) };
}

function isHashed({ loadBalancer }: Upstream): boolean {
  return loadBalancer.kind === "consistentHash";
}

/** The weight of an only destination does not count. */
function targetOf(entry: RouteDestinationSpec, upstream: Upstream, alone: boolean): Target {
  const authority = authorityFrom(entry.headers?.request);
  return {
    upstream: upstream.id,
    weight: alone ? 1 : (entry.weight ?? 0),
    ...(authority !== undefined && { authority }),
    requestHeaders: resolveHeaderChanges(entry.headers?.request),
    responseHeaders: resolveHeaderChanges(entry.headers?.response),
  };
}

function rewriteOf(spec: HttpRouteSpec): Rewrite | undefined {
  const authority = spec.rewrite?.authority ?? authorityFrom(spec.headers?.request);
  const { uri: path, uriRegexRewrite: pathRegex } = spec.rewrite ?? {};
  return authority === undefined && path === undefined && pathRegex === undefined
    ? undefined
    : {
        ...(path !== undefined && { path }),
        ...(pathRegex !== undefined && { pathRegex }),
        ...(authority !== undefined && { authority }),
      };
}

/** A mirror without percentage gets everything, one of 0 % nothing. */
function mirrorsOf(
  spec: HttpRouteSpec,
  owner: string,
  port: number,
  destinations: DestinationResolver,
): readonly Mirror[] {
  const single = spec.mirror
    ? [{ destination: spec.mirror, percent: percentOf(spec.mirrorPercentage) ?? spec.mirrorPercent ?? 100 }]
    : [];
  const several = (spec.mirrors ?? []).map((mirror) => ({
    destination: mirror.destination,
    percent: percentOf(mirror.percentage) ?? 100,
  }));
  return [...single, ...several]
    .filter((mirror) => mirror.percent > 0)
    .map((mirror) => ({ upstream: destinations.find(mirror.destination, owner, port).id, percent: mirror.percent }));
}

/** A percentage that is written but has no value is protobuf's 0. */
function percentOf(percentage: { readonly value?: number } | undefined): number | undefined {
  return percentage && (percentage.value ?? 0);
}

function hashesOf(upstreams: readonly Upstream[]): readonly HashKey[] {
  const keys = new Map<string, HashKey>();
  for (const { loadBalancer } of upstreams)
    if (loadBalancer.kind === "consistentHash") keys.set(JSON.stringify(loadBalancer.key), loadBalancer.key);
  return [...keys.values()];
}

function redirectAction(spec: NonNullable<HttpRouteSpec["redirect"]>, requestPort: number): RouteAction {
  const port = spec.port ?? derivedPort(spec, requestPort);
  return {
    kind: "redirect",
    code: REDIRECT_CODES.find((code) => code === spec.redirectCode) ?? 301,
    ...(spec.uri !== undefined && { path: spec.uri }),
    ...(spec.prefixRewrite !== undefined && { prefixRewrite: spec.prefixRewrite }),
    ...(spec.authority !== undefined && { authority: spec.authority }),
    ...(spec.scheme !== undefined && { scheme: spec.scheme }),
    ...(port !== undefined && { port }),
  };
}

/** A protocol's default port is not named, but in place of the port that the request's own authority may have. */
function derivedPort(
  { derivePort, scheme, authority }: NonNullable<HttpRouteSpec["redirect"]>,
  requestPort: number,
): number | undefined {
  if (derivePort === undefined) return undefined;
  if (derivePort === "FROM_PROTOCOL_DEFAULT")
    // Without a scheme it is the request's own, of which the route knows nothing.
    return authority === undefined && scheme !== undefined ? defaultPorts[scheme] : undefined;
  const isDefault = scheme === undefined ? [80, 443].includes(requestPort) : requestPort === defaultPorts[scheme];
  return isDefault ? undefined : requestPort;
}

const defaultPorts: Readonly<Record<string, number>> = { http: 80, https: 443 };

function respondAction(spec: NonNullable<HttpRouteSpec["directResponse"]>): RouteAction {
  const body =
    spec.body?.string ??
    (spec.body?.bytes === undefined ? undefined : new Uint8Array(Buffer.from(spec.body.bytes, "base64")));
  return { kind: "respond", status: spec.status, ...(body !== undefined && { body }) };
}

// What stands at the mesh's edge: Gateways that VirtualServices are bound to, and what Gateways themselves need.
import { isFailed } from "../model/failure.ts";
import { isHttpServer, isPassedOn, openedServers, portProtocol, type ServerTlsSpec } from "../model/kinds/gateway.ts";
import type { FieldPath } from "../model/document.ts";
import type { MeshObject } from "../model/object.ts";
import { qualifyGateway } from "../translate/resolve/request-match.ts";
import { credentialNamesOf, resolveServerTls } from "../translate/resolve/gateway-tls.ts";
import { runtimeRevision } from "../pods/runtime-mark.ts";
import { selectsAll } from "../model/labels.ts";
import { derived } from "../world/derive.ts";
import type { World } from "../world/world.ts";
import { analysisOf, type Flaw } from "./finding.ts";
import { gatewayNamespaces, isWorkloadAnywhere } from "./workloads.ts";

/** Returns the names of Gateways, in VirtualServices and their matches, that no Gateway has. */
export const analyzeBoundGateways = analysisOf("VirtualService", (world, { metadata: { namespace }, spec }) => [
  ...gatewaysMissing(world, namespace, spec.gateways, ["spec", "gateways"]),
  ...(spec.http ?? []).flatMap(({ match = [] }, route) =>
    match.flatMap(({ gateways }, index) =>
      gatewaysMissing(world, namespace, gateways, ["spec", "http", route, "match", index, "gateways"]),
    ),
  ),
]);

function gatewaysMissing(
  world: World,
  owner: string,
  names: readonly string[] | undefined,
  at: FieldPath,
): readonly Flaw[] {
  return (names ?? []).flatMap((text, index): readonly Flaw[] => {
    const full = qualifyGateway(text, owner);
    const [namespace = "", name = ""] = full.split("/");
    if (full === "mesh" || world.get("Gateway", namespace, name) !== undefined) return [];
    return [{ path: [...at, index], message: `there is no Gateway ${full}`, lacks: [`Gateway/${full}`] }];
  });
}

/** Returns Gateways that no proxy serves, and servers that stay closed: for want of a port, a route or a certificate. */
export const analyzeGateways = analysisOf("Gateway", (world, gateway) => [
  ...proxyMissing(world, gateway),
  ...portsTaken(world, gateway),
  ...connectionRoutesMissing(world, gateway),
  ...openedServers(gateway.spec).flatMap(([index, { tls }]) =>
    tls === undefined || isPassedOn(tls.mode)
      ? []
      : credentialMissing(world, gateway, tls, ["spec", "servers", index, "tls"]),
  ),
]);

/** `scrim up` starts a proxy for each selector; elsewhere gateways are pods like others. */
const startsGateways = derived((world: World): boolean => runtimeRevision(world) > 0 || world.list("Pod").length === 0);

function proxyMissing(world: World, { spec: { selector } }: MeshObject<"Gateway">): readonly Flaw[] {
  if (startsGateways(world) || selectsAll(selector) || isWorkloadAnywhere(world, selector ?? {})) return [];
  return [{ path: ["spec", "selector"], message: "selects no gateway: no pod has these labels", lacks: ["Pod/"] }];
}

/** One port of a proxy speaks one protocol, the oldest server's; and one TCP server is all that a port has room for. */
function portsTaken(world: World, gateway: MeshObject<"Gateway">): readonly Flaw[] {
  const all = world.list("Gateway");
  const older = all.slice(0, all.indexOf(gateway)).filter((other) => isServedWith(world, other, gateway));
  const mine = openedServers(gateway.spec);
  return mine.flatMap(([index, server], at): readonly Flaw[] => {
    const { number } = server.port;
    const others = [
      ...older.map((other) => ({ other, servers: openedServers(other.spec) })),
      { other: gateway, servers: mine.slice(0, at) },
    ];
    const owner = others.find(({ servers }) => servers.some(([, { port }]) => port.number === number));
    const [, first] = owner?.servers.find(([, { port }]) => port.number === number) ?? [];
    if (owner === undefined || first === undefined) return [];
    const spoken = portProtocol(first);
    if (spoken !== "TCP" && spoken === portProtocol(server)) return [];
    const { namespace, name } = owner.other.metadata;
    const message = `port ${number} already speaks ${spoken}, for Gateway ${namespace}/${name}: this server stays closed`;
    return [{ path: ["spec", "servers", index, "port", "number"], message }];
  });
}

/** Whether some proxy serves both. */
function isServedWith(world: World, one: MeshObject<"Gateway">, other: MeshObject<"Gateway">): boolean {
  const [a, b] = [one.spec.selector ?? {}, other.spec.selector ?? {}];
  if (Object.keys(a).some((key) => b[key] !== undefined && b[key] !== a[key])) return false;
  return selectsAll({ ...a, ...b }) || isWorkloadAnywhere(world, { ...a, ...b });
}

/** Connections that are no requests go only where a rule for connections says. */
function connectionRoutesMissing(world: World, { metadata, spec }: MeshObject<"Gateway">): readonly Flaw[] {
  const full = `${metadata.namespace}/${metadata.name}`;
  const rules = world
    .list("VirtualService")
    .filter((rule) => rule.spec.gateways?.some((text) => qualifyGateway(text, rule.metadata.namespace) === full));
  return openedServers(spec).flatMap(([index, server]): readonly Flaw[] => {
    if (isHttpServer(server) || server.tls?.mode === "AUTO_PASSTHROUGH") return [];
    const kind = portProtocol(server) === "TLS" && isPassedOn(server.tls?.mode) ? "tls" : "tcp";
    if (rules.some((rule) => (rule.spec[kind]?.length ?? 0) > 0)) return [];
    const message = `no VirtualService has a ${kind} route for this server: it stays closed`;
    return [{ path: ["spec", "servers", index], message, lacks: ["VirtualService/"] }];
  });
}

/** A gateway has the Secrets of its own namespace. */
function credentialMissing(
  world: World,
  { metadata, spec }: MeshObject<"Gateway">,
  tls: ServerTlsSpec,
  path: FieldPath,
): readonly Flaw[] {
  const known = gatewayNamespaces(world, spec.selector ?? {});
  const namespaces = known.length === 0 ? [metadata.namespace] : known;
  const ends = namespaces.map((namespace) => resolveServerTls(world, namespace, tls));
  const failure = ends.find(isFailed);
  if (failure === undefined || !ends.every(isFailed)) return [];
  const field = (["credentialNames", "credentialName"] as const).find((name) => (tls[name]?.length ?? 0) > 0);
  const names = [...credentialNamesOf(tls), ...(tls.caCertCredentialName ? [tls.caCertCredentialName] : [])];
  const lacks = namespaces.flatMap((namespace) => names.map((name) => `Secret/${namespace}/${name}`));
  return [
    { path: [...path, field ?? "caCertCredentialName"], message: `${failure.message}: the server stays closed`, lacks },
  ];
}

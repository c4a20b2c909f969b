// What stands at the mesh's edge: Gateways that VirtualServices are bound to, and what Gateways themselves need.
import { isFailed } from "../model/failure.ts";
import { isPassedOn, openedServers, type ServerTlsSpec } from "../model/kinds/gateway.ts";
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

/** Returns Gateways that no proxy serves, and servers that stay closed for want of a certificate. */
export const analyzeGateways = analysisOf("Gateway", (world, gateway) => [
  ...proxyMissing(world, gateway),
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

// What stands at the mesh's edge: Gateways that VirtualServices are bound to, and what Gateways themselves need.
import { openedServers } from "../model/kinds/gateway.ts";
import type { FieldPath } from "../model/document.ts";
import type { MeshObject } from "../model/object.ts";
import { qualifyGateway } from "../translate/resolve/request-match.ts";
import { credentialOf } from "../translate/resolve/credential.ts";
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

/** Returns Gateways that no proxy serves, and servers whose certificate is nowhere. */
export const analyzeGateways = analysisOf("Gateway", (world, gateway) => [
  ...proxyMissing(world, gateway),
  ...openedServers(gateway.spec).flatMap(([index, { tls }]) =>
    tls?.credentialName === undefined || tls.mode !== "SIMPLE"
      ? []
      : credentialMissing(world, gateway, tls.credentialName, ["spec", "servers", index, "tls", "credentialName"]),
  ),
]);

/** `scrim up` starts a proxy for each selector; elsewhere gateways are pods like others. */
const startsGateways = derived((world: World): boolean => runtimeRevision(world) > 0 || world.list("Pod").length === 0);

function proxyMissing(world: World, { spec: { selector } }: MeshObject<"Gateway">): readonly Flaw[] {
  if (startsGateways(world) || selectsAll(selector) || isWorkloadAnywhere(world, selector ?? {})) return [];
  return [{ path: ["spec", "selector"], message: "selects no gateway: no pod has these labels", lacks: ["Pod/"] }];
}

function credentialMissing(
  world: World,
  { metadata, spec }: MeshObject<"Gateway">,
  name: string,
  path: FieldPath,
): readonly Flaw[] {
  const namespaces = [...new Set([...gatewayNamespaces(world, spec.selector ?? {}), metadata.namespace])];
  const secrets = namespaces.flatMap((namespace) => world.get("Secret", namespace, name) ?? []);
  if (secrets.some((secret) => credentialOf(secret) !== undefined)) return [];
  const where = namespaces.join(" or ");
  const lacks = namespaces.map((namespace) => `Secret/${namespace}/${name}`);
  const message =
    secrets.length > 0
      ? `the Secret ${name} in ${where} has no certificate with its key`
      : `there is no Secret ${name} in ${where}: the server stays closed`;
  return [{ path, message, lacks }];
}

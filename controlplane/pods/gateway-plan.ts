// Consumes: the mesh's Gateways.
// Produces: the gateway proxies to start, one for each selector, with the ports they listen on.
// Never does: choose local ports (that needs to look at the machine).
import { openedServers } from "../model/kinds/gateway.ts";
import type { MeshObject } from "../model/object.ts";
import { type ProxySettings, proxySettingsOf } from "./proxy-settings.ts";
import type { World } from "../world/world.ts";

export interface RouterPort {
  readonly port: number;
  readonly name: string;
  readonly protocol: string;
}

/** One gateway proxy to start. */
export interface RouterPlan {
  readonly name: string;
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly labels: Readonly<Record<string, string>>;
  /** What its Envoy is started with, beside what the mesh says. */
  readonly proxySettings?: ProxySettings | undefined;
  /** Sorted by number; each once. */
  readonly ports: readonly RouterPort[];
}

type Labels = Readonly<Record<string, string>>;

/**
 * Returns the gateway proxies that the Gateways select, in the order of the World's list (the oldest Gateway's first).
 */
export function planRouters(world: World): readonly RouterPlan[] {
  const gateways = world.list("Gateway");
  const selectors = mostSpecificFirst(gateways.map((gateway) => gateway.spec.selector ?? {}));
  const routers: RouterPlan[] = [];
  for (const selector of selectors) {
    // A proxy whose labels satisfy a wider selector as well serves that one too.
    if (routers.some((router) => isSubset(selector, router.labels))) continue;
    const owner = gateways.find((gateway) => sameLabels(gateway.spec.selector ?? {}, selector));
    if (owner) routers.push({ ...nameRouter(selector, owner.metadata.namespace, world.mesh.rootNamespace), ports: [] });
  }
  const withPorts = routers.map((router) => {
    const proxySettings = proxySettingsOf(world, router);
    return { ...router, ...(proxySettings && { proxySettings }), ports: portsFor(router.labels, gateways) };
  });
  const age = (router: RouterPlan) =>
    gateways.findIndex((gateway) => isSubset(gateway.spec.selector ?? {}, router.labels));
  return uniquelyNamed(withPorts.sort((a, b) => age(a) - age(b)));
}

/**
 * Returns the names a gateway proxy goes by. `istio: ingressgateway` gets Istio's own (workload istio-ingressgateway in
 * the root namespace, account istio-ingressgateway-service-account), so that policies written for Istio hold; others
 * are named by label.
 */
function nameRouter(selector: Labels, namespace: string, rootNamespace: string): Omit<RouterPlan, "ports"> {
  const istio = selector["istio"];
  if (istio !== undefined) {
    const name = `istio-${toName(istio)}`;
    return {
      name,
      namespace: rootNamespace,
      serviceAccount: `${name}-service-account`,
      labels: { app: name, ...selector },
    };
  }
  const name = toName(selector["app"] ?? Object.values(selector)[0] ?? "gateway");
  return { name, namespace, serviceAccount: `${name}-service-account`, labels: selector };
}

function toName(value: string): string {
  return (
    value
      .toLowerCase()
      .replace(/[^a-z0-9-]+/g, "-")
      .replace(/^-+|-+$/g, "") || "gateway"
  );
}

function portsFor(labels: Labels, gateways: readonly MeshObject<"Gateway">[]): RouterPort[] {
  const ports = new Map<number, RouterPort>();
  for (const gateway of gateways) {
    if (!isSubset(gateway.spec.selector ?? {}, labels)) continue;
    for (const [, { port }] of openedServers(gateway.spec)) {
      if (!ports.has(port.number))
        ports.set(port.number, { port: port.number, name: port.name, protocol: port.protocol });
    }
  }
  return [...ports.values()].sort((a, b) => a.port - b.port);
}

function mostSpecificFirst(selectors: readonly Labels[]): readonly Labels[] {
  return [...selectors].sort((a, b) => Object.keys(b).length - Object.keys(a).length);
}

function uniquelyNamed(routers: readonly RouterPlan[]): readonly RouterPlan[] {
  const seen = new Map<string, number>();
  return routers.map((router) => {
    const key = `${router.namespace}/${router.name}`;
    const count = (seen.get(key) ?? 0) + 1;
    seen.set(key, count);
    return count === 1 ? router : { ...router, name: `${router.name}-${count}` };
  });
}

function isSubset(selector: Labels, labels: Labels): boolean {
  return Object.entries(selector).every(([name, value]) => labels[name] === value);
}

function sameLabels(a: Labels, b: Labels): boolean {
  return isSubset(a, b) && isSubset(b, a);
}

// Whether a workload's policies and header rules run in Wasm filters or in what Envoy itself has.
import type { World } from "../../world/world.ts";
import type { ProxyClass } from "../ir/proxy-class.ts";
import type { Route, RouteTable, VirtualHost } from "../ir/routes.ts";
import { memoized } from "../../world/memo.ts";
import { looksAtHeaders } from "./request-match.ts";

export type Engine = World["mesh"]["engine"];

/** Returns the workload's own choice (annotation `scrim.mesh/engine`), else the mesh's. */
export function engineOf(world: World, proxy: Pick<ProxyClass, "engine">): Engine {
  return proxy.engine ?? world.mesh.engine;
}

/**
 * Returns how the routes of a host are decided: by the router filter if one of them looks at headers, unless native
 * matching is wanted; and always if requests are to be kept with their share, which Envoy cannot do so that a share
 * grows without losing anyone.
 */
export function decisionOf(engine: Engine, routes: readonly Route[]): VirtualHost["decidedBy"] {
  if (routes.some((route) => route.sticky !== undefined)) return "filter";
  return engine === "wasm" && routes.some((route) => looksAtHeaders(route.match)) ? "filter" : "native";
}

/**
 * Returns the table as this engine decides it; the same object for the same table and engine, and the table itself
 * where nothing differs.
 */
export const withEngine = memoized((table: RouteTable, engine: Engine): RouteTable => {
  const hosts = table.virtualHosts.map((host) => decided(host, engine));
  return hosts.every((host, index) => host === table.virtualHosts[index]) ? table : { ...table, virtualHosts: hosts };
});

/** Hosts are told apart by reference, so each is made once. */
const decided = memoized((host: VirtualHost, engine: Engine): VirtualHost => {
  const decidedBy = decisionOf(engine, host.routes);
  return decidedBy === host.decidedBy ? host : { ...host, decidedBy };
});

// Consumes: the open streams, the state of the mesh, and who asks.
// Produces: the debug pages in Istio's format, for HTTP and for ADS alike.
// Never does: show a secret, a module's bytes, or another namespace's proxies to a caller of one namespace.
import type { ConfigDump } from "../../../protos/build/envoy.ts";
import { allKinds } from "../../model/kinds.ts";
import type { World } from "../../world/world.ts";
import { adsClients, connectionList } from "./adsz.ts";
import type { DebugScope } from "./access.ts";
import { configDump, typedDump } from "./config-dump.ts";
import { configuration, meshSettings } from "./configz.ts";
import { type DebugConnection, findConnection } from "./connection.ts";
import { lazyJsonOfDump } from "./lazy-json.ts";
import { pushStatus, type PushSources } from "./push-status.ts";
import { endpointShards, registry } from "./registryz.ts";
import { syncStatus } from "./syncz.ts";

export interface DebugSources {
  readonly world: () => World | undefined;
  readonly connections: () => readonly DebugConnection[];
  readonly violations: () => PushSources["violations"];
  readonly rejections: () => PushSources["rejections"];
}

export type DebugAnswer =
  | { readonly status: 200; readonly value: unknown }
  | { readonly status: 400 | 403 | 404 | 503; readonly message: string };

interface Asked {
  readonly sources: DebugSources;
  readonly query: URLSearchParams;
  readonly connections: readonly DebugConnection[];
}
interface Page {
  readonly help: string /** Shown to callers of one namespace, about its own proxies. */;
  readonly perProxy: boolean;
  readonly answer: (asked: Asked) => DebugAnswer;
}

const pages: Readonly<Record<string, Page>> = {
  syncz: {
    help: "how far every connected proxy is in sync; ?namespace=NAMESPACE for some",
    perProxy: true,
    answer: ({ query, connections }) =>
      ok(connections.filter(({ namespace }) => (query.get("namespace") || namespace) === namespace).map(syncStatus)),
  },
  connections: {
    help: "the connected xDS clients",
    perProxy: true,
    answer: ({ connections }) => ok(connectionList(connections)),
  },
  adsz: {
    help: "the connected xDS clients with what they watch; ?proxyID=POD.NAMESPACE for one",
    perProxy: true,
    answer: adsz,
  },
  config_dump: {
    help: "what a proxy was told, as Envoy's config dump; ?proxyID=POD.NAMESPACE[&include_eds][&types=cds,lds,…]",
    perProxy: true,
    answer: ofProxy(dumpOf),
  },
  edsz: {
    help: "a proxy's endpoints; ?proxyID=POD.NAMESPACE",
    perProxy: true,
    answer: ofProxy((connection) => asJson(typedDump(connection, "eds"))),
  },
  ecdsz: {
    help: "a proxy's filter configurations; ?proxyID=POD.NAMESPACE",
    perProxy: true,
    answer: ofProxy((connection) => asJson(typedDump(connection, "ecds"))),
  },
  registryz: { help: "every service of the mesh", perProxy: false, answer: ofWorld(registry) },
  endpointz: { help: "every endpoint, by host and namespace", perProxy: false, answer: ofWorld(endpointShards) },
  endpointShardz: { help: "the same as endpointz", perProxy: false, answer: ofWorld(endpointShards) },
  configz: {
    help: "the accepted configuration",
    perProxy: false,
    answer: ofWorld((world) => configuration(world, allKinds)),
  },
  mesh: { help: "the mesh's settings", perProxy: false, answer: ofWorld(meshSettings) },
  push_status: {
    help: "what the last publication met",
    perProxy: false,
    answer: ({ sources }) =>
      ok(
        pushStatus({
          connections: sources.connections(),
          violations: sources.violations(),
          rejections: sources.rejections(),
        }),
      ),
  },
  list: { help: "the names of these pages", perProxy: true, answer: () => ok(debugPageNames) },
};

/** The pages' names, in alphabetical order. */
export const debugPageNames: readonly string[] = Object.keys(pages)
  .filter((name) => name !== "list")
  .sort();

/** Returns a line of help for each page. */
export function debugHelp(): readonly { readonly name: string; readonly help: string }[] {
  return Object.entries(pages).map(([name, { help }]) => ({ name, help }));
}

/** Returns the page `name` (as in `syncz`) for a caller of this scope; undefined when there is no such page. */
export function debugPage(
  name: string,
  query: URLSearchParams,
  scope: DebugScope,
  sources: DebugSources,
): DebugAnswer | undefined {
  const page = Object.hasOwn(pages, name) ? pages[name] : undefined;
  if (page === undefined) return undefined;
  const all = sources.connections();
  if (scope.kind === "mesh") return page.answer({ sources, query, connections: all });
  if (!page.perProxy)
    return { status: 403, message: `${name} shows the whole mesh: ask with an identity of the mesh's root namespace` };
  return page.answer({ sources, query, connections: all.filter(({ namespace }) => namespace === scope.namespace) });
}

function ok(value: unknown): DebugAnswer {
  return { status: 200, value };
}

function ofWorld(show: (world: World) => unknown): Page["answer"] {
  return ({ sources }) => {
    const world = sources.world();
    return world === undefined ? { status: 503, message: "the sources are being read" } : ok(show(world));
  };
}

function ofProxy(show: (connection: DebugConnection, query: URLSearchParams) => DebugAnswer): Page["answer"] {
  return ({ query, connections }) => {
    const proxyId = query.get("proxyID") ?? "";
    // istioctl looks for both sentences.
    if (proxyId === "")
      return { status: 400, message: "You must provide a proxyID in the query string, as in ?proxyID=POD.NAMESPACE" };
    const connection = findConnection(connections, proxyId);
    return connection === undefined
      ? { status: 404, message: "Proxy not connected to this Pilot instance. It may be connected to another instance." }
      : show(connection, query);
  };
}

function adsz(asked: Asked): DebugAnswer {
  const proxyId = asked.query.get("proxyID") ?? "";
  if (proxyId === "") return ok(adsClients(asked.connections));
  return ofProxy((connection) => ok(adsClients([connection])))(asked);
}

function dumpOf(connection: DebugConnection, query: URLSearchParams): DebugAnswer {
  const types = query.get("types") ?? "";
  return asJson(types === "" ? configDump(connection, query.has("include_eds")) : typedDump(connection, types));
}

function asJson(dump: ConfigDump): DebugAnswer {
  return ok(lazyJsonOfDump(dump));
}

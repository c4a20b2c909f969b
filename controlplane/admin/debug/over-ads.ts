// The debug pages as resources of the `istio.io/…` types, which istioctl asks for over ADS on the secured port.
import { type Failure, failed } from "../../model/failure.ts";
import { packAny } from "../../../protos/codec.ts";
import type { AnyMessage } from "../../../protos/build/envoy.ts";
import { type DebugCaller, scopeOf } from "./access.ts";
import { configDump } from "./config-dump.ts";
import { type DebugConnection, findConnection } from "./connection.ts";
import { istiosMetadata } from "./node-metadata.ts";
import { type DebugAnswer, type DebugSources, debugPage } from "./pages.ts";
import { clientConfig } from "./syncz.ts";

export interface DebugResource {
  readonly name: string;
  readonly resource: AnyMessage;
}
export type DebugResources =
  | { readonly kind: "resources"; readonly resources: readonly DebugResource[] }
  | Failure<"denied" | "malformed">;

/** As long as a query may be that comes by HTTP, about. */
const MAX_NAME_CHARACTERS = 16 * 1_024;

/** Returns what an `istio.io/…` type and these names mean for a caller; undefined for a type that is none of these. */
export function debugResources(
  typeUrl: string,
  names: readonly string[],
  caller: DebugCaller,
  sources: DebugSources,
): DebugResources | undefined {
  const scope = scopeOf(caller, sources.world()?.mesh.rootNamespace ?? "istio-system");
  const connections = () =>
    sources.connections().filter(({ namespace }) => scope.kind === "mesh" || namespace === scope.namespace);
  switch (typeUrl) {
    case "istio.io/debug/syncz":
      return answer(
        connections().map((connection) => ({
          name: connection.nodeId,
          resource: packAny("ClientConfig", clientConfig(connection)),
        })),
      );
    case "istio.io/connections":
    case "istio.io/connect":
      return answer(
        connections().map((connection) => ({
          name: connection.nodeId,
          resource: packAny("Node", { id: connection.nodeId, metadata: istiosMetadata(connection) }),
        })),
      );
    case "istio.io/debug/config_dump":
      return dumpOf(names, connections());
    case "istio.io/debug": {
      const [name] = names;
      if (name === undefined || names.length !== 1) return malformed("ask for one debug page at a time");
      if (name.length > MAX_NAME_CHARACTERS)
        return malformed(`the name of a debug page has ${MAX_NAME_CHARACTERS} characters at most`);
      const [page = "", query = ""] = name.split("?", 2);
      const shown = debugPage(page, new URLSearchParams(query), scope, sources);
      if (shown?.status === 403) return failed("denied", shown.message);
      return answer([
        { name, resource: { typeUrl: "istio.io/debug", value: new TextEncoder().encode(textOf(shown)) } },
      ]);
    }
    default:
      return undefined;
  }
}

/**
 * A page's text, or what is wrong with the question: istioctl reads its sentences, and at the last of these asks for
 * the list of pages.
 */
function textOf(shown: DebugAnswer | undefined): string {
  if (shown === undefined) return "404 page not found\n";
  return shown.status === 200 ? JSON.stringify(shown.value) : `${shown.message}\n`;
}

function malformed(reason: string): DebugResources {
  return failed("malformed", reason);
}

function answer(resources: readonly DebugResource[]): DebugResources {
  return { kind: "resources", resources };
}

function dumpOf(names: readonly string[], connections: readonly DebugConnection[]): DebugResources {
  const [proxyId] = names;
  if (proxyId === undefined || names.length !== 1)
    return malformed("ask for the config dump of one proxy: its id as the only resource name");
  const connection = findConnection(connections, proxyId);
  // With nothing in it: istioctl then asks the next control plane.
  if (connection === undefined) return answer([]);
  return answer((configDump(connection).configs ?? []).map((resource) => ({ name: "", resource })));
}

/** Returns `control_plane.identifier` of xDS responses as istioctl reads it: who answers, in which version. */
export function controlPlaneIdentifier(id: string, version: string): string {
  return JSON.stringify({
    Component: "istiod",
    ID: id,
    Info: { version, revision: "unknown", golang_version: "", status: "Clean", tag: version },
  });
}

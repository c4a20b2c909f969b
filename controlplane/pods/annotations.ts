// Consumes: what is known of a pod's proxy, or the annotations that tell it.
// Produces: the one from the other.
// Never does: trust an annotation to be well-formed: what does not parse counts as absent.
import { isJsonObject } from "../model/json-object.ts";
import { ENGINE_ANNOTATION } from "../model/kinds/pod.ts";
import type { Labels } from "../model/labels.ts";
import { formatSocketAddress, parseSocketAddress, type SocketAddress } from "../model/socket-address.ts";
import type { ListenPort } from "./listen-port.ts";

/** What a pod's annotations say of its proxy. Whoever makes the pod writes it, except `engine`, which users write. */
export interface ProxyAnnotations {
  /** The workload that the pod is one of; "" where the pod's name tells it. */
  readonly workload: string;
  /** Undefined for a pod to which Scrim gave no proxy. */
  readonly proxy: "sidecar" | "router" | undefined;
  readonly listens: readonly ListenPort[];
  /** The explicit-proxy listener; sidecars only. */
  readonly outbound: SocketAddress | undefined;
  /** How the kernel brings the pod's connections to its sidecar; undefined: programs are told of it. */
  readonly capture: CaptureMode | undefined;
  /** What enforces this workload's policies, whatever MeshConfig says. */
  readonly engine: "wasm" | "native" | undefined;
  /** Envoy's admin page, as HOST:PORT; "" where nobody may read it. */
  readonly envoyAdmin: string;
  readonly envoyPid: number | undefined;
  /** Of the template that the pod was made from; "" where it has none. */
  readonly templateHash: string;
}

/**
 * REDIRECT: the proxy sees where a connection was to go, and the application the proxy's address. TPROXY: it sees the
 * caller's, too. In Istio's words (`interceptionMode`).
 */
export type CaptureMode = "REDIRECT" | "TPROXY";

/** What may be written: all but what users write. */
export type WrittenAnnotations = {
  readonly [A in Exclude<keyof ProxyAnnotations, "engine">]?: ProxyAnnotations[A] | undefined;
};

const WORKLOAD = "scrim.mesh/workload";
const PROXY = "scrim.mesh/proxy";
const LISTEN = "scrim.mesh/listen";
const OUTBOUND = "scrim.mesh/outbound";
const CAPTURE = "scrim.mesh/capture";
const ENVOY_ADMIN = "scrim.mesh/envoy-admin";
const ENVOY_PID = "scrim.mesh/envoy-pid";
const TEMPLATE_HASH = "scrim.mesh/template-hash";

/** Returns the annotations that say this of a pod's proxy; what is not known stands in none. */
export function encodeAnnotations(said: WrittenAnnotations): Readonly<Record<string, string>> {
  const { workload, proxy, listens, outbound, capture, envoyAdmin, envoyPid, templateHash } = said;
  const texts: Readonly<Record<string, string | undefined>> = {
    [WORKLOAD]: workload,
    [PROXY]: proxy,
    [LISTEN]: listens && JSON.stringify(listens.map(encodeListen)),
    [OUTBOUND]: outbound && formatSocketAddress(outbound),
    [CAPTURE]: capture,
    [ENVOY_ADMIN]: envoyAdmin,
    [ENVOY_PID]: envoyPid?.toString(),
    [TEMPLATE_HASH]: templateHash,
  };
  return Object.fromEntries(
    Object.entries(texts).filter((entry): entry is [string, string] => entry[1] !== undefined && entry[1] !== ""),
  );
}

/** Returns what annotations say of a pod's proxy. */
export function decodeAnnotations(annotations: Labels): ProxyAnnotations {
  const engine = annotations[ENGINE_ANNOTATION];
  const capture = annotations[CAPTURE];
  return {
    workload: annotations[WORKLOAD] ?? "",
    proxy: givenProxy(annotations),
    listens: decodeListens(annotations[LISTEN] ?? ""),
    outbound: parseSocketAddress(annotations[OUTBOUND] ?? ""),
    capture: capture === "REDIRECT" || capture === "TPROXY" ? capture : undefined,
    engine: engine === "wasm" || engine === "native" ? engine : undefined,
    envoyAdmin: annotations[ENVOY_ADMIN] ?? "",
    envoyPid: Number(annotations[ENVOY_PID]) || undefined,
    templateHash: annotations[TEMPLATE_HASH] ?? "",
  };
}

/** Returns the proxy that Scrim gave a pod; undefined where it gave none. */
export function givenProxy(annotations: Labels): "sidecar" | "router" | undefined {
  const proxy = annotations[PROXY];
  return proxy === "sidecar" || proxy === "router" ? proxy : undefined;
}

// [{"port":9080,"address":"127.10.4.7:9080","app":"127.0.0.1:41233","name":"http"}]
function encodeListen({ port, name, bind, application, published }: ListenPort): object {
  return {
    port,
    address: formatSocketAddress(bind),
    ...(application && { app: formatSocketAddress(application) }),
    ...(published && { published: formatSocketAddress(published), netns: published.networkNamespace }),
    ...(name !== "" && { name }),
  };
}

function decodeListens(text: string): readonly ListenPort[] {
  const list = parseJson(text);
  return Array.isArray(list) ? list.flatMap(decodeListen) : [];
}

function decodeListen(entry: unknown): readonly ListenPort[] {
  if (!isJsonObject(entry)) return [];
  const { port, name, address, app, published, netns } = entry;
  const bind = typeof address === "string" ? parseSocketAddress(address) : undefined;
  if (typeof port !== "number" || bind === undefined) return [];
  const application = typeof app === "string" ? parseSocketAddress(app) : undefined;
  const outside = typeof published === "string" ? parseSocketAddress(published) : undefined;
  return [
    {
      port,
      name: typeof name === "string" ? name : "",
      bind,
      ...(application && { application }),
      ...(outside && typeof netns === "string" && { published: { ...outside, networkNamespace: netns } }),
    },
  ];
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

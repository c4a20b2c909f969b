// Who is at the other end of a stream: what its credential proves, and what its node says.
import type { JsonObject, Node } from "../../protos/build/envoy.ts";
import { type Failure, failed } from "../model/failure.ts";

/** What a credential proves. */
export interface ProxyIdentity {
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly pod: string;
}

/** What a node says about itself, in Istio's form; believed only where it agrees with the identity. */
export interface ProxyNode {
  readonly id: string;
  readonly kind: "sidecar" | "router";
  readonly ip: string;
  readonly pod: string;
  readonly namespace: string;
  readonly metadata: JsonObject;
  /** As in `1.40.0`; "" when the node does not say. */
  readonly envoyVersion: string;
}

/**
 * A proxy with an open stream. `isProven` is false on the plaintext port: then the identity, too, is only what the node
 * says.
 */
export interface Proxy {
  readonly identity: ProxyIdentity;
  readonly node: ProxyNode;
  readonly isProven: boolean;
}

/** Why a node is not let in. */
export type NodeProblem = "malformed-node-id" | "foreign-node" | "node-too-long";

/** More than this of a node is kept for nobody: Envoy's own are of some kilobytes. */
const MAX_NODE_LENGTH = 256 * 1024;

/** Whether what a node says of itself is short enough to be kept as long as its stream. */
export function isModestNode(node: Node | undefined): boolean {
  try {
    return JSON.stringify([node?.id, node?.metadata]).length <= MAX_NODE_LENGTH;
  } catch {
    return false;
  }
}

const NODE_ID = /^(sidecar|router)~([^~]+)~([^~.]+)\.([^~.]+)~[^~]+$/;

/** The proxy, if its node is well-formed (`sidecar~IP~POD.NAMESPACE~DOMAIN`) and is the pod that the identity names. */
export function admitNode(identity: ProxyIdentity, node: Node | undefined): Proxy | Failure<NodeProblem> {
  const id = node?.id ?? "";
  const [, kind, ip, pod, namespace] = NODE_ID.exec(id) ?? [];
  if (kind === undefined || ip === undefined || pod === undefined || namespace === undefined)
    return failed("malformed-node-id", "the node id must have the form sidecar~IP~POD.NAMESPACE~DOMAIN");
  const metadata = node?.metadata ?? {};
  const claims = [
    [pod, identity.pod],
    [namespace, identity.namespace],
    [metadata["NAME"], identity.pod],
    [metadata["NAMESPACE"], identity.namespace],
    [metadata["SERVICE_ACCOUNT"], identity.serviceAccount],
  ];
  if (claims.some(([claimed, proven]) => claimed !== undefined && claimed !== proven))
    return failed("foreign-node", `the credential does not belong to the node ${id}`);
  return {
    identity,
    isProven: true,
    node: { id, kind: kind as "sidecar" | "router", ip, pod, namespace, metadata, envoyVersion: envoyVersionOf(node) },
  };
}

/**
 * The proxy as its node describes it, whatever form its id has: for who is nobody's secret keeper (the plaintext port).
 */
export function describeNode(node: Node | undefined): Proxy {
  const id = node?.id ?? "";
  const [, kind = "sidecar", ip, pod, namespace] = NODE_ID.exec(id) ?? [];
  const metadata = node?.metadata ?? {};
  const said = (key: string): string | undefined => {
    const value = metadata[key];
    return typeof value === "string" && value !== "" ? value : undefined;
  };
  const identity = {
    namespace: said("NAMESPACE") ?? namespace ?? "default",
    serviceAccount: said("SERVICE_ACCOUNT") ?? "default",
    pod: said("NAME") ?? pod ?? id,
  };
  const address = ip ?? said("INSTANCE_IPS")?.split(",")[0] ?? "127.0.0.1";
  return {
    identity,
    isProven: false,
    node: {
      id,
      kind: kind === "router" ? "router" : "sidecar",
      ip: address,
      pod: identity.pod,
      namespace: identity.namespace,
      metadata,
      envoyVersion: envoyVersionOf(node),
    },
  };
}

function envoyVersionOf(node: Node | undefined): string {
  const version = node?.userAgentBuildVersion?.version;
  return version === undefined ? "" : `${version.majorNumber ?? 0}.${version.minorNumber ?? 0}.${version.patch ?? 0}`;
}

// What a proxy's node says of itself, as istioctl reads it: a value of another kind than Istio's would end its whole
// command.
import type { JsonObject, JsonValue } from "../../../protos/build/envoy.ts";
import { CLUSTER_ID } from "../../model/workload-ref.ts";
import type { DebugConnection } from "./connection.ts";

const TEXTS = [
  "NAME",
  "NAMESPACE",
  "SERVICE_ACCOUNT",
  "WORKLOAD_NAME",
  "OWNER",
  "CLUSTER_ID",
  "MESH_ID",
  "NETWORK",
  "NODE_NAME",
  "INSTANCE_IPS",
  "ISTIO_VERSION",
  "ISTIO_REVISION",
];

/**
 * Returns the keys that istioctl knows, where they are of Istio's kind, and those without which it takes a client for
 * another istioctl.
 */
export function istiosMetadata({ metadata, envoyVersion }: DebugConnection): JsonObject {
  const texts = TEXTS.flatMap((key): [string, JsonValue][] =>
    typeof metadata[key] === "string" ? [[key, metadata[key]]] : [],
  );
  const maps = ["LABELS", "ANNOTATIONS"].flatMap((key): [string, JsonValue][] =>
    metadata[key] === undefined ? [] : [[key, textsIn(metadata[key])]],
  );
  return {
    CLUSTER_ID,
    ISTIO_VERSION: envoyVersion === "" ? "unknown" : `envoy ${envoyVersion}`,
    ...Object.fromEntries([...texts, ...maps]),
    PROXY_CONFIG: {},
  };
}

/** Returns the labels that a proxy's node says its pod has. */
export function labelsOf({ metadata }: DebugConnection): Readonly<Record<string, string>> {
  return textsIn(metadata["LABELS"]);
}

function textsIn(value: JsonValue | undefined): Record<string, string> {
  if (typeof value !== "object" || value === null) return {};
  return Object.fromEntries(
    Object.entries(value).filter((entry): entry is [string, string] => typeof entry[1] === "string"),
  );
}

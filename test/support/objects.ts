// Objects of a mesh as YAML documents.
import { type Kind, kindDefinitions } from "../../controlplane/model/kinds.ts";

/** An object of a kind, in its newest API version; `spec` in YAML's flow style, `{…}`. */
export function object(kind: Kind, name: string, spec: string, namespace = "default"): string {
  return `apiVersion: ${kindDefinitions[kind].apiVersions[0]}
kind: ${kind}
metadata: {name: ${name}, namespace: ${namespace}}
spec: ${spec}
`;
}

/** The mesh's settings. `mesh` in YAML, without single quotes. */
export function meshConfig(mesh: string): string {
  return `apiVersion: v1
kind: ConfigMap
metadata: {name: istio, namespace: istio-system}
data: {mesh: '${mesh}'}
`;
}

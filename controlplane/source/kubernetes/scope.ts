// Which of a cluster's objects are of this mesh, as this control plane's revision reads it. Pure.
import { isJsonObject } from "../../model/json-object.ts";
import type { Labels } from "../../model/labels.ts";
import { parsePiece } from "../../model/yaml.ts";
import type { ClusterObject } from "./decode-object.ts";
import { isSelected, type LabelSelector } from "./label-selector.ts";

export interface Scope {
  /** The control plane's own: of its mesh whatever selectors say, since the mesh's settings and policies are there. */
  readonly namespace: string;
  /** "default" for the one without a name. */
  readonly revision: string;
  /** Of MeshConfig: where policies for all of the mesh are; undefined: it does not say. */
  readonly rootNamespace?: string | undefined;
  /** Of MeshConfig: namespaces that one of them selects are of the mesh; all, where there are none. */
  readonly discoverySelectors: readonly LabelSelector[];
}

const REVISION = "istio.io/rev";
/** Kinds of which each control plane has its own; who runs what is the same for all. */
const CONFIGURATION = /\.(?:istio\.io|scrim\.mesh)\//;

/** Returns whether a namespace with these labels is of the mesh. */
export function isNamespaceInScope(
  { namespace, rootNamespace, discoverySelectors }: Scope,
  name: string,
  labels: Labels,
): boolean {
  return (
    name === namespace ||
    name === rootNamespace ||
    discoverySelectors.length === 0 ||
    discoverySelectors.some((selector) => isSelected(selector, { "kubernetes.io/metadata.name": name, ...labels }))
  );
}

/** Returns whether an object is for this revision: those that name none are for every one. */
export function isForRevision({ revision }: Scope, { value, labels }: ClusterObject): boolean {
  const named = labels[REVISION];
  return named === undefined || named === revision || !CONFIGURATION.test(String(value["apiVersion"]));
}

/** Returns the name of the ConfigMap with the mesh's settings for a revision, as Istio's. */
export function meshConfigName(revision: string): string {
  return revision === "default" ? "istio" : `istio-${revision}`;
}

/** Returns what the mesh's settings say of namespaces; what is wrong there is said when they are validated. */
export function namespacesOfMesh(
  configMap: ClusterObject | undefined,
): Pick<Scope, "rootNamespace" | "discoverySelectors"> {
  const { data } = configMap?.value ?? {};
  const text = isJsonObject(data) ? data["mesh"] : undefined;
  const parsed = typeof text === "string" ? parsePiece(text) : undefined;
  const mesh = parsed?.kind === "document" && isJsonObject(parsed.value) ? parsed.value : {};
  const { rootNamespace, discoverySelectors } = mesh;
  return {
    rootNamespace: typeof rootNamespace === "string" ? rootNamespace : undefined,
    discoverySelectors: Array.isArray(discoverySelectors)
      ? (discoverySelectors.filter(isJsonObject) as readonly LabelSelector[])
      : [],
  };
}

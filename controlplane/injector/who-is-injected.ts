// Consumes: a pod (or the template that it is made from), its namespace's labels, and who asks.
// Produces: whether it gets a proxy of a revision, or the reason why not.
// Never does: look at what the pod runs.
import type { Labels } from "../model/labels.ts";

/** What is said of a pod. */
export interface Candidate {
  readonly namespace: string;
  readonly labels: Labels;
  readonly annotations: Labels;
  readonly hostNetwork: boolean;
}

/** `reason`: a clause, as in `not injected: it uses the host's network`. */
export type Choice = { readonly kind: "injected" } | { readonly kind: "left"; readonly reason: string };

/** Whom a control plane's revision serves: those that name it, or one of the tags that mean it. */
export interface RevisionNames {
  /** "" for the one without a name, which is the default one. */
  readonly revision: string;
  readonly tags: readonly string[];
  /** Namespaces without a label are injected, too. */
  readonly enableNamespacesByDefault: boolean;
}

/** What people write for the revision without a name. */
export const DEFAULT_REVISION = "default";

/** Kubernetes' own: without their pods a cluster does not come up. */
export const SYSTEM_NAMESPACES: readonly string[] = [
  ...["kube-system", "kube-public", "kube-node-lease", "local-path-storage"],
];

/** The label, and annotation, by which a pod says whether it is injected. */
export const INJECT = "sidecar.istio.io/inject";
const REVISION = "istio.io/rev";
const INJECTION = "istio-injection";

/**
 * Returns whether a pod that somebody asks us to inject (the webhook's selectors, or a person) is: what it says itself
 * decides, its label before its annotation.
 */
export function whetherInjected({ namespace, labels, annotations, hostNetwork }: Candidate): Choice {
  if (hostNetwork) return left("it uses the host's network, where nothing may be captured");
  if (SYSTEM_NAMESPACES.includes(namespace)) return left(`${namespace} is Kubernetes' own`);
  if ((labels[INJECT] ?? annotations[INJECT]) === "false")
    return left(`its ${labels[INJECT] === undefined ? "annotation" : "label"} ${INJECT} is "false"`);
  return { kind: "injected" };
}

/**
 * Returns whether a revision injects a pod of a namespace with these labels. The namespace's `istio-injection` goes
 * before its `istio.io/rev`, and each before what the pod says; a pod alone may ask where its namespace says nothing.
 */
export function whetherSelected(candidate: Candidate, namespaceLabels: Labels, names: RevisionNames): Choice {
  const own = whetherInjected(candidate);
  if (own.kind === "left") return own;
  const { labels } = candidate;
  const isOurs = (revision: string) =>
    names.tags.includes(revision) || revision === (names.revision || DEFAULT_REVISION);
  const forUs = (who: string, revision: string): Choice =>
    isOurs(revision) ? { kind: "injected" } : left(`${who} asks for revision ${revision}`);
  const injection = namespaceLabels[INJECTION];
  if (injection === "enabled") return forUs("its namespace", DEFAULT_REVISION);
  if (injection !== undefined) return left(`its namespace says ${INJECTION}: ${injection}`);
  const ofNamespace = namespaceLabels[REVISION];
  if (ofNamespace !== undefined) return forUs("its namespace", ofNamespace);
  const ofPod = labels[REVISION];
  if (ofPod !== undefined) return forUs("it", ofPod);
  if (labels[INJECT] === "true" || (names.enableNamespacesByDefault && labels[INJECT] === undefined))
    return forUs("it", DEFAULT_REVISION);
  return left(`neither its namespace nor it asks for a proxy`);
}

function left(reason: string): Choice {
  return { kind: "left", reason };
}

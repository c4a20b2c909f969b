// Where objects of an installation are at an API server.
import { ScrimError } from "../../model/failure.ts";
import { resourcePath } from "../../kubernetes/resource-path.ts";
import type { KubernetesObject } from "../description/render.ts";

/** A kind that an installation has objects of. */
export interface ResourceKind {
  readonly apiVersion: string;
  readonly kind: string;
  readonly plural: string;
  readonly namespaced: boolean;
}

const kind = (apiVersion: string, name: string, plural: string, namespaced = true): ResourceKind => ({
  apiVersion,
  kind: name,
  plural,
  namespaced,
});
const RBAC = "rbac.authorization.k8s.io/v1";
const ADMISSION = "admissionregistration.k8s.io/v1";

/** Every such kind but for definitions and namespaces, in the order in which they may go. */
export const resourceKinds: readonly ResourceKind[] = [
  kind(ADMISSION, "MutatingWebhookConfiguration", "mutatingwebhookconfigurations", false),
  kind(ADMISSION, "ValidatingWebhookConfiguration", "validatingwebhookconfigurations", false),
  kind("autoscaling/v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers"),
  kind("apps/v1", "Deployment", "deployments"),
  kind("v1", "Service", "services"),
  kind("discovery.k8s.io/v1", "EndpointSlice", "endpointslices"),
  kind("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets"),
  kind("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies"),
  kind("v1", "ConfigMap", "configmaps"),
  kind(RBAC, "ClusterRoleBinding", "clusterrolebindings", false),
  kind(RBAC, "ClusterRole", "clusterroles", false),
  kind(RBAC, "RoleBinding", "rolebindings"),
  kind(RBAC, "Role", "roles"),
  kind("v1", "ServiceAccount", "serviceaccounts"),
];

export const definitionKind = kind(
  "apiextensions.k8s.io/v1",
  "CustomResourceDefinition",
  "customresourcedefinitions",
  false,
);
export const namespaceKind = kind("v1", "Namespace", "namespaces", false);

const byName = new Map(
  [...resourceKinds, definitionKind, namespaceKind].map((each) => [`${each.apiVersion} ${each.kind}`, each]),
);

/** Returns the path of an object. */
export function pathOf({ apiVersion, kind: name, metadata }: KubernetesObject): string {
  const found = byName.get(`${apiVersion} ${name}`);
  if (found === undefined) throw new ScrimError("failed", `${apiVersion} ${name} is no kind of an installation`);
  return pathOfKind(found, metadata.namespace, metadata.name);
}

/** Returns the path of one object of a kind, or of all. */
export function pathOfKind(
  { apiVersion, plural, namespaced }: ResourceKind,
  namespace?: string,
  name?: string,
): string {
  const [version = "", group = ""] = apiVersion.split("/").reverse();
  return resourcePath({
    ...{ group, version, plural },
    ...(namespaced && namespace !== undefined && { namespace }),
    ...(name !== undefined && { name }),
  });
}

/** Returns an object's name for people: `Deployment istio-system/istiod`. */
export function nameOf({ kind: name, metadata }: KubernetesObject): string {
  return `${name} ${metadata.namespace === undefined ? "" : `${metadata.namespace}/`}${metadata.name}`;
}

// What several objects of an installation say alike.
import type { Description } from "../description/description.ts";

/** The name of what there is once for each revision, as in `istiod-canary`. */
export const ISTIOD = "istiod{-revision}";
/** What the names of a revision's objects end in. */
export const DASH_REVISION = "{-revision}";
/** Of what is not in a namespace: two control planes of two namespaces have two. */
export const CLUSTER_WIDE = "{-revision}-{namespace}";

/** Labels of every object, by which it is found again. */
export const ownerLabels: Readonly<Record<string, Description>> = {
  app: "istiod",
  "istio.io/rev": "{revision|default}",
  "app.kubernetes.io/name": "istiod",
  "app.kubernetes.io/part-of": "scrim",
};

/** What distinguishes the pods of a revision. */
export const podSelector: Readonly<Record<string, Description>> = {
  app: "istiod",
  "istio.io/rev": "{revision|default}",
};

/** Metadata of an object in the control plane's namespace. */
export function inNamespace(name: string): Readonly<Record<string, Description>> {
  return { name, namespace: "{namespace}", labels: ownerLabels };
}

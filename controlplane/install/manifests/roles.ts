// What the control plane may do, and nothing else: a role for each need, so that one can be taken away and seen to be.
import type { Description } from "../description/description.ts";
import { CLUSTER_WIDE, DASH_REVISION, inNamespace, ISTIOD, ownerLabels } from "./names.ts";

interface Rule {
  readonly groups: readonly string[];
  readonly resources: readonly string[];
  readonly names?: readonly string[];
  readonly verbs: readonly string[];
}

const READ = ["get", "list", "watch"];
const MESH_GROUPS = [
  "config.istio.io",
  "extensions.istio.io",
  "networking.istio.io",
  "policy.scrim.mesh",
  "security.istio.io",
  "telemetry.istio.io",
];

/** Needs that span all namespaces. */
const clusterRoles: Readonly<Record<string, readonly Rule[]>> = {
  "istiod-read-mesh": [
    {
      groups: [""],
      resources: ["namespaces", "services", "pods", "nodes", "serviceaccounts", "configmaps"],
      verbs: READ,
    },
    { groups: ["discovery.k8s.io"], resources: ["endpointslices"], verbs: READ },
    { groups: MESH_GROUPS, resources: ["*"], verbs: READ },
    { groups: ["networking.k8s.io"], resources: ["ingresses", "ingressclasses"], verbs: READ },
    { groups: ["gateway.networking.k8s.io"], resources: ["*"], verbs: READ },
    { groups: ["apiextensions.k8s.io"], resources: ["customresourcedefinitions"], verbs: READ },
  ],
  "istiod-write-status": [
    { groups: MESH_GROUPS, resources: ["*/status"], verbs: ["patch", "update"] },
    { groups: ["", "events.k8s.io"], resources: ["events"], verbs: ["create", "patch"] },
  ],
  "istiod-authenticate": [
    { groups: ["authentication.k8s.io"], resources: ["tokenreviews"], verbs: ["create"] },
    { groups: ["authorization.k8s.io"], resources: ["subjectaccessreviews"], verbs: ["create"] },
  ],
  "istiod-webhooks": [
    {
      groups: ["admissionregistration.k8s.io"],
      resources: ["mutatingwebhookconfigurations", "validatingwebhookconfigurations"],
      verbs: [...READ, "patch", "update"],
    },
  ],
  "istiod-roots": [
    { groups: [""], resources: ["configmaps"], verbs: ["create"] },
    { groups: [""], resources: ["configmaps"], names: ["istio-ca-root-cert"], verbs: ["get", "patch", "update"] },
  ],
};

/** Needs in the control plane's own namespace. `create` cannot be told by names. */
const roles: Readonly<Record<string, readonly Rule[]>> = {
  "istiod-authority": [
    {
      groups: [""],
      resources: ["secrets"],
      names: ["cacerts", "istio-ca-secret"],
      verbs: [...READ, "patch", "update"],
    },
    { groups: [""], resources: ["secrets"], verbs: ["create"] },
  ],
  "istiod-leader": [
    { groups: ["coordination.k8s.io"], resources: ["leases"], verbs: ["get", "create", "patch", "update"] },
  ],
};

const described = (rules: readonly Rule[]): readonly Description[] =>
  rules.map(({ groups, resources, names, verbs }) => ({
    apiGroups: groups,
    resources,
    ...(names && { resourceNames: names }),
    verbs,
  }));

const account: Description = { kind: "ServiceAccount", name: ISTIOD, namespace: "{namespace}" };
const API = "rbac.authorization.k8s.io";

function clusterRole(need: string, rules: readonly Rule[]): readonly Description[] {
  const metadata: Description = { name: `${need}${CLUSTER_WIDE}`, labels: ownerLabels };
  const roleRef: Description = { apiGroup: API, kind: "ClusterRole", name: `${need}${CLUSTER_WIDE}` };
  return [
    { apiVersion: `${API}/v1`, kind: "ClusterRole", metadata, rules: described(rules) },
    { apiVersion: `${API}/v1`, kind: "ClusterRoleBinding", metadata, roleRef, subjects: [account] },
  ];
}

function role(need: string, rules: readonly Rule[]): readonly Description[] {
  const metadata = inNamespace(`${need}${DASH_REVISION}`);
  const roleRef: Description = { apiGroup: API, kind: "Role", name: `${need}${DASH_REVISION}` };
  return [
    { apiVersion: `${API}/v1`, kind: "Role", metadata, rules: described(rules) },
    { apiVersion: `${API}/v1`, kind: "RoleBinding", metadata, roleRef, subjects: [account] },
  ];
}

/** The control plane's ServiceAccount and what it may do. Secrets beside gateways it reads by the gateways' roles. */
export const accessRights: readonly Description[] = [
  { apiVersion: "v1", kind: "ServiceAccount", metadata: inNamespace(ISTIOD) },
  ...Object.entries(clusterRoles).flatMap(([need, rules]) => clusterRole(need, rules)),
  ...Object.entries(roles).flatMap(([need, rules]) => role(need, rules)),
];

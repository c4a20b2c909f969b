// Kinds people have in the same directories and that the mesh has no meaning for, or none yet.

/** Kinds of Istio that Scrim does not implement yet. */
export const istioKindsNotYet: ReadonlySet<string> = new Set([
  "EnvoyFilter",
  "RequestAuthentication",
  "TrafficExtension",
]);

/** Kinds of Kubernetes, and of what usually stands beside it, that do not concern the mesh. */
export const unrelatedKinds: ReadonlySet<string> = new Set([
  "APIService",
  "Certificate",
  "CertificateSigningRequest",
  "ClusterIssuer",
  "ClusterRole",
  "ClusterRoleBinding",
  "ControllerRevision",
  "CSIDriver",
  "CustomResourceDefinition",
  "Endpoints",
  "Event",
  "HorizontalPodAutoscaler",
  "IngressClass",
  "IstioOperator",
  "Issuer",
  "Kustomization",
  "Lease",
  "LimitRange",
  "MutatingWebhookConfiguration",
  "NetworkPolicy",
  "Node",
  "PersistentVolume",
  "PersistentVolumeClaim",
  "PodDisruptionBudget",
  "PodMonitor",
  "PriorityClass",
  "PrometheusRule",
  "ReplicationController",
  "ResourceQuota",
  "Role",
  "RoleBinding",
  "RuntimeClass",
  "ServiceMonitor",
  "StorageClass",
  "ValidatingAdmissionPolicy",
  "ValidatingWebhookConfiguration",
  "VerticalPodAutoscaler",
  "VolumeAttachment",
]);

/** Kinds of Kubernetes that people run workloads with or reach them by, and what to write instead. */
export const replacedKinds: ReadonlyMap<string, string> = new Map([
  ...["CronJob", "ReplicaSet"].map(
    (kind) => [kind, "of workloads only Deployments, StatefulSets, DaemonSets, Jobs and Pods are known"] as const,
  ),
  ["Ingress", "write a Gateway and a VirtualService"],
]);

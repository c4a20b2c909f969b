// Kinds people have in the same directories and that the mesh has no meaning for, or none yet.

/** Kinds of Istio that Scrim does not implement yet. */
export const istioKindsNotYet: ReadonlySet<string> = new Set([
  "WorkloadEntry", "WorkloadGroup", "ProxyConfig", "EnvoyFilter", "RequestAuthentication", "TrafficExtension",
]);

/** Kinds of Kubernetes, and of what usually stands beside it, that do not concern the mesh. */
export const unrelatedKinds: ReadonlySet<string> = new Set([
  "APIService", "Certificate", "CertificateSigningRequest", "ClusterIssuer", "ClusterRole", "ClusterRoleBinding", "ControllerRevision", "CronJob", "CSIDriver",
  "CustomResourceDefinition", "DaemonSet", "Endpoints", "Event", "HorizontalPodAutoscaler", "Ingress", "IngressClass", "IstioOperator", "Issuer", "Job", "Kustomization",
  "Lease", "LimitRange", "MutatingWebhookConfiguration", "NetworkPolicy", "Node", "PersistentVolume", "PersistentVolumeClaim", "PodDisruptionBudget",
  "PodMonitor", "PriorityClass", "PrometheusRule", "ReplicaSet", "ReplicationController", "ResourceQuota", "Role", "RoleBinding", "RuntimeClass", "ServiceMonitor",
  "StatefulSet", "StorageClass", "ValidatingAdmissionPolicy", "ValidatingWebhookConfiguration", "VerticalPodAutoscaler", "VolumeAttachment",
]);

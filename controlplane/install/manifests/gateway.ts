// A gateway: pods that hold nothing but a proxy, which injection puts into them, and the Service they are reached by.
import { type Description, each, eachEntry, SPREAD, unless, when } from "../description/description.ts";
import { buildAutoscaler } from "./autoscaler.ts";

const selector: Readonly<Record<string, Description>> = { app: "{name}", istio: "{istioLabel}" };
const labels: Readonly<Record<string, Description>> = {
  ...selector,
  "app.kubernetes.io/name": "{name}",
  "app.kubernetes.io/part-of": "scrim",
  "istio.io/rev": when("revision", "{revision}"),
};
const metadata: Readonly<Record<string, Description>> = { name: "{name}", namespace: "{namespace}", labels };

/** As istioctl names it: policies name a gateway by it. */
const SERVICE_ACCOUNT = "{name}-service-account";
const serviceAccount: Description = {
  apiVersion: "v1",
  kind: "ServiceAccount",
  metadata: { ...metadata, name: SERVICE_ACCOUNT },
};

const proxy: Description = {
  name: "istio-proxy",
  // Injection says which.
  image: "auto",
  imagePullPolicy: "{imagePullPolicy}",
  ports: [{ name: "http-envoy-prom", containerPort: 15_090, protocol: "TCP" }],
  env: when("env", [eachEntry("env", "variable", "value", { name: "{variable}", value: "{value}" })]),
  resources: "{resources}",
  securityContext: {
    allowPrivilegeEscalation: false,
    readOnlyRootFilesystem: true,
    runAsNonRoot: true,
    runAsUser: 1337,
    runAsGroup: 1337,
    capabilities: { drop: ["ALL"] },
  },
};

const deployment: Description = {
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata,
  spec: {
    replicas: unless("autoscaling.enabled", "{replicaCount}"),
    selector: { matchLabels: selector },
    // A gateway that goes is replaced before.
    strategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: "100%", maxUnavailable: 0 } },
    template: {
      metadata: {
        labels: { ...labels, "sidecar.istio.io/inject": "true", [SPREAD]: "{podLabels}" },
        annotations: {
          "inject.istio.io/templates": "gateway",
          "prometheus.io/path": "/stats/prometheus",
          "prometheus.io/port": "15090",
          "prometheus.io/scrape": "true",
          [SPREAD]: "{podAnnotations}",
        },
      },
      spec: {
        serviceAccountName: SERVICE_ACCOUNT,
        terminationGracePeriodSeconds: "{terminationGracePeriodSeconds}",
        imagePullSecrets: when("imagePullSecrets", [each("imagePullSecrets", "secret", { name: "{secret}" })]),
        nodeSelector: when("nodeSelector", "{nodeSelector}"),
        tolerations: when("tolerations", "{tolerations}"),
        affinity: when("affinity", "{affinity}"),
        securityContext: {
          // Ports below 1024, without a privilege.
          sysctls: [{ name: "net.ipv4.ip_unprivileged_port_start", value: "0" }],
          seccompProfile: { type: "RuntimeDefault" },
        },
        containers: [proxy],
      },
    },
  },
};

const service: Description = {
  apiVersion: "v1",
  kind: "Service",
  metadata: { ...metadata, annotations: when("service.annotations", "{service.annotations}") },
  spec: {
    type: "{service.type}",
    selector,
    ports: "{service.ports}",
    loadBalancerIP: when("service.loadBalancerIP", "{service.loadBalancerIP}"),
    loadBalancerSourceRanges: when("service.loadBalancerSourceRanges", "{service.loadBalancerSourceRanges}"),
    externalTrafficPolicy: when("service.externalTrafficPolicy", "{service.externalTrafficPolicy}"),
  },
};

const autoscaler = buildAutoscaler("{name}", metadata, {
  least: "{autoscaling.minReplicas}",
  most: "{autoscaling.maxReplicas}",
  cpuPercent: "{autoscaling.targetCPUUtilizationPercentage}",
});

const disruptionBudget: Description = {
  apiVersion: "policy/v1",
  kind: "PodDisruptionBudget",
  metadata,
  spec: {
    maxUnavailable: "{podDisruptionBudget.maxUnavailable}",
    selector: { matchLabels: selector },
  },
};

/** Certificates stand in Secrets beside the gateway: its control plane may read those, and no others. */
const API = "rbac.authorization.k8s.io";
const secretsMetadata: Description = { ...metadata, name: "{name}-secrets" };
const secrets: readonly Description[] = [
  {
    apiVersion: `${API}/v1`,
    kind: "Role",
    metadata: secretsMetadata,
    rules: [{ apiGroups: [""], resources: ["secrets"], verbs: ["get", "list", "watch"] }],
  },
  {
    apiVersion: `${API}/v1`,
    kind: "RoleBinding",
    metadata: secretsMetadata,
    roleRef: { apiGroup: API, kind: "Role", name: "{name}-secrets" },
    subjects: [{ kind: "ServiceAccount", name: "istiod{-revision}", namespace: "{istioNamespace}" }],
  },
];

/** All objects of one gateway. */
export const gateway: readonly Description[] = [
  serviceAccount,
  ...secrets,
  deployment,
  service,
  disruptionBudget,
  when("autoscaling.enabled", autoscaler),
];

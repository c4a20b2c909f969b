// The Deployment istiod, its Service, and what keeps it running.
import { type Description, each, eachEntry, SPREAD, unless, when } from "../description/description.ts";
import { buildAutoscaler } from "./autoscaler.ts";
import { inNamespace, ISTIOD, ownerLabels, podSelector } from "./names.ts";

const STATE = "/var/lib/scrim";
const CACHE = "/var/cache/scrim";

const restricted: Description = {
  allowPrivilegeEscalation: false,
  readOnlyRootFilesystem: true,
  runAsNonRoot: true,
  capabilities: { drop: ["ALL"] },
};

const ofField = (name: string, fieldPath: string): Description => ({ name, valueFrom: { fieldRef: { fieldPath } } });

const environment: readonly Description[] = [
  ofField("POD_NAME", "metadata.name"),
  ofField("POD_NAMESPACE", "metadata.namespace"),
  ofField("SERVICE_ACCOUNT", "spec.serviceAccountName"),
  ofField("NODE_NAME", "spec.nodeName"),
  { name: "SCRIM_CACHE_DIR", value: CACHE },
  { name: "SCRIM_LOG_LEVEL", value: "{pilot.logLevel}" },
  eachEntry("pilot.env", "variable", "value", { name: "{variable}", value: "{value}" }),
];

const discovery: Description = {
  name: "discovery",
  image: "{global.hub}/controlplane:{global.tag}",
  imagePullPolicy: "{global.imagePullPolicy}",
  args: [
    "serve",
    "--kubernetes",
    "--namespace={namespace}",
    "--revision={revision}",
    "--xds-address=0.0.0.0:15012",
    "--admin-address=0.0.0.0:15014",
    `--state-dir=${STATE}`,
    each("pilot.extraArgs", "argument", "{argument}"),
  ],
  ports: [
    { name: "https-dns", containerPort: 15_012, protocol: "TCP" },
    { name: "http-monitoring", containerPort: 15_014, protocol: "TCP" },
    { name: "https-webhooks", containerPort: 15_017, protocol: "TCP" },
  ],
  readinessProbe: { httpGet: { path: "/ready", port: 15_014 }, periodSeconds: 3, timeoutSeconds: 5 },
  startupProbe: { httpGet: { path: "/ready", port: 15_014 }, periodSeconds: 1, failureThreshold: 300 },
  env: environment,
  resources: "{pilot.resources}",
  securityContext: restricted,
  volumeMounts: [
    { name: "state", mountPath: STATE },
    { name: "cache", mountPath: CACHE },
    { name: "tmp", mountPath: "/tmp" },
  ],
};

/** Two of a revision stand on two nodes and in two zones where there are such. */
const spread: Description = ["topology.kubernetes.io/zone", "kubernetes.io/hostname"].map((topologyKey) => ({
  maxSkew: 1,
  topologyKey,
  whenUnsatisfiable: "ScheduleAnyway",
  labelSelector: { matchLabels: podSelector },
}));

const deployment: Description = {
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { ...inNamespace(ISTIOD), labels: { ...ownerLabels, istio: "pilot" } },
  spec: {
    replicas: unless("pilot.autoscaleEnabled", "{pilot.replicaCount}"),
    selector: { matchLabels: podSelector },
    strategy: {
      type: "RollingUpdate",
      rollingUpdate: { maxSurge: "{pilot.maxSurge}", maxUnavailable: "{pilot.maxUnavailable}" },
    },
    template: {
      metadata: {
        labels: {
          ...ownerLabels,
          istio: "pilot",
          // Not one of its own proxies' pods.
          "sidecar.istio.io/inject": "false",
          [SPREAD]: "{pilot.podLabels}",
        },
        annotations: {
          "prometheus.io/port": "15014",
          "prometheus.io/scrape": "true",
          [SPREAD]: "{pilot.podAnnotations}",
        },
      },
      spec: {
        serviceAccountName: ISTIOD,
        priorityClassName: when("global.priorityClassName", "{global.priorityClassName}"),
        imagePullSecrets: when("global.imagePullSecrets", [
          each("global.imagePullSecrets", "secret", { name: "{secret}" }),
        ]),
        nodeSelector: when("pilot.nodeSelector", "{pilot.nodeSelector}"),
        tolerations: when("pilot.tolerations", "{pilot.tolerations}"),
        affinity: when("pilot.affinity", "{pilot.affinity}"),
        topologySpreadConstraints: spread,
        securityContext: {
          runAsUser: 1337,
          runAsGroup: 1337,
          fsGroup: 1337,
          runAsNonRoot: true,
          seccompProfile: { type: "RuntimeDefault" },
        },
        containers: [discovery],
        volumes: ["state", "cache", "tmp"].map((name) => ({ name, emptyDir: { sizeLimit: "1Gi" } })),
      },
    },
  },
};

const service: Description = {
  apiVersion: "v1",
  kind: "Service",
  metadata: {
    ...inNamespace(ISTIOD),
    labels: { ...ownerLabels, istio: "pilot" },
    annotations: when("pilot.serviceAnnotations", "{pilot.serviceAnnotations}"),
  },
  spec: {
    selector: unless("global.remotePilotAddress", podSelector),
    ports: [
      { name: "https-dns", port: 15_012, targetPort: 15_012, protocol: "TCP" },
      { name: "http-monitoring", port: 15_014, targetPort: 15_014, protocol: "TCP" },
      { name: "https-webhook", port: 443, targetPort: 15_017, protocol: "TCP" },
    ],
  },
};

/** Where the Service leads that has no pods: to the control plane of another cluster. */
const remoteEndpoints: Description = {
  apiVersion: "discovery.k8s.io/v1",
  kind: "EndpointSlice",
  metadata: {
    ...inNamespace(ISTIOD),
    labels: { ...ownerLabels, "kubernetes.io/service-name": ISTIOD },
  },
  addressType: "IPv4",
  endpoints: [{ addresses: ["{global.remotePilotAddress}"], conditions: { ready: true } }],
  ports: [
    { name: "https-dns", port: 15_012, protocol: "TCP" },
    { name: "http-monitoring", port: 15_014, protocol: "TCP" },
    { name: "https-webhook", port: 15_017, protocol: "TCP" },
  ],
};

/** One at a time may be away: a single one does not keep a node from being drained. */
const disruptionBudget: Description = {
  apiVersion: "policy/v1",
  kind: "PodDisruptionBudget",
  metadata: inNamespace(ISTIOD),
  spec: { maxUnavailable: 1, selector: { matchLabels: podSelector } },
};

const autoscaler = buildAutoscaler(ISTIOD, inNamespace(ISTIOD), {
  least: "{pilot.autoscaleMin}",
  most: "{pilot.autoscaleMax}",
  cpuPercent: "{pilot.cpu.targetAverageUtilization}",
});

/** Everybody in the cluster may ask what is served to everybody; pages that are not are guarded by tokens. */
const networkPolicy: Description = {
  apiVersion: "networking.k8s.io/v1",
  kind: "NetworkPolicy",
  metadata: inNamespace(ISTIOD),
  spec: {
    podSelector: { matchLabels: podSelector },
    policyTypes: ["Ingress"],
    ingress: [{ ports: [15_012, 15_014, 15_017].map((port) => ({ port, protocol: "TCP" })) }],
  },
};

/** The Deployment and what belongs to it; in a cluster without a control plane of its own the Service alone. */
export const controlPlane: readonly Description[] = [
  service,
  when("global.remotePilotAddress", remoteEndpoints),
  unless("global.remotePilotAddress", deployment),
  unless("global.remotePilotAddress", disruptionBudget),
  when({ both: ["pilot.autoscaleEnabled", { not: "global.remotePilotAddress" }] }, autoscaler),
  when({ both: ["networkPolicy.enabled", { not: "global.remotePilotAddress" }] }, networkPolicy),
];

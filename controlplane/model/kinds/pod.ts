// Pod and Deployment: workloads. Of these kinds only what the mesh reads is described.
import {
  anyText,
  integer,
  labelMap,
  listOf,
  mapOf,
  openFields,
  opt,
  port,
  portOrName,
  type SpecFrom,
  text,
} from "../schema.ts";

/**
 * The annotation by which a workload chooses what enforces its policies: `native` or `wasm`, whatever MeshConfig says.
 */
export const ENGINE_ANNOTATION = "scrim.mesh/engine";

/**
 * The pod template's annotation that makes a Deployment run locally; its value is run by a shell in the folder of the
 * YAML file.
 */
export const LOCAL_COMMAND = "scrim.mesh/local-command";

const reference = openFields({ name: opt(text()), key: text() });

const environmentVariable = openFields({
  name: text(),
  value: opt(anyText()),
  valueFrom: opt(
    openFields({
      fieldRef: opt(openFields({ fieldPath: text() })),
      configMapKeyRef: opt(reference),
      secretKeyRef: opt(reference),
    }),
  ),
});

const probe = openFields({
  httpGet: opt(
    openFields({
      path: opt(anyText()),
      port: portOrName(),
      scheme: opt(text()),
      httpHeaders: opt(listOf(openFields({ name: text(), value: anyText() }))),
    }),
  ),
  tcpSocket: opt(openFields({ port: portOrName() })),
  exec: opt(openFields({ command: opt(listOf(anyText())) })),
  grpc: opt(openFields({ port: portOrName() })),
  initialDelaySeconds: opt(integer()),
  periodSeconds: opt(integer()),
  timeoutSeconds: opt(integer()),
  failureThreshold: opt(integer()),
});

const securityContext = openFields({ runAsUser: opt(integer(0)), runAsGroup: opt(integer(0)) });

const container = openFields({
  name: opt(text()),
  ports: opt(listOf(openFields({ name: opt(text()), containerPort: port(), protocol: opt(text()) }))),
  env: opt(listOf(environmentVariable)),
  readinessProbe: opt(probe),
  securityContext: opt(securityContext),
});

const podFields = {
  serviceAccountName: opt(anyText()),
  serviceAccount: opt(anyText()),
  containers: opt(listOf(container)),
};

const podStatus = openFields({
  podIP: opt(anyText()),
  podIPs: opt(listOf(openFields({ ip: opt(anyText()) }))),
  phase: opt(text()),
  conditions: opt(listOf(openFields({ type: text(), status: text() }))),
});

/** The schema of a Pod: its spec's fields and `status` beside them. */
export const podSchema = openFields({ ...podFields, status: opt(podStatus) });

const podTemplate = openFields({
  metadata: opt(openFields({ labels: opt(labelMap()), annotations: opt(mapOf(anyText())) })),
  spec: opt(
    openFields({
      ...podFields,
      terminationGracePeriodSeconds: opt(integer()),
      securityContext: opt(securityContext),
    }),
  ),
});

/** The schema of a Deployment's spec, and of what else runs pods made by a template: a DaemonSet has no replicas. */
export const deploymentSchema = openFields({
  replicas: opt(integer(0, 100_000)),
  selector: opt(openFields({ matchLabels: opt(labelMap()) })),
  template: podTemplate,
});

/** The schema of a Job's spec: its pods run until they have ended well, each once. */
export const jobSchema = openFields({
  completions: opt(integer(0, 100_000)),
  parallelism: opt(integer(0, 100_000)),
  /** How often a pod that ended badly is started again. */
  backoffLimit: opt(integer()),
  template: podTemplate,
});

export type JobSpec = SpecFrom<typeof jobSchema>;
export type PodSpec = SpecFrom<typeof podSchema>;
export type DeploymentSpec = SpecFrom<typeof deploymentSchema>;
export type PodTemplateSpec = NonNullable<DeploymentSpec["template"]["spec"]>;
export type ContainerSpec = SpecFrom<typeof container>;
export type ProbeSpec = SpecFrom<typeof probe>;
export type EnvironmentVariableSpec = SpecFrom<typeof environmentVariable>;

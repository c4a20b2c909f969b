// Consumes: the mesh's accepted objects.
// Produces: the workloads to run as local processes: one for each Deployment, StatefulSet, DaemonSet and Job whose pod
// template has a local command.
// Never does: I/O; the folder of a workload is told by the origin of its Deployment.
import { createHash } from "node:crypto";
import {
  type EnvironmentVariableSpec,
  LOCAL_COMMAND,
  type PodTemplateSpec,
  type ProbeSpec,
} from "../model/kinds/pod.ts";
import { baseFolderOf } from "../model/origin.ts";
import { serviceAccountOf } from "./pod-facts.ts";
import { type ProxySettings, proxySettingsOf } from "./proxy-settings.ts";
import { podCountOf, type TemplatedWorkload, templatedWorkloads } from "./templated-workloads.ts";
import { declaredPorts, type ServedPort, servedPorts } from "./served-ports.ts";
import type { World } from "../world/world.ts";

/** One workload to run: everything its processes depend on. */
export interface WorkloadPlan {
  readonly name: string;
  readonly namespace: string;
  readonly replicas: number;
  readonly labels: Readonly<Record<string, string>>;
  /** The template's: what a workload asks of the mesh, as in `scrim.mesh/engine`. */
  readonly annotations?: Readonly<Record<string, string>> | undefined;
  readonly serviceAccount: string;
  /** A StatefulSet's: a pod keeps its name, so an old one goes before the new one of its name comes. */
  readonly hasStableNames?: boolean;
  /** A Job's: each pod runs until it has ended well, and is started again so often at most. */
  readonly runsOnce?: { readonly retries: number };
  readonly command: string;
  readonly folder: string;
  readonly ports: readonly ServedPort[];
  readonly variables: readonly PlannedVariable[];
  readonly probe: ProbeSpec | undefined;
  readonly graceMs: number;
  /** Whom its programs run as where pods are isolated; undefined: as is usual there. */
  readonly runAs?: RunAs | undefined;
  /** What its Envoys are started with, beside what the mesh says. */
  readonly proxySettings?: ProxySettings | undefined;
  /** Equal hashes mean that running pods need not be replaced. */
  readonly templateHash: string;
}

/** Kubernetes' runAsUser and runAsGroup. */
export interface RunAs {
  readonly uid?: number | undefined;
  readonly gid?: number | undefined;
}

/** A variable of the container: its value, or the field of the pod it takes its value from. */
export type PlannedVariable =
  | { readonly kind: "value"; readonly name: string; readonly value: string }
  | { readonly kind: "field"; readonly name: string; readonly path: string };

/** A Deployment that cannot be run as it stands, and why, in one sentence. */
export interface WorkloadProblem {
  readonly workload: string;
  readonly message: string;
}

const DEFAULT_GRACE_SECONDS = 30;
/** Kubernetes'. */
const DEFAULT_BACKOFF_LIMIT = 6;

/**
 * Returns the workloads to run and the Deployments that cannot be, in the order of the World's list. `scope` "every"
 * plans the Deployments without a local command too (their command is ""), for those who only want to know what would
 * be.
 */
export function planWorkloads(
  world: World,
  scope: "local" | "every" = "local",
): { readonly workloads: readonly WorkloadPlan[]; readonly problems: readonly WorkloadProblem[] } {
  const workloads: WorkloadPlan[] = [];
  const problems: WorkloadProblem[] = [];
  const seen = new Set<string>();
  for (const deployment of templatedWorkloads(world)) {
    const command =
      deployment.spec.template.metadata?.annotations?.[LOCAL_COMMAND] ?? (scope === "every" ? "" : undefined);
    if (command === undefined) continue;
    const key = workloadKey(deployment.metadata);
    const isTaken = seen.has(key);
    seen.add(key);
    const problem = (message: string) => problems.push({ workload: workloadKey(deployment.metadata), message });
    const folder = baseFolderOf(deployment.origin);
    const variables = planVariables(world, deployment);
    if (isTaken) problem(`the ${deployment.kind} has the name of another workload of its namespace`);
    else if (variables.kind === "problem") problem(variables.message);
    else if (folder === undefined) problem("a local command runs in the folder of its YAML file, and this has none");
    else workloads.push(planWorkload(world, deployment, { command, folder, variables: variables.variables }));
  }
  return { workloads, problems };
}

/** Returns `namespace/name`, by which a workload is known. */
export function workloadKey({ namespace, name }: { readonly namespace: string; readonly name: string }): string {
  return `${namespace}/${name}`;
}

function planWorkload(
  world: World,
  deployment: TemplatedWorkload,
  { command, folder, variables }: Pick<WorkloadPlan, "command" | "folder" | "variables">,
): WorkloadPlan {
  const { template } = deployment.spec;
  const containers = template.spec?.containers ?? [];
  const labels = template.metadata?.labels ?? {};
  const declared = declaredPorts(containers);
  const started = {
    name: deployment.metadata.name,
    namespace: deployment.metadata.namespace,
    labels,
    serviceAccount: serviceAccountOf(template.spec),
    command,
    folder,
    ...(deployment.kind === "StatefulSet" && { hasStableNames: true }),
    ...(deployment.kind === "Job" && {
      runsOnce: { retries: deployment.spec.backoffLimit ?? DEFAULT_BACKOFF_LIMIT },
    }),
    // Kubernetes takes declared ports for documentation: without any, those that Services lead to are what the process
    // serves.
    ports: declared.length > 0 ? declared : servedPorts(world, deployment.metadata.namespace, labels),
    variables,
    probe: containers.find((container) => container.readinessProbe !== undefined)?.readinessProbe,
    graceMs: (template.spec?.terminationGracePeriodSeconds ?? DEFAULT_GRACE_SECONDS) * 1_000,
    runAs: runAsOf(template.spec),
    proxySettings: proxySettingsOf(world, {
      namespace: deployment.metadata.namespace,
      labels,
      annotations: template.metadata?.annotations,
    }),
  };
  const templateHash = createHash("sha256")
    .update(JSON.stringify([started, template.metadata?.annotations]))
    .digest("hex")
    .slice(0, 10);
  return {
    ...started,
    annotations: template.metadata?.annotations ?? {},
    replicas: podCountOf(deployment),
    templateHash,
  };
}

/** The first container's own word counts before the pod's. */
function runAsOf(spec: PodTemplateSpec | undefined): RunAs | undefined {
  const contexts = [spec?.containers?.[0]?.securityContext, spec?.securityContext];
  const uid = contexts.find((context) => context?.runAsUser !== undefined)?.runAsUser;
  const gid = contexts.find((context) => context?.runAsGroup !== undefined)?.runAsGroup;
  return uid === undefined && gid === undefined ? undefined : { uid, gid };
}

type Variables =
  | { readonly kind: "variables"; readonly variables: readonly PlannedVariable[] }
  | { readonly kind: "problem"; readonly message: string };

function planVariables(world: World, deployment: TemplatedWorkload): Variables {
  const variables: PlannedVariable[] = [];
  for (const container of deployment.spec.template.spec?.containers ?? []) {
    for (const variable of container.env ?? []) {
      const planned = planVariable(world, deployment.metadata.namespace, variable);
      if (planned === undefined)
        return {
          kind: "problem",
          message: `the environment variable ${variable.name} refers to a ConfigMap or Secret key that does not exist`,
        };
      variables.push(planned);
    }
  }
  return { kind: "variables", variables };
}

function planVariable(
  world: World,
  namespace: string,
  { name, value, valueFrom }: EnvironmentVariableSpec,
): PlannedVariable | undefined {
  if (valueFrom?.fieldRef !== undefined) return { kind: "field", name, path: valueFrom.fieldRef.fieldPath };
  const [configMap, secret] = [valueFrom?.configMapKeyRef, valueFrom?.secretKeyRef];
  if (configMap === undefined && secret === undefined) return { kind: "value", name, value: value ?? "" };
  const found =
    configMap !== undefined
      ? world.get("ConfigMap", namespace, configMap.name ?? "")?.spec.data?.[configMap.key]
      : readSecret(world, namespace, secret?.name ?? "", secret?.key ?? "");
  return found === undefined ? undefined : { kind: "value", name, value: found };
}

function readSecret(world: World, namespace: string, name: string, key: string): string | undefined {
  const secret = world.get("Secret", namespace, name)?.spec;
  const encoded = secret?.data?.[key];
  return (
    secret?.stringData?.[key] ?? (encoded === undefined ? undefined : Buffer.from(encoded, "base64").toString("utf8"))
  );
}

// Consumes: the runner's own environment, a pod and its container's variables.
// Produces: the environment its process is started with.
// Never does: let a variable of the container decide where the process listens or which proxy it uses.
import { OUTBOUND_PORT } from "../pods/listen-port.ts";
import type { PodRecord } from "./pod-record.ts";
import type { PlannedVariable } from "../pods/workload-plan.ts";

// What the person's shell or npm set for itself must not reach a workload: its only way out is its sidecar.
const NOT_INHERITED = /^(npm_.*|https?_proxy|all_proxy|no_proxy|INIT_CWD)$/i;

/** A pod's programs are reached at its address; nobody else has it. */
const ANY_ADDRESS = "0.0.0.0";

/** Returns the environment of a pod's process. */
export function buildPodEnvironment(
  own: Readonly<Record<string, string>>,
  pod: PodRecord,
  variables: readonly PlannedVariable[],
): Record<string, string> {
  const inherited = Object.fromEntries(Object.entries(own).filter(([name]) => !NOT_INHERITED.test(name)));
  const meshVariables = buildMeshVariables(pod);
  const container: Record<string, string> = {};
  for (const variable of variables) {
    container[variable.name] =
      variable.kind === "field"
        ? fieldOf(pod, variable.path)
        : expand(variable.value, { ...meshVariables, ...container });
  }
  return { ...inherited, ...container, ...meshVariables };
}

function buildMeshVariables(pod: PodRecord): Record<string, string> {
  const variables: Record<string, string> = {
    ...(pod.capture === undefined ? proxyVariables(pod) : { LISTEN_ADDRESS: ANY_ADDRESS }),
    POD_IP: pod.ip,
    POD_NAME: pod.name,
    POD_NAMESPACE: pod.namespace,
    SERVICE_ACCOUNT: pod.serviceAccount,
  };
  for (const [index, port] of pod.ports.entries()) {
    const listen = String(port.application?.port ?? "");
    if (index === 0) variables["PORT"] = listen;
    // Kubernetes asks for no names here: a port without one is told by its number.
    variables[`PORT_${(port.name || String(port.port)).toUpperCase().replace(/[^A-Z0-9]/g, "_")}`] = listen;
  }
  return variables;
}

function proxyVariables({ ip }: PodRecord): Record<string, string> {
  const proxy = `http://${ip}:${OUTBOUND_PORT}`;
  const noProxy = "127.0.0.1,localhost";
  return { HTTP_PROXY: proxy, http_proxy: proxy, NO_PROXY: noProxy, no_proxy: noProxy };
}

/**
 * Expands `$(NAME)` from variables set before, as Kubernetes does; `$$(NAME)` is a literal, an unknown name stays as it
 * is.
 */
function expand(value: string, known: Readonly<Record<string, string>>): string {
  return value.replace(/\$\$\(|\$\(([A-Za-z_][\w.-]*)\)/g, (text, name: string | undefined) => {
    if (name === undefined) return "$(";
    return Object.hasOwn(known, name) ? (known[name] ?? "") : text;
  });
}

/** The downward API's fields; others are empty. */
function fieldOf(pod: PodRecord, path: string): string {
  const label = /^metadata\.labels\['([^']+)'\]$/.exec(path)?.[1];
  if (label !== undefined) return pod.labels[label] ?? "";
  const fields: Readonly<Record<string, string>> = {
    "metadata.name": pod.name,
    "metadata.namespace": pod.namespace,
    "status.podIP": pod.ip,
    "status.hostIP": "127.0.0.1",
    "spec.serviceAccountName": pod.serviceAccount,
    "spec.nodeName": "local",
  };
  return fields[path] ?? "";
}

// Why the pods of a Deployment do not get ready: what the scheduler, the kubelet and whoever refused them say.
import { isJsonObject } from "../../model/json-object.ts";
import type { KubernetesObject } from "../description/render.ts";
import { at, type Cluster, listAt, type LiveObject } from "./cluster.ts";
import { pathOfKind } from "./resource-kinds.ts";

const core = (plural: string) => ({ apiVersion: "v1", kind: "", plural, namespaced: true });
/** Most lines about one Deployment. */
const MOST = 8;
const MOST_EVENTS = 3;

const IMAGE_FAULT = /, container \S+: (?:ErrImage\w+|ImagePullBackOff)/;
const IMAGE_FAULT_AGAIN = /^(?:ErrImage\w+|ImagePullBackOff|Back-off pulling image .*)$/;

/** Resolves to a line for each thing that somebody says is wrong. */
export async function diagnosePods(cluster: Cluster, deployment: KubernetesObject): Promise<readonly string[]> {
  const { namespace = "", name } = deployment.metadata;
  const labels = at(deployment, "spec", "selector", "matchLabels");
  const selector = Object.entries(isJsonObject(labels) ? labels : {}).map(([key, value]) => `${key}=${String(value)}`);
  const pods = await cluster.list(pathOfKind(core("pods"), namespace), selector.join(","));
  const lines = pods.flatMap(faultsOfPod);
  const ofDeployment =
    pods.length > 0 ? [] : listAt(await current(cluster, deployment), "status", "conditions").flatMap(conditionFault);
  const events = await warnings(cluster, namespace, [name, ...pods.map(({ metadata }) => metadata.name)]);
  const news = events.filter(({ message }) => !isTold(message, lines));
  const ofEvents = [...new Set(news.map(({ reason, message }) => `${reason}: ${message}`))].slice(-MOST_EVENTS);
  return [...new Set([...ofDeployment, ...lines, ...ofEvents])].slice(0, MOST);
}

async function current(cluster: Cluster, { metadata }: KubernetesObject): Promise<LiveObject | undefined> {
  return cluster.get(pathOfKind({ ...core("deployments"), apiVersion: "apps/v1" }, metadata.namespace, metadata.name));
}

function conditionFault(condition: unknown): readonly string[] {
  const isFault = at(condition, "type") === "ReplicaFailure" || at(condition, "reason") === "ProgressDeadlineExceeded";
  return isFault ? [String(at(condition, "message"))] : [];
}

function faultsOfPod(pod: LiveObject): readonly string[] {
  const { name } = pod.metadata;
  const unscheduled = listAt(pod, "status", "conditions")
    .filter((condition) => at(condition, "type") === "PodScheduled" && at(condition, "status") === "False")
    .map((condition) => `pod ${name}: no node takes it: ${String(at(condition, "message"))}`);
  const containers = [...listAt(pod, "status", "initContainerStatuses"), ...listAt(pod, "status", "containerStatuses")];
  return [...unscheduled, ...containers.flatMap((status) => faultOfContainer(name, status))];
}

/** The kubelet says by turns that an image cannot be had and that it waits because of that: the cause is the same. */
function causeOf(waiting: unknown): { readonly reason: string; readonly message?: unknown } {
  const reason = String(at(waiting, "reason") ?? "");
  const message = at(waiting, "message");
  const [, cause, why] = /^Back-off pulling image "[^"]*": (\w+): (.*)$/s.exec(String(message)) ?? [];
  if (cause !== undefined) return { reason: cause, message: why };
  return { reason, ...(message !== undefined && { message }) };
}

function faultOfContainer(pod: string, status: unknown): readonly string[] {
  const where = `pod ${pod}, container ${String(at(status, "name"))}`;
  const waiting = at(status, "state", "waiting");
  const ended = at(status, "state", "terminated") ?? at(status, "lastState", "terminated");
  const { reason, message = at(ended, "message") } = causeOf(waiting);
  const code = at(ended, "exitCode");
  if (waiting === undefined && (ended === undefined || code === 0)) return [];
  if (reason === "PodInitializing" || reason === "ContainerCreating") return [];
  const exit = code === undefined ? "" : ` (it ended with code ${String(code)})`;
  return [
    `${where}: ${reason || String(at(ended, "reason"))}${exit}${message === undefined ? "" : `: ${String(message)}`}`,
  ];
}

/** What somebody warned of. */
interface Warning {
  readonly reason: string;
  readonly message: string;
}

async function warnings(cluster: Cluster, namespace: string, names: readonly string[]): Promise<readonly Warning[]> {
  const events = await cluster.list(pathOfKind(core("events"), namespace), "", { fieldSelector: "type=Warning" });
  return events
    .filter((event) => names.some((name) => String(at(event, "involvedObject", "name")).startsWith(name)))
    .map((event) => ({ reason: String(at(event, "reason")), message: String(at(event, "message")) }));
}

/** Of an image the kubelet warns thrice: of what keeps it, by the bare name of the failure, and that it waits. */
function isTold(warning: string, lines: readonly string[]): boolean {
  const cause = warning.replace(/^(?:Error: |Failed to pull image "[^"]*": )/, "");
  return lines.some((line) => line.includes(cause) || (IMAGE_FAULT.test(line) && IMAGE_FAULT_AGAIN.test(cause)));
}

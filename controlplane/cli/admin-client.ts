// Asks a running mesh: its control plane's admin pages, and the admin page of one proxy's Envoy.
import type { Distribution, ProxyStatus } from "../admin/contract.ts";
import type { HttpAnswer } from "../local/http-call.ts";
import type { RolloutStatus } from "../rollout/status.ts";
import type { AdminCall, AskedMesh } from "./asked-mesh/asked-mesh.ts";
import { commandFailure } from "./exit-codes.ts";

/** Returns what GET /debug/proxies says, of all replicas: of a proxy what the one says to which it is connected. */
export async function fetchProxies(mesh: AskedMesh): Promise<readonly ProxyStatus[]> {
  const proxies = (await fetchFromAll<readonly ProxyStatus[]>(mesh, "/debug/proxies")).flat();
  const known = new Map<string, ProxyStatus>();
  for (const proxy of proxies) {
    const name = `${proxy.namespace}/${proxy.name}`;
    if (!known.has(name) || isConnected(proxy)) known.set(name, proxy);
  }
  return [...known.values()];
}

function isConnected({ sync }: ProxyStatus): boolean {
  return Object.values(sync).some((state) => state !== "NOT CONNECTED");
}

/** Returns how far an object (`Kind/namespace/name`) has got, with all replicas' proxies. Throws CommandFailure. */
export async function fetchDistribution(mesh: AskedMesh, object: string): Promise<Distribution> {
  const path = `/debug/distribution?object=${encodeURIComponent(object)}`;
  const [first, ...others] = await fetchFromAll<Distribution>(mesh, path);
  return others.reduce(joinDistributions, first as Distribution);
}

/** Where one has it and another has not yet, it is not published. */
function joinDistributions(a: Distribution, b: Distribution): Distribution {
  return {
    ...(b.problem === undefined ? a : b),
    published: a.published && b.published && a.content === b.content,
    concerned: a.concerned + b.concerned,
    reached: a.reached + b.reached,
    waiting: [...a.waiting, ...b.waiting],
  };
}

/** What GET /debug/rollouts says. */
export interface Rollouts {
  readonly tokenFile: string;
  readonly rollouts: readonly RolloutStatus[];
}

/** Returns the plugins' versions, and where the token for changes is. Throws CommandFailure. */
export async function fetchRollouts(mesh: AskedMesh): Promise<Rollouts> {
  const [first] = await fetchFromAll<Rollouts>(mesh, "/debug/rollouts");
  return first as Rollouts;
}

/** Asks for a change; returns the answer. Throws CommandFailure when there is none. */
export async function postChange(mesh: AskedMesh, path: string, token: string): Promise<HttpAnswer> {
  const call = { path, method: "POST", headers: { authorization: `Bearer ${token}` } };
  const answers = await answersOf(mesh, call);
  return answers.find(({ status }) => status === 200) ?? (answers[0] as HttpAnswer);
}

/** Returns a page of a proxy's Envoy, as text. */
export async function fetchFromEnvoy(mesh: AskedMesh, proxy: ProxyStatus, path: string): Promise<string> {
  const answer = await mesh.envoy(proxy, path);
  const where = `${proxy.name}.${proxy.namespace}`;
  if (answer.status === 0)
    throw commandFailure("unreachable", `The Envoy of ${where} does not answer at ${proxy.envoyAdmin || "its pod"}.`);
  return textOf(`The Envoy of ${where}`, path, answer);
}

async function fetchFromAll<T>(mesh: AskedMesh, path: string): Promise<readonly T[]> {
  const answers = await answersOf(mesh, { path });
  return answers.map((answer) => JSON.parse(textOf("The control plane", path, answer)) as T);
}

/** What answered; a replica that is going is left out while another one is there. */
async function answersOf(mesh: AskedMesh, call: AdminCall): Promise<readonly HttpAnswer[]> {
  const answers = (await mesh.admin(call)).filter(({ status }) => status !== 0);
  if (answers.length > 0) return answers;
  throw commandFailure("unreachable", `${mesh.whenSilent[0]?.toUpperCase()}${mesh.whenSilent.slice(1)}.`);
}

function textOf(who: string, path: string, { status, body }: HttpAnswer): string {
  if (status !== 200)
    throw commandFailure("failed", `${who} answered ${path} with ${status}: ${body.trim().slice(0, 200)}`);
  return body;
}

/**
 * Returns the proxy a person means: a pod (`reviews-v1-0-x2b9f`, with `.default` or `default/` if need be) or a
 * workload (`reviews-v1`, `default/reviews-v1`, `deploy/reviews-v1`), whose first serving pod is taken; of several
 * namespaces the given one's. Throws CommandFailure.
 */
export function findProxy(proxies: readonly ProxyStatus[], wanted: string, inNamespace?: string): ProxyStatus {
  const name = wanted.replace(/^(deploy|deployment|deployments|pod|pods)\//, "");
  const all = proxies.filter((proxy) => namesOf(proxy).includes(name));
  const there = all.filter(({ namespace }) => namespace === inNamespace);
  const matches = there.length > 0 ? there : all;
  const found =
    matches.find((proxy) => proxy.name === name) ?? matches.find((proxy) => !proxy.terminating) ?? matches[0];
  if (found === undefined) {
    const known = proxies.map((proxy) => `${proxy.name}.${proxy.namespace}`).join(", ") || "none";
    throw commandFailure("not-found", `There is no proxy ${wanted}; there are: ${known}.`);
  }
  const namespaces = new Set(matches.map(({ namespace }) => namespace));
  if (namespaces.size > 1)
    throw commandFailure(
      "usage",
      `${wanted} is in several namespaces (${[...namespaces].join(", ")}): write NAMESPACE/${name}.`,
    );
  return found;
}

function namesOf({ name, workload, namespace }: ProxyStatus): string[] {
  return [name, workload]
    .filter((each) => each !== "")
    .flatMap((each) => [each, `${each}.${namespace}`, `${namespace}/${each}`]);
}

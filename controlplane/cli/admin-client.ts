// Asks a running mesh: the control plane's admin address, and the admin page of one proxy's Envoy.
import type { Distribution, ProxyStatus } from "../admin/contract.ts";
import { type HttpAnswer, httpCall } from "../local/http-call.ts";
import type { RolloutStatus } from "../rollout/status.ts";
import { parseAddress } from "../settings/address.ts";
import { commandFailure } from "./exit-codes.ts";

export const DEFAULT_ADMIN_URL = "http://127.0.0.1:15014";
const TIMEOUT_MS = 15_000;

/** Returns what GET /debug/proxies says. Throws CommandFailure. */
export async function fetchProxies(adminUrl: string): Promise<readonly ProxyStatus[]> {
  return JSON.parse(await fetchText(adminUrl, "/debug/proxies", whenMeshIsSilent(adminUrl))) as ProxyStatus[];
}

/** Returns how far an object (`Kind/namespace/name`) has got. Throws CommandFailure. */
export async function fetchDistribution(adminUrl: string, object: string): Promise<Distribution> {
  return JSON.parse(
    await fetchText(adminUrl, `/debug/distribution?object=${encodeURIComponent(object)}`, whenMeshIsSilent(adminUrl)),
  ) as Distribution;
}

/** Returns the plugins' versions, and where the token for changes is. Throws CommandFailure. */
export async function fetchRollouts(
  adminUrl: string,
): Promise<{ readonly tokenFile: string; readonly rollouts: readonly RolloutStatus[] }> {
  return JSON.parse(await fetchText(adminUrl, "/debug/rollouts", whenMeshIsSilent(adminUrl))) as {
    tokenFile: string;
    rollouts: RolloutStatus[];
  };
}

/** Asks for a change; returns the answer. Throws CommandFailure when there is none. */
export async function postChange(adminUrl: string, path: string, token: string): Promise<HttpAnswer> {
  const url = parseUrl(adminUrl);
  const answer = await httpCall({
    host: url.address,
    port: url.port,
    path,
    method: "POST",
    timeoutMs: TIMEOUT_MS,
    headers: { host: `${url.address}:${url.port}`, authorization: `Bearer ${token}` },
  });
  if (answer.status === 0) throw commandFailure("unreachable", `${whenMeshIsSilent(adminUrl)}.`);
  return answer;
}

function whenMeshIsSilent(adminUrl: string): string {
  return (
    `the mesh's admin address ${adminUrl} does not answer: is the mesh running? ` +
    "(`scrim up` prints the address; give it with --admin URL)"
  );
}

/** Returns a page of a proxy's Envoy, as text. */
export async function fetchFromEnvoy(proxy: ProxyStatus, path: string): Promise<string> {
  const name = `${proxy.name}.${proxy.namespace}`;
  if (proxy.envoyAdmin === "")
    throw commandFailure(
      "unreachable",
      `The mesh does not know where the admin page of ${name} is: its Envoy was not started by \`scrim up\`.`,
    );
  const whenSilent = `the Envoy of ${name} does not answer at ${proxy.envoyAdmin}`;
  return fetchText(`http://${proxy.envoyAdmin}`, path, whenSilent);
}

async function fetchText(base: string, path: string, whenSilent: string): Promise<string> {
  const url = parseUrl(base);
  const { status, body } = await httpCall({
    host: url.address,
    port: url.port,
    path,
    timeoutMs: TIMEOUT_MS,
    headers: { host: `${url.address}:${url.port}` },
  });
  if (status === 0) throw commandFailure("unreachable", `${whenSilent[0]?.toUpperCase()}${whenSilent.slice(1)}.`);
  if (status !== 200) throw commandFailure("failed", `${base}${path} answered ${status}: ${body.trim().slice(0, 200)}`);
  return body;
}

function parseUrl(text: string): { address: string; port: number } {
  const authority = text.replace(/^http:\/\//, "").replace(/\/$/, "");
  const address = parseAddress(authority) ?? parseAddress(`${authority}:80`);
  if (address === undefined) throw commandFailure("usage", `${text} is not an address: write http://HOST:PORT.`);
  return address;
}

/**
 * Returns the proxy a person means: a pod (`reviews-v1-0-x2b9f`, with `.default` or `default/` if need be) or a
 * workload (`reviews-v1`, `default/reviews-v1`, `deploy/reviews-v1`), whose first serving pod is taken. Throws
 * CommandFailure.
 */
export function findProxy(proxies: readonly ProxyStatus[], wanted: string): ProxyStatus {
  const name = wanted.replace(/^(deploy|deployment|deployments|pod|pods)\//, "");
  const matches = proxies.filter((proxy) => namesOf(proxy).includes(name));
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

// The spellings by which a client may ask for a host, and whose a spelling is that several hosts have.
import { CLUSTER_DOMAIN } from "../../model/hosts.ts";
import { compareText } from "../../model/object.ts";
import { memoized } from "../../world/memo.ts";
import type { VirtualHost } from "../ir/routes.ts";

const SERVICE_HOST = new RegExp(`^([^.*]+)\\.([^.]+)\\.svc\\.${CLUSTER_DOMAIN.replaceAll(".", "\\.")}$`);
/** HTTP's own port: the one a client means that names none. */
export const DEFAULT_PORT = 80;

/**
 * Returns shorter spellings of a service's host, as a client in `namespace` may use them: `reviews` at home,
 * `reviews.default`, `reviews.default.svc`.
 */
export function shortNames(host: string, namespace: string): readonly string[] {
  const [, service, owner] = SERVICE_HOST.exec(host) ?? [];
  if (service === undefined || owner === undefined) return [];
  return [...(owner === namespace ? [service] : []), `${service}.${owner}`, `${service}.${owner}.svc`];
}

/**
 * Returns a host (or address) as the Host header of requests to one of its ports may have it: with the port, and
 * without it for port 80.
 */
export function withPort(host: string, port: number): readonly string[] {
  const name = host.includes(":") ? `[${host}]` : host;
  return port === DEFAULT_PORT && name !== "*" ? [name, `${name}:${port}`] : [`${name}:${port}`];
}

/**
 * Returns the hosts by name, each domain in one of them only: Envoy refuses a whole table for one domain that stands
 * twice. A full name goes to the host that has it; of shorter spellings and addresses the first host by name gets it.
 */
export function eachDomainOnce(hosts: readonly VirtualHost[]): readonly VirtualHost[] {
  const sorted = [...hosts]
    .sort((a, b) => compareText(a.name, b.name))
    .filter((host, index, all) => host.name !== all[index - 1]?.name);
  const taken = new Map<string, string>();
  const fullNames = (host: VirtualHost) =>
    host.domains.filter((domain) => domain === host.name || domain === withoutPort(host.name));
  for (const host of sorted) for (const domain of fullNames(host)) taken.set(domain, host.name);
  for (const host of sorted) for (const domain of host.domains) if (!taken.has(domain)) taken.set(domain, host.name);
  return sorted.map((host) =>
    host.domains.every((domain) => taken.get(domain) === host.name)
      ? host
      : withDomains(
          host,
          host.domains.filter((domain) => taken.get(domain) === host.name),
        ),
  );
}

function withoutPort(name: string): string {
  return name.slice(0, name.lastIndexOf(":"));
}

/** The same object for the same host and domains. */
function withDomains(host: VirtualHost, domains: readonly string[]): VirtualHost {
  return trimmed(host, domains.join(" "));
}

const trimmed = memoized(
  (host: VirtualHost, domains: string): VirtualHost => ({
    ...host,
    domains: domains === "" ? [] : domains.split(" "),
  }),
);

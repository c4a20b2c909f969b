// The spellings by which a client may ask for a host.
import { CLUSTER_DOMAIN } from "../../model/hosts.ts";

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

import { type ProxyStatus, type SyncType, syncTypes } from "../admin/contract.ts";
import { fetchProxies } from "./admin-client.ts";
import { type OutputFormat, renderTable, renderValue } from "./output.ts";
import type { Terminal } from "./terminal.ts";

// Istio's columns first, in its order.
const COLUMNS: readonly SyncType[] = ["cds", "lds", "eds", "rds", "ecds", "vhds", "sds"];

/** Prints every proxy and how far it is in sync. */
export async function proxyStatus(options: { readonly admin: string; readonly output: OutputFormat }, terminal: Terminal): Promise<void> {
  const proxies = await fetchProxies(options.admin);
  if (options.output !== "table") return terminal.out(renderValue(proxies.map(toEntry), options.output));
  terminal.out(renderProxyTable(proxies));
  terminal.out(renderRejections(proxies));
}

/** Returns the table of `scrim proxy-status`. */
export function renderProxyTable(proxies: readonly ProxyStatus[]): string {
  return renderTable(
    ["NAME", "CLUSTER", ...COLUMNS.map((type) => type.toUpperCase()), "VERSION"],
    proxies.map((proxy) => [`${proxy.name}.${proxy.namespace}`, "Kubernetes", ...COLUMNS.map((type) => proxy.sync[type]), proxy.envoyVersion || "-"]),
  );
}

/** Returns what was rejected, one line each; "" when nothing was. */
export function renderRejections(proxies: readonly ProxyStatus[]): string {
  const lines = proxies.flatMap((proxy) => proxy.rejections.map(({ type, resources, message }) =>
    `${proxy.name}.${proxy.namespace} rejected ${type}${resources.length > 0 ? ` ${resources.join(", ")}` : ""}: ${message}\n`));
  return lines.length === 0 ? "" : `\n${lines.join("")}`;
}

function toEntry(proxy: ProxyStatus): object {
  const { name, kind, workload, namespace, identity, podIp, outbound, envoyAdmin, pid, envoyVersion, ports, sync, rejections } = proxy;
  return { name, kind, workload, namespace, identity, podIp, outbound, envoyAdmin, pid, envoyVersion, ports, sync: Object.fromEntries(syncTypes.map((type) => [type, sync[type]])), rejections };
}

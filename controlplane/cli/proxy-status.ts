import type { Command } from "commander";
import { type ProxyStatus, type Rejection, syncTypes } from "../admin/contract.ts";
import type { ResourceShortName } from "../snapshot/type-urls.ts";
import { fetchProxies } from "./admin-client.ts";
import type { CommandContext } from "./context.ts";
import { openMesh } from "./asked-mesh/asked-mesh.ts";
import { examples, outputOption, type TableOptions, withAskedMesh } from "./options.ts";
import { renderTable, renderValue } from "./output.ts";

/** Adds `scrim proxy-status`. */
export function addProxyStatus(program: Command, context: CommandContext): void {
  const command = program.command("proxy-status").alias("ps").description("every proxy, and how far it is in sync");
  withAskedMesh(command)
    .addOption(outputOption("table", "json", "yaml"))
    .addHelpText(
      "after",
      examples("scrim proxy-status", "scrim ps -o json --admin http://127.0.0.1:15015", "scrim ps --context prod"),
    )
    .action((options: TableOptions) => proxyStatus(options, context));
}

// Istio's columns first, in its order.
const COLUMNS: readonly ResourceShortName[] = ["cds", "lds", "eds", "rds", "ecds", "vhds", "sds"];

/** Prints every proxy and how far it is in sync. */
async function proxyStatus(options: TableOptions, context: CommandContext): Promise<void> {
  const { terminal } = context;
  const mesh = await openMesh(options, context);
  const all = await fetchProxies(mesh);
  const proxies = all.filter(({ namespace }) => mesh.namespace === undefined || namespace === mesh.namespace);
  if (options.output !== "table") return terminal.out(renderValue(proxies.map(toEntry), options.output));
  terminal.out(renderProxyTable(proxies));
  terminal.out(renderRejections(proxies));
}

/** Returns the table of `scrim proxy-status`. */
export function renderProxyTable(proxies: readonly ProxyStatus[]): string {
  return renderTable(
    ["NAME", "CLUSTER", ...COLUMNS.map((type) => type.toUpperCase()), "VERSION"],
    proxies.map((proxy) => [
      `${proxy.name}.${proxy.namespace}`,
      proxy.cluster,
      ...COLUMNS.map((type) => proxy.sync[type]),
      proxy.envoyVersion || "-",
    ]),
  );
}

/** Returns what was rejected, one line each; "" when nothing was. */
export function renderRejections(proxies: readonly ProxyStatus[]): string {
  const lines = proxies.flatMap((proxy) =>
    proxy.rejections.map(({ type, resources, message, blame = "unconfirmed" }) => {
      const what = [type, ...(resources.length > 0 ? [resources.join(", ")] : [])].join(" ");
      return `${proxy.name}.${proxy.namespace} ${verbs[blame]} ${what}: ${inOneLine(message)}${endings[blame]}\n`;
    }),
  );
  return lines.length === 0 ? "" : `\n${lines.join("")}`;
}

const MAX_MESSAGE = 300;

/** Envoy says on a line what is wrong, and then all that was in the message. */
function inOneLine(message: string): string {
  const [line = ""] = message.trim().split("\n");
  return line.length > MAX_MESSAGE ? `${line.slice(0, MAX_MESSAGE - 1)}…` : line;
}

type Blame = NonNullable<Rejection["blame"]>;

/** Of what is kept from all, each proxy is told of as one that goes without. */
const verbs: Readonly<Record<Blame, string>> = {
  examined: "is without",
  content: "is without",
  repeated: "is without",
  proxy: "rejected",
  unconfirmed: "rejected",
};
const endings: Readonly<Record<Blame, string>> = {
  examined: " (one proxy rejected it; whether others would is being found out)",
  content: " (no Envoy loads it; all proxies keep the one before)",
  repeated: " (more than one proxy rejected it; all keep the one before)",
  proxy: " (it loads elsewhere; only this proxy keeps the one before)",
  unconfirmed: "",
};

function toEntry(proxy: ProxyStatus): object {
  const {
    name,
    kind,
    workload,
    namespace,
    cluster,
    identity,
    podIp,
    outbound,
    envoyAdmin,
    pid,
    envoyVersion,
    ports,
    sync,
    rejections,
  } = proxy;
  return {
    name,
    kind,
    workload,
    namespace,
    cluster,
    identity,
    podIp,
    outbound,
    envoyAdmin,
    pid,
    envoyVersion,
    ports,
    sync: Object.fromEntries(syncTypes.map((type) => [type, sync[type]])),
    rejections,
  };
}

// What `scrim up` prints when the mesh is up.
import { templatedWorkloads } from "../pods/templated-workloads.ts";
import { type GatewayServerSpec, isHttpServer, isTlsServer, openedServers } from "../model/kinds/gateway.ts";
import type { ProxyStatus, SyncReport } from "../admin/contract.ts";
import type { LocatedEnvoy } from "../envoy/install.mjs";
import { httpCall } from "../local/http-call.ts";
import { LOCAL_COMMAND } from "../model/kinds/pod.ts";
import { formatSocketAddress } from "../model/socket-address.ts";
import type { RunningMesh } from "../local/runner.ts";
import type { World } from "../world/world.ts";
import { renderTable } from "./output.ts";

/** Returns the addresses, the table of workloads, and who is missing if not all are in sync; and whether that is nobody. */
export async function describeMesh(
  mesh: Pick<RunningMesh, "admin" | "world">,
  envoy: LocatedEnvoy,
  synced: boolean,
): Promise<{ readonly text: string; readonly isUp: boolean }> {
  const { address: host, port } = mesh.admin;
  const adminUrl = `http://${formatSocketAddress(mesh.admin)}`;
  const ask = async (path: string) => (await httpCall({ host, port, path, timeoutMs: 5_000 })).body;
  const proxies = JSON.parse((await ask("/debug/proxies")) || "[]") as readonly ProxyStatus[];
  const report = JSON.parse((await ask("/synced")) || "{}") as Partial<SyncReport>;
  const missing = synced ? [] : (report.waiting ?? []);
  const text = renderMesh({
    adminUrl,
    envoyVersion: envoy.version,
    gateways: gatewayUrls(proxies, mesh.world()),
    proxies,
    missing,
    unenforced: report.unenforced ?? [],
    hints: hintsFor(mesh.world()),
  });
  return { text, isUp: missing.length === 0 };
}

export interface MeshReport {
  readonly adminUrl: string;
  readonly envoyVersion: string;
  readonly gateways: readonly string[];
  readonly proxies: readonly ProxyStatus[];
  readonly missing: SyncReport["waiting"];
  readonly unenforced: SyncReport["unenforced"];
  /** What people may have expected and does not run. */
  readonly hints: readonly string[];
}

/** Returns the text; pure. */
export function renderMesh(report: MeshReport): string {
  const { adminUrl, envoyVersion, gateways, proxies, missing, unenforced, hints } = report;
  const rows = proxies.map((proxy) => [
    proxy.workload || proxy.name,
    proxy.ports.map(({ address }) => address).join(",") || proxy.podIp,
    proxy.identity,
    proxy.envoyVersion || envoyVersion,
    isSynced(proxy) ? "yes" : "no",
  ]);
  const lines = [
    missing.length === 0 ? "the mesh is up" : "the mesh is started, but not everything is in sync",
    ...gateways.map((url) => `gateway  ${url}`),
    `admin    ${adminUrl}`,
    ...hints.map((hint) => `hint     ${hint}`),
  ];
  const waiting = missing.map(({ who, why }) => `  ${who}: ${why}\n`).join("");
  const open = unenforced.map(({ object, why }) => `  ${object}: ${why}\n`).join("");
  const table = renderTable(["WORKLOAD", "ADDRESS", "IDENTITY", "PROXY", "SYNCED"], rows);
  return `\n${lines.join("\n")}\n\n${table}${waiting === "" ? "" : `\nnot in sync:\n${waiting}`}${open === "" ? "" : `\nSECURITY, NOT ENFORCED:\n${open}`}\n`;
}

/** Returns what to say of an empty directory, and of Deployments that are not asked to run here. */
export function hintsFor(world: World): readonly string[] {
  const deployments = templatedWorkloads(world);
  if (deployments.length === 0 && world.list("Service").length === 0 && world.list("Gateway").length === 0)
    return ["there is no workload, Service or Gateway in the directory yet: what is written there is taken up at once"];
  const idle = deployments.filter(({ spec }) => spec.template.metadata?.annotations?.[LOCAL_COMMAND] === undefined);
  if (idle.length === 0) return [];
  const names = idle.slice(0, 5).map(({ metadata }) => `${metadata.namespace}/${metadata.name}`);
  const more = idle.length > names.length ? ` and ${idle.length - names.length} more` : "";
  return [`not run: Deployment ${names.join(", ")}${more}: the pod template's annotation ${LOCAL_COMMAND} says how`];
}

function isSynced({ ready, sync }: ProxyStatus): boolean {
  return (
    ready && Object.values(sync).every((state) => state === "SYNCED" || state === "IGNORED" || state === "NOT SENT")
  );
}

/** Returns a URL for each open gateway port; those of HTTP lead to a path that is known to be answered. */
export function gatewayUrls(proxies: readonly Pick<ProxyStatus, "kind" | "ports">[], world: World): string[] {
  const schemes = new Map<number, Scheme>();
  for (const [, server] of world.list("Gateway").flatMap(({ spec }) => openedServers(spec)))
    if (!schemes.has(server.port.number)) schemes.set(server.port.number, schemeOf(server));
  const path = firstKnownPath(world);
  return proxies
    .filter(({ kind }) => kind === "router")
    .flatMap(({ ports }) =>
      ports.map(({ port, address }) => {
        const scheme = schemes.get(port) ?? "http";
        return `${scheme}://${address}${scheme.startsWith("http") ? path : ""}`;
      }),
    );
}

type Scheme = "http" | "https" | "tcp" | "tls";

function schemeOf(server: GatewayServerSpec): Scheme {
  if (server.port.protocol === "HTTPS") return "https";
  return isHttpServer(server) ? "http" : isTlsServer(server) ? "tls" : "tcp";
}

/** The first path that a VirtualService of a gateway names exactly; "/" when none does. */
function firstKnownPath(world: World): string {
  for (const { spec } of world.list("VirtualService")) {
    if (!(spec.gateways ?? []).some((gateway) => gateway !== "mesh")) continue;
    for (const { match } of spec.http ?? []) {
      const exact = match?.map(({ uri }) => uri?.exact).find((path) => path !== undefined);
      if (exact !== undefined) return exact;
    }
  }
  return "/";
}

// One golden scenario: a folder with a mesh (input.yaml) and a workload (proxy.txt), and what the workload's proxy is
// told.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { stringify } from "yaml";
import { analyzeWorld, withoutFollowOns } from "../../controlplane/analyze/analyze-world.ts";
import { reportOf } from "../../controlplane/admin/violation-report.ts";
import { translateProxy } from "../../controlplane/cli/translate-proxy.ts";
import type { ResourceKind } from "../../controlplane/snapshot/resources.ts";
import type { EmittedResources } from "../../controlplane/translate/emit/resources.ts";
import { loadText } from "../../controlplane/store/load.ts";
import { placeGatewayPorts, placeInbound, placeOutbound } from "../../controlplane/translate/ir/places.ts";
import type { ProxyIr } from "../../controlplane/translate/ir/proxy.ts";
import type { PluginModules } from "../../controlplane/translate/ir/modules.ts";
import { type MessageName, toProto3Json } from "../../protos/codec.ts";

/** A scenario's outputs by file name. */
export type GoldenFiles = ReadonlyMap<string, string>;

type OutputKind = Exclude<ResourceKind, "secrets">;

const OUTPUTS: readonly { readonly file: string; readonly kind: OutputKind; readonly message: MessageName }[] = [
  { file: "listeners.yaml", kind: "listeners", message: "Listener" },
  { file: "routes.yaml", kind: "routes", message: "RouteConfiguration" },
  { file: "virtual-hosts.yaml", kind: "virtualHosts", message: "VirtualHost" },
  { file: "clusters.yaml", kind: "clusters", message: "Cluster" },
  { file: "endpoints.yaml", kind: "endpoints", message: "ClusterLoadAssignment" },
  { file: "filters.yaml", kind: "extensionConfigs", message: "TypedExtensionConfig" },
];

/** Files of a scenario that people write; all others are outputs. */
export const INPUTS: ReadonlySet<string> = new Set(["input.yaml", "proxy.txt", "README.md"]);

/** Module bytes are other tests' matter: every module is four bytes here. */
const modules: PluginModules = {
  builtin: (name) => ({ sha256: `sha256-of-${name}`, bytes: Uint8Array.of(0, 0x61, 0x73, 0x6d) }),
  differsByProxy: () => false,
  plugin: (namespace, name) => ({
    kind: "unavailable",
    reason: `golden scenarios fetch nothing, ${namespace}/${name} neither`,
  }),
};

/** Returns the names of all scenarios: every folder here that has an input.yaml. */
export function scenarioNames(directory: string): readonly string[] {
  return readdirSync(directory, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && readdirSync(join(directory, entry.name)).includes("input.yaml"))
    .map((entry) => entry.name)
    .sort();
}

export interface ScenarioOptions {
  /** The documents in the opposite order: what is said must not depend on it. */
  readonly reversed?: boolean;
}

/** Returns what the scenario's mesh says of itself and what its proxy is told. Throws if the proxy is refused. */
export function translateScenario(directory: string, options: ScenarioOptions = {}) {
  const text = readFileSync(join(directory, "input.yaml"), "utf8");
  const { world, violations } = loadText(options.reversed ? text.split(/^---$/m).reverse().join("\n---\n") : text);
  const workload = readFileSync(join(directory, "proxy.txt"), "utf8").trim();
  const translation = translateProxy(world, workload, modules);
  if (translation.kind === "failed") throw new Error(translation.message);
  const warnings = withoutFollowOns(analyzeWorld(world), violations).map(({ lacks: _lacks, ...warning }) => ({
    ...warning,
    servingLastGood: false,
  }));
  return { violations: [...violations, ...warnings], ...translation };
}

/** Returns the outputs of a scenario, keys in a fixed order, module bytes left out. */
export function renderScenario(directory: string, options: ScenarioOptions = {}): GoldenFiles {
  const { violations, notes, ir, resources } = translateScenario(directory, options);
  const files = new Map<string, string>();
  files.set("violations.yaml", yaml({ violations: violations.map(reportOf), notes }));
  files.set("ir.yaml", yaml(withoutBytes(asOne(ir))));
  for (const { file, kind, message } of OUTPUTS) files.set(file, documents(resources, kind, message));
  return files;
}

/** What the proxy's class needs, each port where this proxy has it. */
function asOne({ shared, own }: ProxyIr): object {
  const outbound = placeOutbound(shared.outbound, own);
  return {
    ...shared,
    ...(outbound && { outbound }),
    inbound: placeInbound(shared.inbound, own),
    gatewayPorts: placeGatewayPorts(shared.gatewayPorts, own),
  };
}

/** Envoy's messages as strict proto3 JSON, one document each. */
function documents(resources: EmittedResources, kind: OutputKind, message: MessageName): string {
  const messages: ReadonlyMap<string, object> = resources[kind];
  return [...messages]
    .map(([name, value]) => `# ${name}\n${yaml(withoutBytes(toProto3Json(message, value as never)))}`)
    .join("---\n");
}

function yaml(value: unknown): string {
  return stringify(value, { sortMapEntries: true, lineWidth: 0, aliasDuplicateObjects: false });
}

function withoutBytes(value: unknown): unknown {
  if (value instanceof Uint8Array) return "(bytes)";
  if (Array.isArray(value)) return value.map(withoutBytes);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, field]) => [key, key === "inlineBytes" ? "(bytes)" : withoutBytes(field)]),
  );
}

// `scrim translate`: what a proxy would be told, from files alone.
import { type Command, Option } from "commander";
import { toProto3Json } from "../../protos/codec.ts";
import type { EmittedResources } from "../translate/emit/resources.ts";
import { loadFiles } from "../store/load.ts";
import type { PluginModules } from "../translate/ir/modules.ts";
import { loadBuiltinModules } from "../wasm/builtin-modules.ts";
import { formatViolation } from "../validate/violation.ts";
import type { CommandContext } from "./context.ts";
import { podFactsOf } from "../pods/pod-facts.ts";
import { didYouMean } from "../validate/suggest.ts";
import type { World } from "../world/world.ts";
import { withOfflinePods } from "./offline-pods.ts";
import { commandFailure } from "./exit-codes.ts";
import { readOfflinePlugins } from "./offline-plugins.ts";
import { collect, examples, outputOption } from "./options.ts";
import { renderValue } from "./output.ts";
import { translateProxy } from "./translate-proxy.ts";

/** Adds `scrim translate`. */
export function addTranslate(program: Command, context: CommandContext): void {
  program
    .command("translate")
    .description("what a workload's proxy would be told, from files alone")
    .requiredOption("-f, --filename <path>", "file or directory; may be repeated", collect, [])
    .requiredOption("--proxy <namespace/workload>", "the workload")
    .addOption(new Option("--type <type>", "only one kind of resource").choices(Object.keys(parts)))
    .addOption(outputOption("yaml", "json"))
    .option("--strict", "refuse deprecated spellings instead of warning")
    .addHelpText(
      "after",
      examples(
        "scrim translate -f deploy/demo/bookinfo --proxy default/productpage-v1",
        "scrim translate -f a.yaml -f b.yaml --proxy default/web --type route -o json",
      ),
    )
    .action((options: TranslateOptions) => translateCommand(options, context));
}

/** What `--type` may name, and the part of EmittedResources with its message. */
const parts = {
  cluster: { field: "clusters", message: "Cluster" },
  listener: { field: "listeners", message: "Listener" },
  route: { field: "routes", message: "RouteConfiguration" },
  vhost: { field: "virtualHosts", message: "VirtualHost" },
  endpoint: { field: "endpoints", message: "ClusterLoadAssignment" },
  ecds: { field: "extensionConfigs", message: "TypedExtensionConfig" },
} as const;

/** How every module begins: `\0asm`. */
const WASM_BASE64 = "AGFzb";

export interface TranslateOptions {
  readonly filename: readonly string[];
  readonly proxy: string;
  readonly type?: string;
  readonly output: "json" | "yaml";
  readonly strict?: boolean;
}

/**
 * Prints the resources of the proxy named, made from the valid documents; violations go to standard error, and errors
 * among them make the exit code that for invalid input.
 */
async function translateCommand(options: TranslateOptions, context: CommandContext): Promise<void> {
  const { terminal, installation } = context;
  if (!/^[^/]+\/[^/]+$/.test(options.proxy))
    throw commandFailure("usage", `--proxy ${options.proxy}: write NAMESPACE/WORKLOAD.`);
  const loaded = await loadFiles(options.filename, { strict: options.strict ?? false });
  const { world } = loaded;
  const plugins = await readOfflinePlugins(world, context);
  const violations = [...loaded.violations, ...plugins.problems];
  for (const violation of violations) terminal.err(`${formatViolation(violation)}\n`);
  const builtins = await loadBuiltinModules(installation.filtersDir);
  const modules: PluginModules = {
    builtin: (name) => builtins[name],
    plugin: plugins.plugin,
    differsByProxy: () => false,
  };
  const translation = translateProxy(world, options.proxy, modules);
  if (translation.kind === "failed")
    throw commandFailure("not-found", `Nothing was translated: ${translation.message}.`);
  if (!translation.isDeclared)
    throw commandFailure("not-found", `Nothing was translated: ${undeclaredMessage(world, options.proxy)}`);
  for (const name of plugins.notFetched)
    terminal.err(`note: WasmPlugin ${name}: left out, only a running control plane fetches its module\n`);
  for (const note of translation.notes) terminal.err(`note: ${note}\n`);
  const selected = selectResources(translation.resources, options.type);
  terminal.out(renderValue(options.type === undefined ? withoutModules(selected) : selected, options.output));
  // As in a running mesh the others count; a script must notice all the same.
  if (violations.some(({ severity }) => severity === "error"))
    throw commandFailure("invalid", "Some documents are not valid: they were left out.");
}

function undeclaredMessage(world: World, workload: string): string {
  const known = withOfflinePods(world)
    .list("Pod")
    .map((pod) => `${pod.metadata.namespace}/${podFactsOf(pod).workload}`);
  const hint = didYouMean(workload, new Set(known));
  return `no Deployment, Pod or Gateway declares ${workload}${hint || "."}`;
}

/** A module is more than everything else together, and nobody reads it: `--type ecds` has them whole. */
function withoutModules(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutModules);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, field]) => {
      const isModule = name === "inlineBytes" && typeof field === "string" && field.startsWith(WASM_BASE64);
      return [name, isModule ? `(a module of ${Buffer.byteLength(field, "base64")} bytes)` : withoutModules(field)];
    }),
  );
}

/** Returns the resources as plain JSON: a list for one type, an object of lists for all. */
function selectResources(resources: EmittedResources, type: string | undefined): unknown {
  const lists = Object.entries(parts).map(
    ([name, { field, message }]) =>
      [name, [...resources[field].values()].map((resource) => toProto3Json(message, resource))] as const,
  );
  if (type === undefined) return Object.fromEntries(lists);
  const list = lists.find(([name]) => name === type)?.[1] ?? [];
  // Virtual hosts travel apart from their route configuration; who asks for routes wants to see them.
  return type === "route" ? [...list, ...(lists.find(([name]) => name === "vhost")?.[1] ?? [])] : list;
}

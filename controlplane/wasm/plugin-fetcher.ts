// consumes: the WasmPlugins of each World
// produces: for each plugin its last good module with the settings it was checked with, and what is wrong
// never does: hand out a module that was not seen to start with its settings
import type { MeshObject } from "../model/object.ts";
import type { Origin } from "../model/origin.ts";
import type { OutboundProxies } from "../model/outbound-proxy.ts";
import type { PluginState } from "../model/plugin.ts";
import type { Clock } from "../telemetry/clock.ts";
import type { Logger } from "../telemetry/logger.ts";
import { createModuleAcquirer, type ModuleAcquirer } from "./acquire-module.ts";
import { createAddressPolicy } from "./fetch/address-policy.ts";
import { createHttpClient } from "./fetch/http-client.ts";
import { createGoodPlugins, type GoodPlugins } from "./good-plugins.ts";
import { createModuleCache } from "./module-cache.ts";
import { noSurroundings, type PluginSurroundings } from "./plugin-source.ts";
import { followPlugin, type PluginWork, type WorkContext } from "./plugin-work.ts";
import type { PluginChecker } from "./process-checker.ts";
import { join } from "node:path";

export interface PluginFetcherOptions {
  /** Fetched modules are kept below it, for all meshes of this user. */
  readonly cacheDir: string;
  /** What each plugin last ran with is kept below it; undefined: a restart does not know. */
  readonly stateDir?: string | undefined;
  readonly clock: Clock;
  readonly log: Pick<Logger, "info" | "warn">;
  readonly checker: PluginChecker;
  /** Address ranges (`127.0.0.0/8`) that URLs may lead to beside public addresses. */
  readonly allowFetchFrom?: readonly string[];
  /** Registries (`registry.internal:5000`) spoken to without TLS, beside those of this machine. */
  readonly plainRegistries?: readonly string[];
  /** Proxies that lead out of this network. */
  readonly proxies?: OutboundProxies | undefined;
  /** Refuse versions that only trial calls found wanting; else it is said of them. */
  readonly strict?: boolean;
  readonly maxModuleBytes?: number;
  readonly downloadTimeoutMs?: number;
  readonly maxCacheBytes?: number;
}

/** What is wrong with a plugin, or noteworthy, in the shape of the store's violations. */
export interface PluginProblem {
  readonly severity: "error" | "warning";
  readonly origin: Origin;
  readonly object: string;
  readonly field: string;
  readonly message: string;
  readonly servingLastGood: boolean;
}

export interface PluginFetcher {
  /**
   * Follows these plugins, and no others from now on. The first call's plugins hold the place of what ran before a
   * restart: until they are had they count as unavailable.
   */
  update(plugins: readonly MeshObject<"WasmPlugin">[], around?: PluginSurroundings): void;
  plugin(namespace: string, name: string): PluginState;
  /** What is wrong now, by object. */
  problems(): readonly PluginProblem[];
  /** Plugins (`<namespace>/<name>`) of which what was asked for last has not been tried yet. */
  waiting(): readonly string[];
  /** Calls `listener` whenever some plugin's state or problem became another; returns what ends that. */
  onChanged(listener: () => void): () => void;
  /** Fetches a plugin's module again, whatever its pull policy; false if there is no such plugin. */
  refetch(namespace: string, name: string): boolean;
  /** Resolves when each plugin, as asked for by now, is good or was found wanting once. */
  settled(): Promise<void>;
  close(): void;
}

interface Entry {
  object: MeshObject<"WasmPlugin">;
  readonly work: PluginWork;
  readonly atStart: boolean;
}

/** Returns a fetcher that has nothing to do until `update`. */
export function createPluginFetcher(options: PluginFetcherOptions): PluginFetcher {
  const entries = new Map<string, Entry>();
  const listeners = new Set<() => void>();
  const goods = options.stateDir === undefined ? nowhere : createGoodPlugins(join(options.stateDir, "plugins"));
  const changed = () => listeners.forEach((listener) => listener());
  const context = workContext(options, goods, () => servedDigests(entries.values()), changed);
  let updates = 0;
  let surroundings = noSurroundings;
  return {
    update(plugins, around = noSurroundings) {
      updates++;
      surroundings = around;
      dropOthers(entries, plugins, (name) => void goods.forget(name));
      for (const plugin of plugins) {
        const name = nameOf(plugin);
        const entry = entries.get(name);
        if (entry !== undefined) askAgain(entry, plugin, around);
        else {
          const work = followPlugin(name, plugin, around, context);
          entries.set(name, { object: plugin, work, atStart: updates === 1 });
        }
      }
    },
    plugin(namespace, name) {
      const entry = entries.get(`${namespace}/${name}`);
      return entry === undefined ? { kind: "unavailable", reason: "there is no such plugin" } : stateOf(entry);
    },
    problems: () => [...entries.values()].flatMap(problemOf),
    waiting: () => [...entries].filter(([, entry]) => entry.work.busy).map(([name]) => name),
    onChanged(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    refetch(namespace, name) {
      const entry = entries.get(`${namespace}/${name}`);
      entry?.work.ask(entry.object, surroundings, "refetch");
      return entry !== undefined;
    },
    settled: async () => void (await Promise.all([...entries.values()].map((entry) => entry.work.tried()))),
    close() {
      for (const entry of entries.values()) entry.work.end();
      entries.clear();
      listeners.clear();
    },
  };
}

function askAgain(entry: Entry, plugin: MeshObject<"WasmPlugin">, around: PluginSurroundings): void {
  const why = entry.object === plugin ? "surroundings" : "object";
  entry.object = plugin;
  entry.work.ask(plugin, around, why);
}

function servedDigests(entries: Iterable<Entry>): ReadonlySet<string> {
  return new Set([...entries].flatMap(({ work: { state } }) => state.good?.module.sha256 ?? []));
}

/** Ends the work for plugins that are no more. */
function dropOthers(
  entries: Map<string, Entry>,
  plugins: readonly MeshObject<"WasmPlugin">[],
  forget: (name: string) => void,
): void {
  const names = new Set(plugins.map(nameOf));
  for (const [name, entry] of entries) {
    if (names.has(name)) continue;
    entry.work.end();
    entries.delete(name);
    forget(name);
  }
}

function workContext(
  options: PluginFetcherOptions,
  goods: GoodPlugins,
  inUse: () => ReadonlySet<string>,
  changed: () => void,
): WorkContext {
  const { clock, log, checker, strict = false } = options;
  return { acquirer: createAcquirerFor(options, inUse), goods, clock, log, checker, strict, changed };
}

type AcquirerLimits = Pick<
  PluginFetcherOptions,
  | "cacheDir"
  | "clock"
  | "allowFetchFrom"
  | "plainRegistries"
  | "proxies"
  | "maxModuleBytes"
  | "downloadTimeoutMs"
  | "maxCacheBytes"
>;

/** Returns what fetches modules within the options' limits, for the control plane and for commands alike. */
export function createAcquirerFor(options: AcquirerLimits, inUse?: () => ReadonlySet<string>): ModuleAcquirer {
  const {
    cacheDir,
    clock,
    allowFetchFrom = [],
    plainRegistries = [],
    maxModuleBytes = 64 * 1024 * 1024,
    downloadTimeoutMs = 30_000,
    maxCacheBytes,
    proxies,
  } = options;
  const directory = join(cacheDir, "plugins");
  return createModuleAcquirer({
    cache: createModuleCache({
      directory,
      nowMs: clock.nowMs,
      maxBytes: maxCacheBytes,
      inUse,
    }),
    http: createHttpClient({ addresses: createAddressPolicy(allowFetchFrom), maxRedirects: 5, proxies }),
    maxBytes: maxModuleBytes,
    timeoutMs: downloadTimeoutMs,
    plainRegistries,
  });
}

function stateOf({ work, atStart }: Entry): PluginState {
  const { good, problem } = work.state;
  if (good !== undefined) return { kind: "module", ...good };
  if (problem !== undefined) return { kind: "unavailable", reason: problem.message };
  // Before a restart it may have guarded something: that must not stand open meanwhile.
  return atStart ? { kind: "unavailable", reason: "has not been fetched yet" } : { kind: "pending" };
}

function problemOf({ object, work }: Entry): readonly PluginProblem[] {
  const { good, problem, notice, trial } = work.state;
  const place = { origin: { ...object.origin }, object: `WasmPlugin/${nameOf(object)}` };
  return [
    ...(problem === undefined
      ? []
      : [{ severity: "error" as const, ...place, ...problem, servingLastGood: good !== undefined }]),
    ...[notice, trial].flatMap((said) =>
      said === undefined ? [] : [{ severity: "warning" as const, ...place, ...said, servingLastGood: false }],
    ),
  ];
}

function nameOf(plugin: MeshObject<"WasmPlugin">): string {
  return `${plugin.metadata.namespace}/${plugin.metadata.name}`;
}

const nowhere: GoodPlugins = {
  keep: async () => undefined,
  read: async () => undefined,
  forget: async () => undefined,
};

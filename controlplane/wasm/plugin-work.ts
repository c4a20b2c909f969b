// What is done for one plugin: acquire, check, publish; again when its object, its file or luck changes.
import type { MeshObject } from "../model/object.ts";
import type { Clock } from "../telemetry/clock.ts";
import type { Logger } from "../telemetry/logger.ts";
import type { WasmModule } from "../translate/ir/filters.ts";
import type { PluginSettings } from "../translate/ir/modules.ts";
import { type AcquireOptions, acquireModule } from "./acquire-module.ts";
import { fileMark, nextMark } from "./file-changes.ts";
import type { GoodPlugin, GoodPlugins } from "./good-plugins.ts";
import { type PluginSource, pluginSource } from "./plugin-source.ts";
import type { PluginChecker } from "./process-checker.ts";

export interface WorkContext {
  readonly acquire: AcquireOptions;
  readonly goods: GoodPlugins;
  readonly checker: PluginChecker;
  readonly clock: Clock;
  readonly log: Pick<Logger, "info" | "warn">;
  /** Called when a plugin's good version or its problem became another. */
  changed(): void;
}

export interface WorkState {
  good?: GoodPlugin;
  problem?: { readonly field: string; readonly message: string };
}

export interface PluginWork {
  readonly state: Readonly<WorkState>;
  /** Whether what was asked for last has not been tried yet. */
  readonly busy: boolean;
  /** Resolves when what was asked for last was tried once, whatever came of it, or at the end. */
  tried(): Promise<void>;
  /** What the object asks for now. Does nothing when that is what is being done. */
  ask(plugin: MeshObject<"WasmPlugin">, fresh?: boolean): void;
  end(): void;
}

/** What one try came to: done until asked again, or to be tried again after a failure. */
type Try = "good" | "bad";

const FIRST_RETRY_MS = 1_000;
const LAST_RETRY_MS = 60_000;

/** Starts to follow one plugin; `name` is `<namespace>/<name>`. */
export function followPlugin(name: string, plugin: MeshObject<"WasmPlugin">, context: WorkContext): PluginWork {
  const state: WorkState = {};
  let source = pluginSource(plugin);
  let asked = new AbortController();
  let busy = false;
  const waiting = new Set<() => void>();
  const answered = () => {
    busy = false;
    for (const resolve of waiting) resolve();
    waiting.clear();
  };
  const start = (fresh: boolean) => {
    busy = true;
    const { signal } = asked;
    const tried = () => void (signal.aborted || answered());
    void follow({ name, source, state, context, tried, signal }, fresh).catch((error: unknown) => {
      if (!signal.aborted) context.log.warn({ plugin: name, error: String(error) }, "following a plugin ended");
    });
  };
  start(false);
  return {
    state,
    get busy() {
      return busy;
    },
    tried: () => new Promise((resolve) => void (busy ? waiting.add(resolve) : resolve())),
    ask(now, fresh = false) {
      const next = pluginSource(now);
      // Under `Always` any change of the object is a reason to fetch again.
      if (!fresh && next.reuse && JSON.stringify(next) === JSON.stringify(source)) return;
      source = next;
      asked.abort();
      asked = new AbortController();
      start(fresh);
    },
    end() {
      asked.abort();
      answered();
    },
  };
}

interface Following {
  readonly name: string;
  readonly source: PluginSource;
  readonly state: WorkState;
  readonly context: WorkContext;
  readonly tried: () => void;
  readonly signal: AbortSignal;
}

async function follow(following: Following, fresh: boolean): Promise<void> {
  const { source, context, signal } = following;
  for (let failures = 0; !signal.aborted;) {
    const mark = source.location.kind === "file" ? await fileMark(source.location.path) : "";
    const outcome = await tryOnce(following, fresh || failures > 0);
    following.tried();
    if (source.location.kind === "file") {
      // Whatever came of it: what the file holds next may be better. A check of ours that failed is tried again too.
      await nextMark(source.location.path, mark, context.clock, signal);
      continue;
    }
    if (outcome === "good" || source.location.kind === "unsupported") return;
    await context.clock.sleep(Math.min(FIRST_RETRY_MS * 2 ** failures++, LAST_RETRY_MS), signal);
  }
}

async function tryOnce(following: Following, fresh: boolean): Promise<Try> {
  const { source, state, context, signal } = following;
  const acquired = await acquireModule(source, context.acquire, fresh);
  if (signal.aborted) return "bad";
  if (!acquired.ok) return failWith(following, acquired.field, acquired.message);
  const { module, stale } = acquired;
  if (!isSame(state.good, module, source.settings)) {
    const checked = await checkTwice(following, module);
    if (signal.aborted) return "bad";
    if (checked.kind !== "good") {
      const field = state.good?.module.sha256 === module.sha256 ? "spec.pluginConfig" : "spec.url";
      return failWith(following, field, checked.kind === "bad" ? checked.reason : `could not be checked: ${checked.reason}`);
    }
  }
  await publish(following, module);
  return stale === undefined ? "good" : failWith(following, "spec.url", `${stale}; what was fetched before is used`);
}

/** A check that could not be done says nothing of the module. */
async function checkTwice({ source, context, signal }: Following, module: WasmModule) {
  const first = await context.checker.check(module.bytes, source.settings);
  return first.kind === "failed" && !signal.aborted ? context.checker.check(module.bytes, source.settings) : first;
}

async function publish({ name, source, state, context }: Following, module: WasmModule): Promise<void> {
  const same = isSame(state.good, module, source.settings);
  const recovered = state.problem !== undefined;
  delete state.problem;
  if (same) return void (recovered && context.changed());
  const replaced = state.good !== undefined;
  state.good = { module, settings: source.settings };
  context.log.info({ plugin: name, sha256: module.sha256 }, replaced ? "plugin has a new version" : "plugin is ready");
  context.changed();
  await context.goods.keep(name, state.good);
}

async function failWith(following: Following, field: string, message: string): Promise<Try> {
  const { name, state, context, signal } = following;
  if (state.problem?.message === message) return "bad";
  const before = state.good === undefined ? await context.goods.read(name) : undefined;
  if (signal.aborted) return "bad";
  if (before !== undefined) state.good = before;
  state.problem = { field, message };
  context.log.warn({ plugin: name, field, servingLastGood: state.good !== undefined }, message);
  context.changed();
  return "bad";
}

function isSame(good: GoodPlugin | undefined, module: WasmModule, settings: PluginSettings): boolean {
  return good !== undefined && good.module.sha256 === module.sha256 && JSON.stringify(good.settings) === JSON.stringify(settings);
}

// What is done for one plugin: acquire → verify → check → publish; again when its object, its file, its tag or luck
// changes.
import { isFailed } from "../model/failure.ts";
import type { MeshObject } from "../model/object.ts";
import type { PluginSettings } from "../model/plugin.ts";
import type { WasmModule } from "../model/wasm-module.ts";
import type { Clock } from "../telemetry/clock.ts";
import type { Logger } from "../telemetry/logger.ts";
import type { ModuleAcquirer } from "./acquire-module.ts";
import type { AcquiredModule } from "./acquired-module.ts";
import { fileMark, nextMark } from "./file-changes.ts";
import type { GoodPlugin, GoodPlugins } from "./good-plugins.ts";
import { type PluginSource, type PluginSurroundings, pluginSource } from "./plugin-source.ts";
import type { ConfigSchema, PluginChecker } from "./process-checker.ts";
import { type VerifiedModule, verifyModule, withVerified } from "./trust/verify-module.ts";

export interface WorkContext {
  readonly acquirer: ModuleAcquirer;
  readonly goods: GoodPlugins;
  readonly checker: PluginChecker;
  /** Refuse versions that only trial calls found wanting. */
  readonly strict: boolean;
  readonly clock: Clock;
  readonly log: Pick<Logger, "info" | "warn">;
  /** Called when a plugin's good version or its problem became another. */
  changed(): void;
}

export interface WorkState {
  good?: GoodPlugin;
  problem?: { readonly field: string; readonly message: string };
  /** What people should know of the version that runs or is about to. */
  notice?: { readonly field: string; readonly message: string };
  /** What the version that runs was checked against beside its settings, as JSON. */
  schema?: string | undefined;
  /** What is wrong with the version that runs, as its manifest and its trial calls show. */
  trial?: { readonly field: string; readonly message: string };
}

export interface PluginWork {
  readonly state: Readonly<WorkState>;
  /** Whether what was asked for last has not been tried yet. */
  readonly busy: boolean;
  /** Resolves when what was asked for last was tried once, whatever came of it, or at the end. */
  tried(): Promise<void>;
  /**
   * What the object asks for now. Does nothing when that is what is being done. `why`: the object is another, only what
   * it refers to may be, or it is to be fetched again whatever its pull policy.
   */
  ask(plugin: MeshObject<"WasmPlugin">, around: PluginSurroundings, why: "object" | "surroundings" | "refetch"): void;
  end(): void;
}

/** What one try came to: done until asked again, or to be tried again after a failure. */
type Try = "good" | "bad";

const FIRST_RETRY_MS = 1_000;
const LAST_RETRY_MS = 60_000;

/** Starts to follow one plugin; `name` is `<namespace>/<name>`. */
export function followPlugin(
  name: string,
  plugin: MeshObject<"WasmPlugin">,
  around: PluginSurroundings,
  context: WorkContext,
): PluginWork {
  const state: WorkState = {};
  let source = pluginSource(plugin, around);
  let asked = new AbortController();
  const turn = createTurn();
  const start = (fresh: boolean) => {
    turn.begin();
    const { signal } = asked;
    const tried = () => void (signal.aborted || turn.end());
    void follow({ name, source, state, context, tried, signal }, fresh).catch((error: unknown) => {
      if (!signal.aborted) context.log.warn({ plugin: name, error: String(error) }, "following a plugin ended");
    });
  };
  start(false);
  return {
    state,
    get busy() {
      return turn.isOn;
    },
    tried: turn.ended,
    ask(now, surroundings, why) {
      const next = pluginSource(now, surroundings);
      // Under `Always` any change of the object is a reason to fetch again.
      const again = why === "refetch" || (why === "object" && !next.reuse);
      if (!again && JSON.stringify(next) === JSON.stringify(source)) return;
      source = next;
      asked.abort();
      asked = new AbortController();
      start(why === "refetch");
    },
    end() {
      asked.abort();
      turn.end();
    },
  };
}

/** Something that is going on or not, and whose end can be waited for. */
function createTurn(): {
  readonly isOn: boolean;
  readonly begin: () => void;
  readonly end: () => void;
  readonly ended: () => Promise<void>;
} {
  let isOn = false;
  const waiting = new Set<() => void>();
  return {
    get isOn() {
      return isOn;
    },
    begin: () => void (isOn = true),
    end() {
      isOn = false;
      for (const resolve of waiting) resolve();
      waiting.clear();
    },
    ended: () => new Promise((resolve) => void (isOn ? waiting.add(resolve) : resolve())),
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
  let failures = 0;
  for (let tries = 0; !signal.aborted; tries++) {
    const mark = source.location.kind === "file" ? await fileMark(source.location.path) : "";
    const outcome = await tryOnce(following, fresh || tries > 0).catch((error: unknown) =>
      failWith(following, "spec.url", `could not be tried: ${String(error)}`),
    );
    following.tried();
    if (source.location.kind === "file") {
      // Whatever came of it: what the file holds next may be better. A check of ours that failed is tried again too.
      await nextMark(source.location.path, mark, context.clock, signal);
      continue;
    }
    if (source.location.kind === "failed" || (outcome === "good" && source.pollMs === undefined)) return;
    if (outcome === "good") failures = 0;
    await context.clock.sleep(
      outcome === "good" ? (source.pollMs ?? 0) : Math.min(FIRST_RETRY_MS * 2 ** failures++, LAST_RETRY_MS),
      signal,
    );
  }
}

async function tryOnce(following: Following, fresh: boolean): Promise<Try> {
  const { source, context, signal } = following;
  const got = await context.acquirer.acquire(source, fresh);
  if (signal.aborted) return "bad";
  if (isFailed(got)) return failWith(following, got.field, got.message);
  const verified = await verifyModule(got, source.trust);
  if (signal.aborted) return "bad";
  if (isFailed(verified)) return failWith(following, verified.field, verified.message);
  const version: GoodPlugin = {
    module: got.module,
    settings: withVerified(source.settings, verified),
    wants: verified.wants,
  };
  const refusal = await refusedByCheck(following, version, verified);
  if (signal.aborted) return "bad";
  if (refusal !== undefined) return failWith(following, refusal.field, refusal.message);
  await publish(following, version, got);
  return got.stale === undefined
    ? "good"
    : failWith(following, "spec.url", `${got.stale}; what was fetched before is used`);
}

async function refusedByCheck(
  following: Following,
  { module, settings }: GoodPlugin,
  { configSchema, warnings = [] }: Pick<VerifiedModule, "configSchema" | "warnings">,
): Promise<{ readonly field: string; readonly message: string } | undefined> {
  const { state } = following;
  const schema = configSchema === undefined ? undefined : JSON.stringify(configSchema);
  if (isSame(state.good, module, settings) && state.schema === schema) return undefined;
  const checked = await checkTwice(following, module, settings, configSchema);
  if (checked.kind === "good") {
    state.schema = schema;
    return judgeTrial(following, [...warnings, ...(checked.warnings ?? [])]);
  }
  if (checked.kind === "bad" && checked.field !== undefined) return { field: checked.field, message: checked.reason };
  const field = state.good?.module.sha256 === module.sha256 ? "spec.pluginConfig" : "spec.url";
  return { field, message: checked.kind === "bad" ? checked.reason : `could not be checked: ${checked.message}` };
}

/**
 * What its author misspelt, and what it does wrong when it is called, keeps a version from proxies only where the mesh is strict; otherwise it is
 * said.
 */
function judgeTrial(
  { name, state, context }: Following,
  warnings: readonly string[],
): { readonly field: string; readonly message: string } | undefined {
  if (warnings.length === 0) return void delete state.trial;
  const found = { field: "spec.url", message: warnings.join("; ") };
  if (context.strict) return found;
  state.trial = found;
  context.log.warn({ plugin: name }, found.message);
  return undefined;
}

/** A check that could not be done says nothing of the module. */
async function checkTwice(
  { context, signal }: Following,
  module: WasmModule,
  settings: PluginSettings,
  configSchema: ConfigSchema | undefined,
) {
  const first = await context.checker.check(module, settings, configSchema);
  return first.kind === "failed" && !signal.aborted ? context.checker.check(module, settings, configSchema) : first;
}

async function publish(following: Following, version: GoodPlugin, { image }: AcquiredModule): Promise<void> {
  const { name, state, context, signal } = following;
  const same = isSame(state.good, version.module, version.settings);
  const recovered = state.problem !== undefined;
  if (!same) await tellOfWants(following, version);
  if (signal.aborted) return;
  delete state.problem;
  if (same) return void (recovered && context.changed());
  const replaced = state.good !== undefined;
  state.good = version;
  context.log.info(
    { plugin: name, sha256: version.module.sha256, ...(image !== undefined && { image: image.digest }) },
    replaced ? "plugin has a new version" : "plugin is ready",
  );
  context.changed();
  await context.goods.keep(name, version);
}

/** A version that wants more than the one before says so before any proxy has it. */
async function tellOfWants({ name, state, context }: Following, { module, wants = [] }: GoodPlugin): Promise<void> {
  const before = state.good ?? (await context.goods.read(name));
  if (before?.wants === undefined) return;
  const known = new Set(before.wants);
  const more = wants.filter((group) => !known.has(group));
  if (more.length === 0) return void (before.module.sha256 !== module.sha256 && delete state.notice);
  const older = `sha256:${before.module.sha256.slice(0, 12)}`;
  const message =
    `the new version wants ${more.join(", ")}, which the one before (${older}) did not: ` +
    "the annotation scrim.mesh/capabilities can hold versions to a list";
  state.notice = { field: "spec.url", message };
  context.log.warn({ plugin: name, sha256: module.sha256, wants: more }, message);
  context.changed();
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
  return (
    good !== undefined &&
    good.module.sha256 === module.sha256 &&
    JSON.stringify(good.settings) === JSON.stringify(settings)
  );
}

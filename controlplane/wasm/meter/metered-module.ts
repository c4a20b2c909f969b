// The budget a plugin asks for, and its module with that budget compiled in, made once for each.
import { type Failure, failed, isFailed } from "../../model/failure.ts";
import type { MeshObject } from "../../model/object.ts";
import type { PluginBudget, PluginSettings, PluginState, PluginVersion } from "../../model/plugin.ts";
import type { WasmModule } from "../../model/wasm-module.ts";
import { failedAt, type PluginFailure } from "../plugin-failure.ts";
import { withMark } from "./function-names.ts";
import { meterModule } from "./meter.ts";

/** On a WasmPlugin: turns of loops and calls that one callback may take; `off`: as many as it likes. */
export const TURNS_ANNOTATION = "scrim.mesh/turns";
/** On a WasmPlugin: to what its memory may grow, as in `64Mi`. */
export const MEMORY_ANNOTATION = "scrim.mesh/memory";

/** About 50 ms of a worker's time, and 64 MiB for each worker. */
export const DEFAULT_BUDGET: PluginBudget = { turns: 20_000_000, memoryPages: 1_024 };
const UNLIMITED_TURNS = Number.MAX_SAFE_INTEGER;
const PAGES_PER_MEBIBYTE = 16;
/** 4 GiB. */
const MOST_PAGES = 65_536;

/** Returns the budget that a plugin's annotations ask for, or which of them means nothing. */
export function budgetOf({
  metadata: { annotations },
}: MeshObject<"WasmPlugin">): PluginBudget | PluginFailure<"invalid-budget"> {
  const read = (key: string): string | undefined => (Object.hasOwn(annotations, key) ? annotations[key] : undefined);
  const [turnsText, memoryText] = [read(TURNS_ANNOTATION), read(MEMORY_ANNOTATION)];
  const turns =
    turnsText === undefined ? DEFAULT_BUDGET.turns : turnsText === "off" ? UNLIMITED_TURNS : wholeNumber(turnsText);
  if (turns === undefined)
    return invalid(TURNS_ANNOTATION, `is neither a number of turns nor off: ${JSON.stringify(turnsText)}`);
  const mebibytes = memoryText === undefined ? undefined : wholeNumber(/^(\d+)Mi$/.exec(memoryText)?.[1] ?? "");
  if (memoryText !== undefined && (mebibytes === undefined || mebibytes * PAGES_PER_MEBIBYTE > MOST_PAGES))
    return invalid(
      MEMORY_ANNOTATION,
      `is no amount of memory such as 64Mi (at most 4096Mi): ${JSON.stringify(memoryText)}`,
    );
  return {
    turns,
    memoryPages: mebibytes === undefined ? DEFAULT_BUDGET.memoryPages : mebibytes * PAGES_PER_MEBIBYTE,
  };
}

const made = new WeakMap<WasmModule, Map<string, MeteredModule>>();

export type MeteredModule = WasmModule | Failure<"malformed-module">;

/**
 * Returns the module with the budget in it (DEFAULT_BUDGET unless given); its digest is still that of the module as it
 * was fetched.
 */
export function meteredModule(module: WasmModule, budget: PluginBudget = DEFAULT_BUDGET): MeteredModule {
  let byBudget = made.get(module);
  if (byBudget === undefined) made.set(module, (byBudget = new Map()));
  const key = `${budget.turns}/${budget.memoryPages}`;
  let known = byBudget.get(key);
  if (known === undefined) {
    const metering = meterModule(module.bytes, budget, module.sha256);
    known =
      metering.kind === "metered"
        ? { sha256: module.sha256, bytes: metering.bytes }
        : failed(metering.code, `${metering.message} (no budget can be given to it)`);
    byBudget.set(key, known);
  }
  return known;
}

/**
 * Returns what proxies get of a plugin: its module with its budget, and with the name by which `markOf` knows this
 * version in their logs.
 */
export function withBudget(state: PluginState, markOf: (version: PluginVersion) => string): PluginState {
  if (state.kind === "module") return ofVersion(state, markOf);
  if (state.kind !== "split") return state;
  const [first, rest] = [ofVersion(state.first, markOf), ofVersion(state.rest, markOf)];
  // What cannot be given a budget was never served, and its check found it bad.
  return first.kind === "module" && rest.kind === "module" ? { ...state, first, rest } : rest;
}

/** By settings: a version is a module with its settings, and the copy must not outlive it. */
const marked = new WeakMap<
  PluginSettings,
  { readonly of: WasmModule; readonly mark: string; readonly module: WasmModule }
>();

function ofVersion(
  version: PluginVersion,
  markOf: (version: PluginVersion) => string,
): Extract<PluginState, { kind: "module" | "unavailable" }> {
  const { module, settings } = version;
  const metered = meteredModule(module, settings.budget);
  if (isFailed(metered)) return { kind: "unavailable", reason: metered.message };
  const mark = markOf(version);
  let known = marked.get(settings);
  if (known?.of !== metered || known.mark !== mark)
    marked.set(
      settings,
      (known = {
        of: metered,
        mark,
        module: { sha256: module.sha256, bytes: withMark(metered.bytes, mark) },
      }),
    );
  return { kind: "module", module: known.module, settings };
}

function wholeNumber(text: string): number | undefined {
  const value = Number(text);
  return /^\d{1,15}$/.test(text) && value > 0 ? value : undefined;
}

function invalid(annotation: string, message: string): PluginFailure<"invalid-budget"> {
  return failedAt(`metadata.annotations["${annotation}"]`, "invalid-budget", message);
}

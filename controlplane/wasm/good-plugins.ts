// Which module and settings each plugin last ran with, on disk: a restart must not lose the last good version to a bad
// new one.
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import type { PluginSettings } from "../model/plugin.ts";
import type { WasmModule } from "../model/wasm-module.ts";
import { replaceFile } from "../disk/replace-file.ts";
import { digestOf } from "./module-cache.ts";

/** A module that was seen to start with its settings. */
export interface GoodPlugin {
  readonly module: WasmModule;
  readonly settings: PluginSettings;
  /** Groups of capabilities it wants; undefined: it was kept before anybody looked. */
  readonly wants?: readonly string[] | undefined;
}

export interface GoodPlugins {
  keep(plugin: string, good: GoodPlugin): Promise<void>;
  /** Returns what was kept, its bytes verified; undefined if nothing (or nothing whole) is there. */
  read(plugin: string): Promise<GoodPlugin | undefined>;
  forget(plugin: string): Promise<void>;
}

/**
 * Returns the store in `directory`; `plugin` is `<namespace>/<name>`. A disk that cannot be written costs only what a
 * restart would have known.
 */
export function createGoodPlugins(directory: string): GoodPlugins {
  const path = (plugin: string, ending: string) =>
    join(directory, `${digestOf(Buffer.from(plugin)).slice(0, 32)}.${ending}`);
  const forget = async (plugin: string) => {
    await Promise.all(["json", "wasm"].map((ending) => rm(path(plugin, ending), { force: true }))).catch(
      () => undefined,
    );
  };
  return {
    forget,
    async keep(plugin, { module, settings, wants }) {
      try {
        await replaceFile(path(plugin, "wasm"), module.bytes);
        await replaceFile(path(plugin, "json"), JSON.stringify({ plugin, sha256: module.sha256, settings, wants }));
      } catch {
        await forget(plugin);
      }
    },
    async read(plugin) {
      try {
        const bytes = await readFile(path(plugin, "wasm"));
        const record: unknown = JSON.parse(await readFile(path(plugin, "json"), "utf8"));
        if (!isRecord(record) || record.plugin !== plugin || record.sha256 !== digestOf(bytes)) return undefined;
        return {
          module: { sha256: record.sha256, bytes },
          settings: record.settings,
          wants: record.wants,
        };
      } catch {
        return undefined;
      }
    },
  };
}

function isRecord(
  value: unknown,
): value is { plugin: string; sha256: string; settings: PluginSettings; wants?: readonly string[] } {
  if (typeof value !== "object" || value === null || !("settings" in value)) return false;
  const { settings } = value;
  if ("wants" in value && !Array.isArray(value.wants)) return false;
  return (
    typeof settings === "object" &&
    settings !== null &&
    "configuration" in settings &&
    "environment" in settings &&
    "hostEnvironment" in settings &&
    "rootId" in settings
  );
}

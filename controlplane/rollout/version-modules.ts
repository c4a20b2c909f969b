// The modules of the versions that may be asked for again, with their settings: in memory, and on disk for the next
// start.
import { createHash } from "node:crypto";
import type { PluginSettings, PluginVersion } from "../model/plugin.ts";
import type { GoodPlugin, GoodPlugins } from "../wasm/good-plugins.ts";
import type { VersionId } from "./state.ts";

export interface VersionModules {
  /** Reads from disk what was kept before a restart. */
  load(plugin: string, version: VersionId): Promise<void>;
  /** Keeps a version's module from now on, until nobody can ask for it any more. */
  keep(plugin: string, good: GoodPlugin): VersionId;
  content(plugin: string, version: VersionId | undefined): GoodPlugin | undefined;
  forget(plugin: string, version: VersionId): void;
}

/** Returns modules of which none is known yet; `onDisk` keeps them by `<namespace>/<name>@<version>`. */
export function createVersionModules(onDisk: GoodPlugins): VersionModules {
  const contents = new Map<string, GoodPlugin>();
  return {
    async load(plugin, version) {
      const good = await onDisk.read(keyOf(plugin, version));
      if (good !== undefined) contents.set(keyOf(plugin, version), good);
    },
    keep(plugin, good) {
      const version = versionOf(good);
      if (!contents.has(keyOf(plugin, version))) {
        contents.set(keyOf(plugin, version), good);
        void onDisk.keep(keyOf(plugin, version), good);
      }
      return version;
    },
    content: (plugin, version) => (version === undefined ? undefined : contents.get(keyOf(plugin, version))),
    forget(plugin, version) {
      contents.delete(keyOf(plugin, version));
      void onDisk.forget(keyOf(plugin, version));
    },
  };
}

function keyOf(plugin: string, version: VersionId): string {
  return `${plugin}@${version}`;
}

const known = new WeakMap<PluginSettings, { readonly sha256: string; readonly version: VersionId }>();

/** Returns the name of a module with its settings: 12 hex digits. */
export function versionOf({ module: { sha256 }, settings }: PluginVersion): VersionId {
  let found = known.get(settings);
  if (found?.sha256 !== sha256)
    known.set(
      settings,
      (found = {
        sha256,
        version: createHash("sha256").update(sha256).update(JSON.stringify(settings)).digest("hex").slice(0, 12),
      }),
    );
  return found.version;
}

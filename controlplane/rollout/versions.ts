// The state of each plugin's versions, and the modules of those that may be asked for again: in memory, and on disk for
// the next start.
import { createHash } from "node:crypto";
import type { PluginSettings, PluginVersion } from "../model/plugin.ts";
import type { DiskNews } from "../disk/kept-file.ts";
import type { Clock } from "../telemetry/clock.ts";
import type { GoodPlugin, GoodPlugins } from "../wasm/good-plugins.ts";
import { createKeeper } from "./kept-states.ts";
import { advance, newRollout, type RolloutEvent, type RolloutState, type VersionId, versionsKept } from "./state.ts";
import { markOf } from "./traps.ts";

export interface VersionsOptions {
  /** Keeps versions by `<namespace>/<name>@<version>`. */
  readonly versions: GoodPlugins;
  readonly stateFile: string;
  /** Told of every attempt to write it. */
  readonly news: DiskNews;
  readonly clock: Pick<Clock, "sleep">;
  readonly onChanged: (plugin: string, before: RolloutState, after: RolloutState) => void;
}

export interface Versions {
  /** Reads what was kept before a restart. */
  load(): Promise<void>;
  /** Resolves when the states are on disk, or the disk would not take them. */
  flush(): Promise<void>;
  /** Plugins of which something is known. */
  plugins(): readonly string[];
  of(plugin: string): RolloutState;
  /** Lets something happen to a plugin's versions; returns why it cannot, or undefined. */
  apply(plugin: string, event: RolloutEvent): string | undefined;
  /** Keeps a version's module from now on, until nobody can ask for it any more. */
  keep(plugin: string, good: GoodPlugin): VersionId;
  content(plugin: string, version: VersionId | undefined): GoodPlugin | undefined;
  /** Whose mark that is. */
  marked(mark: string): { readonly plugin: string; readonly version: VersionId } | undefined;
  /** The plugin is gone, and all its versions with it. */
  drop(plugin: string): void;
}

/** Returns versions of which nothing is known until `load`. */
export function createVersions({ versions, stateFile, news, clock, onChanged }: VersionsOptions): Versions {
  const states = new Map<string, RolloutState>();
  const contents = new Map<string, GoodPlugin>();
  /** Of `marked`: traps may come by the thousand. */
  const owners = new Map<string, ReturnType<Versions["marked"]>>();
  const keeper = createKeeper({ path: stateFile, news, sleep: (ms, signal) => clock.sleep(ms, signal) }, states);
  const of = (plugin: string): RolloutState => states.get(plugin) ?? newRollout;
  const forget = (plugin: string, version: VersionId): void => {
    contents.delete(keyOf(plugin, version));
    void versions.forget(keyOf(plugin, version));
  };
  return {
    flush: () => keeper.flush(),
    plugins: () => [...states.keys()],
    of,
    async load() {
      for (const [plugin, state] of await keeper.read()) {
        states.set(plugin, state);
        for (const version of versionsKept(state)) {
          const good = await versions.read(keyOf(plugin, version));
          if (good !== undefined) contents.set(keyOf(plugin, version), good);
        }
      }
    },
    apply(plugin, event) {
      const before = of(plugin);
      const { state, refusal } = advance(before, event);
      if (state === before) return refusal;
      states.set(plugin, state);
      owners.clear();
      const kept = versionsKept(state);
      for (const version of versionsKept(before)) if (!kept.has(version)) forget(plugin, version);
      keeper.keep();
      onChanged(plugin, before, state);
      return refusal;
    },
    keep(plugin, good) {
      const version = versionOf(good);
      if (!contents.has(keyOf(plugin, version))) {
        contents.set(keyOf(plugin, version), good);
        void versions.keep(keyOf(plugin, version), good);
      }
      return version;
    },
    content: (plugin, version) => (version === undefined ? undefined : contents.get(keyOf(plugin, version))),
    marked(mark) {
      if (!owners.has(mark))
        owners.set(
          mark,
          [...states]
            .flatMap(([plugin, state]) => [...versionsKept(state)].map((version) => ({ plugin, version })))
            .find(({ plugin, version }) => markOf(plugin, version) === mark),
        );
      return owners.get(mark);
    },
    drop(plugin) {
      for (const version of versionsKept(of(plugin))) forget(plugin, version);
      if (states.delete(plugin)) keeper.keep();
      owners.clear();
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

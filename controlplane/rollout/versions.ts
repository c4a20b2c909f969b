// The state of each plugin's versions, and the modules of those that may be asked for again: in memory, and on disk for
// the next start.
import type { DiskNews } from "../disk/kept-file.ts";
import type { Clock } from "../telemetry/clock.ts";
import type { GoodPlugins } from "../wasm/good-plugins.ts";
import { createKeeper } from "./kept-states.ts";
import { advance, newRollout, type RolloutEvent, type RolloutState, type VersionId, versionsKept } from "./state.ts";
import { markOf } from "./traps.ts";
import { createVersionModules, type VersionModules } from "./version-modules.ts";

export interface VersionsOptions {
  /** Keeps versions by `<namespace>/<name>@<version>`. */
  readonly versions: GoodPlugins;
  readonly stateFile: string;
  /** Told of every attempt to write it. */
  readonly news: DiskNews;
  readonly clock: Pick<Clock, "sleep">;
  readonly onChanged: (plugin: string, before: RolloutState, after: RolloutState) => void;
}

export interface Versions extends Pick<VersionModules, "keep" | "content"> {
  /** Reads what was kept before a restart. */
  load(): Promise<void>;
  /** Resolves when the states are on disk, or the disk would not take them. */
  flush(): Promise<void>;
  /** Plugins of which something is known. */
  plugins(): readonly string[];
  of(plugin: string): RolloutState;
  /** Lets something happen to a plugin's versions; returns why it cannot, or undefined. */
  apply(plugin: string, event: RolloutEvent): string | undefined;
  /** Whose mark that is. */
  marked(mark: string): { readonly plugin: string; readonly version: VersionId } | undefined;
  /** The plugin is gone, and all its versions with it. */
  drop(plugin: string): void;
}

/** Returns versions of which nothing is known until `load`. */
export function createVersions({ versions, stateFile, news, clock, onChanged }: VersionsOptions): Versions {
  const states = new Map<string, RolloutState>();
  const modules = createVersionModules(versions);
  const marks = createMarks(states);
  const keeper = createKeeper({ path: stateFile, news, sleep: (ms, signal) => clock.sleep(ms, signal) }, states);
  const of = (plugin: string): RolloutState => states.get(plugin) ?? newRollout;
  return {
    keep: modules.keep,
    content: modules.content,
    marked: marks.of,
    flush: () => keeper.flush(),
    plugins: () => [...states.keys()],
    of,
    async load() {
      for (const [plugin, state] of await keeper.read()) {
        states.set(plugin, state);
        for (const version of versionsKept(state)) await modules.load(plugin, version);
      }
    },
    apply(plugin, event) {
      const before = of(plugin);
      const { state, refusal } = advance(before, event);
      if (state === before) return refusal;
      states.set(plugin, state);
      marks.forget();
      const kept = versionsKept(state);
      for (const version of versionsKept(before)) if (!kept.has(version)) modules.forget(plugin, version);
      keeper.keep();
      onChanged(plugin, before, state);
      return refusal;
    },
    drop(plugin) {
      for (const version of versionsKept(of(plugin))) modules.forget(plugin, version);
      if (states.delete(plugin)) keeper.keep();
      marks.forget();
    },
  };
}

/** Whose mark is whose, looked for once: traps may come by the thousand. */
function createMarks(states: ReadonlyMap<string, RolloutState>): {
  readonly of: Versions["marked"];
  readonly forget: () => void;
} {
  const owners = new Map<string, ReturnType<Versions["marked"]>>();
  const ownerOf: Versions["marked"] = (mark) =>
    [...states]
      .flatMap(([plugin, state]) => [...versionsKept(state)].map((version) => ({ plugin, version })))
      .find(({ plugin, version }) => markOf(plugin, version) === mark);
  return {
    of(mark) {
      if (!owners.has(mark)) owners.set(mark, ownerOf(mark));
      return owners.get(mark);
    },
    forget: () => owners.clear(),
  };
}

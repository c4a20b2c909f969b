// The mesh's plugins come and go, and bring versions: each new one is taken up, to be served or to be rolled out.
import type { MeshObject } from "../model/object.ts";
import type { PluginState } from "../model/plugin.ts";
import type { Clock } from "../telemetry/clock.ts";
import { type Followed, nameOf, withPlan } from "./followed.ts";
import type { Knowledge } from "./knowledge.ts";
import { candidateShare } from "./state.ts";

export interface OffersOptions {
  /** The newest module of a plugin that was fetched and checked. */
  readonly newest: (namespace: string, name: string) => PluginState;
  /** Addresses of the pods whose proxies are there: they may have been serving for long. */
  readonly running: () => ReadonlySet<string>;
  readonly clock: Pick<Clock, "nowMs">;
}

export interface Offers {
  /** The mesh's plugins; the same list again costs nothing. */
  update(plugins: readonly MeshObject<"WasmPlugin">[]): void;
  /** What `newest` answers may be another module now. */
  fetched(): void;
}

/** Returns offers of no plugin until `update`. */
export function createOffers(options: OffersOptions, known: Knowledge): Offers {
  const { entries, versions } = known;
  let followed: readonly MeshObject<"WasmPlugin">[] | undefined;
  return {
    update(plugins) {
      if (plugins === followed) return;
      followed = plugins;
      const names = new Set(plugins.map(nameOf));
      for (const plugin of new Set([...versions.plugins(), ...entries.keys()]))
        if (!names.has(plugin)) known.forget(plugin);
      for (const object of plugins) {
        const before = entries.get(nameOf(object));
        const entry = before?.object === object ? before : withPlan(object, before?.there ?? options.running());
        entries.set(nameOf(object), entry);
        offer(nameOf(object), entry, options, known);
      }
    },
    fetched() {
      for (const [plugin, entry] of entries) offer(plugin, entry, options, known);
    },
  };
}

function offer(
  plugin: string,
  entry: Followed,
  { newest, clock }: OffersOptions,
  { versions, judge, inTheWayOf }: Knowledge,
): void {
  const { object, plan, offered } = entry;
  const state = newest(object.metadata.namespace, object.metadata.name);
  if (state.kind !== "module" || (offered?.module === state.module && offered.settings === state.settings)) return;
  entry.offered = { module: state.module, settings: state.settings };
  const before = versions.of(plugin).candidate;
  const version = versions.keep(plugin, state);
  const waits =
    plan !== undefined &&
    (plan.steps[0]?.percent ?? 0) > 0 &&
    candidateShare(versions.of(plugin)) === 0 &&
    inTheWayOf(plugin).length > 0;
  versions.apply(plugin, { kind: "version", version, plan, waits, nowMs: clock.nowMs() });
  // At once, not at the next tick: later its own requests would stand among those from before it.
  if (versions.of(plugin).candidate?.version !== before?.version) void judge.look(plugin, object, versions.of(plugin));
}

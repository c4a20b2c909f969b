// Versions that proxies would not load where there is none to go back to: something stands in for them, as failStrategy
// says.
import type { Logger } from "../telemetry/logger.ts";
import type { VersionId } from "./state.ts";
import type { Versions } from "./versions.ts";

export interface StandIns {
  /**
   * Proxies refuse what they were given of a plugin: it goes back, or something stands in. Returns whether something
   * does from now on.
   */
  refused(plugin: string, why: string, nowMs: number): boolean;
  /** Why something stands in for a plugin's version; undefined when it is served itself. */
  for(plugin: string, version: VersionId | undefined): string | undefined;
  /** The plugin has another version now, or is gone. */
  forget(plugin: string): void;
}

/** Returns stand-ins of which there are none yet. */
export function createStandIns(versions: Pick<Versions, "of" | "apply">, log: Pick<Logger, "warn">): StandIns {
  const unloadable = new Map<string, { readonly version: VersionId | undefined; readonly why: string }>();
  return {
    refused(plugin, why, nowMs) {
      const { stable } = versions.of(plugin);
      const refusal = versions.apply(plugin, { kind: "refused", why, nowMs });
      if (refusal === undefined || unloadable.get(plugin)?.version === stable) return false;
      unloadable.set(plugin, { version: stable, why });
      log.warn(
        { plugin, version: stable, why },
        "proxies would not load a plugin, and there is no version before it: " +
          "its failStrategy says what happens to requests",
      );
      return true;
    },
    for(plugin, version) {
      const known = unloadable.get(plugin);
      return known !== undefined && known.version === version ? known.why : undefined;
    },
    forget: (plugin) => void unloadable.delete(plugin),
  };
}

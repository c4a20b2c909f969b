// Which of the proxies there are a share of them is: by their buckets, but of two never none and never both.
import { candidateShare, type RolloutState } from "./state.ts";

/**
 * Returns the bucket below which a share of these proxies lies. One of them is always in, or nobody would watch the
 * step; where there are two, one stays with the version before.
 */
export function reachOf(buckets: readonly number[], percent: number): number {
  if (percent <= 0 || percent >= 100 || buckets.length === 0) return percent;
  const [least, most] = [Math.min(...buckets), Math.max(...buckets)];
  return Math.max(least + 1, most > least ? Math.min(percent, most) : percent);
}

export interface Reaches {
  of(plugin: string): number;
  /** The plugin's state is another one now. */
  forget(plugin: string): void;
  /** Looks at the proxies that there are now; returns whether a share reaches others for that. */
  renew(): boolean;
}

export interface ReachOptions {
  readonly stateOf: (plugin: string) => RolloutState;
  /** Of the plugin's proxies. */
  readonly bucketsOf: (plugin: string) => readonly number[];
}

/** Returns the reaches of candidates; proxies that come and go count from the next `renew`. */
export function createReaches({ stateOf, bucketsOf }: ReachOptions): Reaches {
  const known = new Map<string, number>();
  const find = (plugin: string): number => {
    const state = stateOf(plugin);
    const percent = candidateShare(state);
    return percent === 0 || percent === 100 || state.candidate?.plan.of === "requests"
      ? percent
      : reachOf(bucketsOf(plugin), percent);
  };
  return {
    of(plugin) {
      let reach = known.get(plugin);
      if (reach === undefined) known.set(plugin, (reach = find(plugin)));
      return reach;
    },
    forget: (plugin) => void known.delete(plugin),
    renew() {
      let isOther = false;
      for (const [plugin, before] of known) {
        const now = find(plugin);
        if (now !== before) isOther = true;
        known.set(plugin, now);
      }
      return isOther;
    },
  };
}

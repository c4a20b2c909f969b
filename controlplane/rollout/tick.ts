// What is done again and again while plugins are there: their traps are told of, waiting versions begin, and candidates
// are judged.
import type { MeshObject } from "../model/object.ts";
import type { Clock } from "../telemetry/clock.ts";
import type { Logger } from "../telemetry/logger.ts";
import type { Judge } from "./judgement.ts";
import { tellTrap } from "./status.ts";
import type { TrapCounts } from "./trap-counts.ts";
import type { Trap } from "./traps.ts";
import type { Versions } from "./versions.ts";

export interface TickParts {
  readonly entries: ReadonlyMap<string, { readonly object: MeshObject<"WasmPlugin"> }>;
  readonly versions: Versions;
  readonly traps: TrapCounts;
  readonly judge: Judge;
  /** The plugins whose rollouts share a proxy with this one. */
  readonly inTheWayOf: (plugin: string) => readonly string[];
  /**
   * Why proxies will not have what they were given of a plugin, as they say now: all of them are looked through, once
   * for all plugins.
   */
  readonly refusals: () => (plugin: string) => string | undefined;
  readonly refused: (plugin: string, why: string) => void;
  /** The traps that proxies (`<pod>.<namespace>`) told of since this was last called; at first all that are known. */
  readonly newTraps: () => Promise<readonly { readonly proxy: string; readonly trap: Trap }[]>;
  /** Called for each trap of a plugin; `isFirst`: of its version. */
  readonly onTrap: (plugin: string, isFirst: boolean) => void;
  readonly clock: Clock;
  readonly log: Pick<Logger, "info" | "warn">;
}

/** Smaller ones are none that matter to a pause. */
const JUMP_MS = 5_000;

/** Returns what is to be called again and again, once the last call has ended. */
export function createTick(parts: TickParts): () => Promise<void> {
  const { clock } = parts;
  let aheadMs = clock.nowMs() - clock.monotonicMs();
  /**
   * The wall clock as it was when it was last looked at, gone on evenly: a jump in the midst of a tick ends no pause.
   */
  const evenNowMs = (): number => Math.round(clock.monotonicMs() + aheadMs);
  return async () => {
    const jumpMs = clock.nowMs() - clock.monotonicMs() - aheadMs;
    if (Math.abs(jumpMs) > JUMP_MS) {
      aheadMs += jumpMs;
      moveClock(jumpMs, parts);
    }
    if (parts.entries.size === 0) return;
    await noteTraps(parts);
    beginWaiting(parts, evenNowMs);
    const refusalOf = parts.refusals();
    for (const [plugin, { object }] of parts.entries) {
      const { candidate } = parts.versions.of(plugin);
      // What proxies refuse while it waits is not what it brings.
      if (candidate?.waits === true) continue;
      const refusal = refusalOf(plugin);
      if (refusal !== undefined) parts.refused(plugin, refusal);
      else if (candidate !== undefined) await judgeOne(plugin, object, parts, evenNowMs);
    }
  };
}

function moveClock(byMs: number, { entries, versions, judge }: TickParts): void {
  judge.clockMoved(byMs);
  for (const plugin of entries.keys()) versions.apply(plugin, { kind: "clock", byMs });
}

async function noteTraps({ versions, traps, newTraps, onTrap, log }: TickParts): Promise<void> {
  for (const { proxy, trap } of await newTraps()) {
    const whose = versions.marked(trap.mark);
    if (whose === undefined) continue;
    const summary = traps.note(whose.plugin, whose.version, trap, proxy);
    tellTrap(log, whose.plugin, summary);
    onTrap(whose.plugin, summary.count === 1);
  }
}

/** Who came first begins first. Nobody waits for one that waits itself, so somebody can always begin. */
function beginWaiting({ entries, versions, judge, inTheWayOf }: TickParts, nowMs: () => number): void {
  const sinceOf = (plugin: string): number => versions.of(plugin).candidate?.sinceMs ?? 0;
  const waiting = [...entries.keys()]
    .filter((plugin) => versions.of(plugin).candidate?.waits === true)
    .sort((a, b) => sinceOf(a) - sinceOf(b) || (a < b ? -1 : 1));
  for (const plugin of waiting) {
    const object = entries.get(plugin)?.object;
    if (object === undefined || inTheWayOf(plugin).length > 0) continue;
    versions.apply(plugin, { kind: "begin", nowMs: nowMs() });
    // At once, not at the next tick: later its own requests would stand among those from before it.
    void judge.look(plugin, object, versions.of(plugin));
  }
}

async function judgeOne(
  plugin: string,
  object: MeshObject<"WasmPlugin">,
  { versions, judge }: TickParts,
  nowMs: () => number,
): Promise<void> {
  const judged = versions.of(plugin);
  const why = await judge.look(plugin, object, judged);
  // Meanwhile it may have become another's turn: what was counted says nothing of that one.
  if (versions.of(plugin).candidate?.version !== judged.candidate?.version) return;
  versions.apply(
    plugin,
    why === undefined ? { kind: "healthy", nowMs: nowMs() } : { kind: "unhealthy", why, nowMs: nowMs() },
  );
}

// Whether a change has reached whoever sends requests.
import { setTimeout as delay } from "node:timers/promises";
import { machineMs } from "../load/messages.ts";
import { ask } from "./traffic.ts";
import type { World } from "./world.ts";

const WITHIN_MS = 60_000;

/** Resolves when requests show the newest state, with the time each part took from then on. */
export async function arrived(world: World, sinceMs = machineMs()): Promise<Readonly<Record<string, number>>> {
  const { route, plugin, endpoint, services } = world.state();
  const shown =
    (host: string, isNew: (seen: Awaited<ReturnType<typeof ask>>) => boolean) => async (): Promise<boolean> =>
      ask(world.outbound, host).then(
        (seen) => seen.status === 200 && isNew(seen),
        () => false,
      );
  const parts: Readonly<Record<string, () => Promise<boolean>>> = {
    VirtualService: shown("web", ({ headers }) => headers["x-route"] === String(route)),
    endpoint: shown("outside", ({ body }) => body === (endpoint === 0 ? "a" : "b")),
    // Both pods of web in turn.
    plugin: async () =>
      (
        await Promise.all(
          [1, 2, 3, 4].map(() => shown("web", ({ headers }) => headers["x-plugin"] === String(plugin))()),
        )
      ).every(Boolean),
    ...(services > 0 && { "new service": shown(`late-${services}`, ({ body }) => body === "late") }),
  };
  const times = await Promise.all(
    Object.entries(parts).map(async ([name, isThere]) => [name, (await until(name, isThere)) - sinceMs] as const),
  );
  return Object.fromEntries(times);
}

/** Returns when it holds, on the machine's monotonic clock; throws after a minute. */
export async function until(what: string, holds: () => Promise<boolean>): Promise<number> {
  const end = machineMs() + WITHIN_MS;
  while (machineMs() < end) {
    if (await holds()) return machineMs();
    await delay(20);
  }
  throw new Error(`${what} did not come in ${WITHIN_MS / 1000} s`);
}

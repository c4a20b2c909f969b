// Waiting for what another process does: never for a time, always for a condition.
import { setTimeout as delay } from "node:timers/promises";

/** Resolves once the condition holds; fails with what was waited for after a generous time. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  what: string,
  evidence: () => string = () => "",
): Promise<void> {
  for (let tries = 0; tries < 600; tries++) {
    if (await condition()) return;
    await delay(50);
  }
  throw new Error(`waited in vain for ${what}\n${evidence().slice(-4_000)}`);
}

/** Repeats until it returns something other than undefined; throws what it last saw after the deadline. */
export async function eventually<T>(
  what: string,
  attempt: () => Promise<T | undefined> | T | undefined,
  deadlineMs = 30_000,
): Promise<T> {
  const end = Date.now() + deadlineMs;
  let last: unknown = "nothing";
  while (Date.now() < end) {
    try {
      const value = await attempt();
      if (value !== undefined) return value;
    } catch (error) {
      last = error;
    }
    await delay(50);
  }
  throw new Error(`${what}: not seen in ${deadlineMs} ms; last: ${String(last)}`);
}

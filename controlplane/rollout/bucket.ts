// Which proxies a step concerns.
import { createHash } from "node:crypto";

/**
 * Returns a number from 0 to 99 for a proxy, other for each plugin and always the same: who is in at 10 percent stays
 * in at 50.
 */
export function bucketOf(plugin: string, proxy: string): number {
  return createHash("sha256").update(`${plugin}\0${proxy}`).digest().readUInt32BE() % 100;
}

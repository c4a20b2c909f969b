// Ranges of IP addresses as people write them.
import { isIP } from "node:net";

/** This machine's own addresses. */
export const LOOPBACK_RANGES: readonly string[] = ["127.0.0.0/8", "::1/128"];

/**
 * Returns the range in one form (`10.0.0.0/8`; an address alone is a range of one), or undefined when the text is none.
 */
export function parseRange(text: string): string | undefined {
  const [, address = "", bits] = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(text) ?? [];
  const family = isIP(address);
  const longest = family === 4 ? 32 : 128;
  return family === 0 || Number(bits ?? longest) > longest ? undefined : `${address}/${bits ?? longest}`;
}

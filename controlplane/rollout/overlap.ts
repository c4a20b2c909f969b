// Which rollouts stand in one another's way: those that concern the same proxies, for errors and latency are the
// proxy's and not a plugin's.

/** A plugin of which a new version is with some proxies now. */
export interface UnderWay {
  readonly plugin: string;
  readonly proxies: readonly { readonly name: string }[];
}

/**
 * Returns the plugins whose rollouts share a proxy with these, by name. Where none are there yet nobody knows: then all
 * are in the way.
 */
export function inTheWay(
  plugin: string,
  proxies: readonly { readonly name: string }[],
  underWay: readonly UnderWay[],
): readonly string[] {
  const names = new Set(proxies.map(({ name }) => name));
  return underWay
    .filter(
      (other) => other.plugin !== plugin && (names.size === 0 || other.proxies.some(({ name }) => names.has(name))),
    )
    .map((other) => other.plugin)
    .sort();
}

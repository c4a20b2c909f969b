// Whom the mesh trusts with modules: `pluginTrust` of MeshConfig, a field of ours.

/** What is demanded of, and granted to, the modules of some addresses. */
export interface PluginTrustRule {
  /**
   * Patterns of `oci://registry/repository` (without tag) and of http, https and file URLs: `*` stands for a part
   * without `/`, `**` for anything. Empty: all.
   */
  readonly match?: readonly string[];
  /** Public keys in PEM: a module needs a signature by one of them. */
  readonly keys?: readonly string[];
  /** A module may want nothing beyond these capabilities. */
  readonly capabilities?: readonly string[];
}

/** Returns whether a pattern of `match` matches an address. */
export function addressMatches(pattern: string, address: string): boolean {
  return matchesFrom(pattern.split(/(\*\*|\*)/), 0, address);
}

/**
 * Parts alternate between text and wildcard; memory of where a wildcard failed is not needed for patterns this short.
 */
function matchesFrom(parts: readonly string[], index: number, rest: string): boolean {
  const part = parts[index];
  if (part === undefined) return rest === "";
  if (part !== "*" && part !== "**")
    return rest.startsWith(part) && matchesFrom(parts, index + 1, rest.slice(part.length));
  const slash = rest.indexOf("/");
  const longest = part === "**" || slash < 0 ? rest.length : slash;
  for (let length = 0; length <= longest; length++) if (matchesFrom(parts, index + 1, rest.slice(length))) return true;
  return false;
}

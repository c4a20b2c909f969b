// Rules on whose plugins may run: keys that can verify, capabilities that exist, patterns that can match.
import type { FieldPath } from "../model/document.ts";
import type { PluginTrustRule } from "../model/plugin-trust.ts";
import { parsePublicKeys } from "../model/public-key.ts";
import { parseCapabilities } from "../model/wasm-capabilities.ts";
import { each, type Loose } from "./checks.ts";
import type { Findings } from "./violation.ts";

/** Checks `pluginTrust` of MeshConfig. */
export function checkPluginTrust(
  rules: Loose<readonly PluginTrustRule[]> | undefined,
  at: FieldPath,
  findings: Findings,
): void {
  each(rules, at, (rule, path) => {
    if (rule.keys === undefined && rule.capabilities === undefined)
      findings.error(path, "demands nothing: give keys, capabilities or both");
    each(rule.match, [...path, "match"], (pattern, place) => {
      if (/^(oci|https?|file):\/\/./.test(pattern) || pattern.startsWith("**")) return;
      findings.error(
        place,
        "must begin with oci://, https://, http://, file:// or **: patterns are held against whole addresses",
      );
    });
    if (rule.keys?.length === 0)
      findings.error([...path, "keys"], "must hold a key: without one no module could be trusted");
    each(rule.keys, [...path, "keys"], (pem, place) => {
      const keys = parsePublicKeys(pem);
      if (keys.kind === "failed") findings.error(place, keys.message);
    });
    const named = parseCapabilities((rule.capabilities ?? []).filter((name) => name !== undefined));
    if (named.kind === "failed") findings.error([...path, "capabilities"], named.message);
  });
}

import { OLDEST_ENVOY, PINNED_ENVOY } from "../envoy/install.mjs";
import { SCRIM_VERSION } from "../settings/version.ts";

/** Returns what `scrim version` prints. */
export function describeVersion(nodeVersion: string): {
  readonly scrim: string;
  readonly node: string;
  readonly envoy: { readonly pinned: string; readonly oldest: string };
} {
  return { scrim: SCRIM_VERSION, node: nodeVersion, envoy: { pinned: PINNED_ENVOY.version, oldest: OLDEST_ENVOY } };
}

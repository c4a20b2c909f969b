import manifest from "../../package.json" with { type: "json" };
import { OLDEST_ENVOY, PINNED_ENVOY } from "../envoy/install.mjs";

/** The version of Scrim. */
export const scrimVersion: string = manifest.version;

/** Returns what `scrim version` prints. */
export function describeVersion(nodeVersion: string): { readonly scrim: string; readonly node: string; readonly envoy: { readonly pinned: string; readonly oldest: string } } {
  return { scrim: scrimVersion, node: nodeVersion, envoy: { pinned: PINNED_ENVOY.version, oldest: OLDEST_ENVOY } };
}

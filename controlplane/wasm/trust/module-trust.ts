// What is demanded of a plugin's module before it may run, and what it may do then: from the plugin itself and from the
// mesh's settings. Pure.
import type { MeshObject } from "../../model/object.ts";
import { addressMatches, type PluginTrustRule } from "../../model/plugin-trust.ts";
import { type CapabilityList, parseCapabilities } from "../../model/wasm-capabilities.ts";
import { failedAt, type PluginFailure } from "../plugin-failure.ts";

export interface ModuleTrust {
  /** Each needs a signature by one of its keys (PEM). */
  readonly demands: readonly { readonly by: string; readonly keys: readonly string[] }[];
  /** Each bounds what a module may want; `by` is where it is written. */
  readonly grants: readonly { readonly by: string; readonly capabilities: readonly string[] }[];
  /** What makes the rules themselves unusable: then nothing may run. */
  readonly fault?: PluginFailure;
}

/** On a WasmPlugin: everything its module may want, as in `headers, http-calls`. */
export const CAPABILITIES_ANNOTATION = "scrim.mesh/capabilities";

/** Returns the trust for a plugin whose module is at `address`. */
export function trustOf(
  { metadata: { annotations }, spec: { verificationKey } }: MeshObject<"WasmPlugin">,
  address: string,
  rules: readonly PluginTrustRule[],
): ModuleTrust {
  const applying = rules
    .map((rule, index) => ({ rule, by: `pluginTrust[${index}] of MeshConfig` }))
    .filter(
      ({ rule: { match = [] } }) => match.length === 0 || match.some((pattern) => addressMatches(pattern, address)),
    );
  const annotation = Object.hasOwn(annotations, CAPABILITIES_ANNOTATION)
    ? annotations[CAPABILITIES_ANNOTATION]
    : undefined;
  const own = annotation === undefined ? undefined : capabilitiesIn(annotation);
  const field = `metadata.annotations["${CAPABILITIES_ANNOTATION}"]`;
  return {
    demands: [
      ...(verificationKey === undefined || verificationKey === ""
        ? []
        : [{ by: "spec.verificationKey", keys: [verificationKey] }]),
      ...applying.flatMap(({ rule: { keys = [] }, by }) => (keys.length === 0 ? [] : [{ by, keys }])),
    ],
    grants: [
      ...(own?.kind === "capabilities"
        ? [{ by: `annotation ${CAPABILITIES_ANNOTATION}`, capabilities: own.names }]
        : []),
      ...applying.flatMap(({ rule: { capabilities }, by }) =>
        capabilities === undefined ? [] : [{ by, capabilities }],
      ),
    ],
    ...(own?.kind === "failed" && { fault: failedAt(field, own.code, own.message) }),
  };
}

function capabilitiesIn(text: string): CapabilityList {
  return parseCapabilities(text.split(/[\s,]+/).filter((word) => word !== ""));
}

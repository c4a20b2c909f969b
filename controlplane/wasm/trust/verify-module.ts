// consumes: an acquired module, what is demanded of it
// produces: whether it carries the signatures demanded, and what it may do when it runs
// never does: run anything of it
import type { KeyObject } from "node:crypto";
import { isFailed } from "../../model/failure.ts";
import { parsePublicKeys } from "../../model/public-key.ts";
import type { AcquiredModule } from "../acquired-module.ts";
import { envoyCapabilities, notGranted, wantedGroups } from "../../model/wasm-capabilities.ts";
import { findManifest, type PluginManifest } from "../module/plugin-manifest.ts";
import { describeModule } from "../module/describe-module.ts";
import type { ModuleTrust } from "./module-trust.ts";
import { isSignatureBy, type Signature } from "./signature.ts";

export type Verified =
  | {
      readonly ok: true;
      /** Host functions and callbacks that the proxy lets the module use; undefined: nobody said, so all. */
      readonly capabilities: readonly string[] | undefined;
      /** Groups of them, for people and for comparing versions. */
      readonly wants: readonly string[];
      /** What its manifest says of its configuration. */
      readonly configSchema?: PluginManifest["configSchema"];
    }
  | { readonly ok: false; readonly field: string; readonly message: string };

/** Returns whether a module may run under these rules. */
export async function verifyModule(acquired: AcquiredModule, trust: ModuleTrust): Promise<Verified> {
  if (trust.fault !== undefined) return { ok: false, ...trust.fault };
  for (const demand of trust.demands) {
    const refusal = await missingSignature(acquired, demand);
    if (refusal !== undefined) return refusal;
  }
  return bounded(acquired, trust);
}

async function missingSignature(
  { module, image, signatures }: AcquiredModule,
  { by, keys: pems }: ModuleTrust["demands"][number],
): Promise<Verified | undefined> {
  const field = by.startsWith("spec.") ? by : "spec.url";
  const keys: KeyObject[] = [];
  for (const pem of pems) {
    const parsed = parsePublicKeys(pem);
    if (!parsed.ok) return { ok: false, field, message: `${by} ${parsed.message}` };
    keys.push(...parsed.keys);
  }
  const thing = {
    bytes: module.bytes,
    imageDigests: image === undefined ? [] : [...new Set([image.digest, image.manifestDigest])],
  };
  const holds = (found: readonly Signature[]) => found.some((signature) => isSignatureBy(signature, thing, keys));
  if (holds(signatures.known)) return undefined;
  const found = await signatures.fetch();
  if (found.ok && holds(found.signatures)) return undefined;
  const seen = found.ok
    ? found.signatures.length === 0
      ? "it has none"
      : `none of its ${found.signatures.length} is`
    : found.message;
  return {
    ok: false,
    field,
    message: `the module ${thing.imageDigests[0] ?? `sha256:${module.sha256}`} must be signed by a key of ${by}, and ${seen}`,
  };
}

function bounded({ module, image }: AcquiredModule, { grants }: ModuleTrust): Verified {
  const described = describeModule(module.bytes);
  if (isFailed(described)) {
    // Where it is bounded what a module may want, nothing starts of which that is not known. Else the check refuses it,
    // in more words.
    return grants.length === 0
      ? { ok: true, capabilities: undefined, wants: [] }
      : { ok: false, field: "spec.url", message: `the module's wants cannot be known: it ${described.message}` };
  }
  const found = findManifest(described, image?.annotations);
  if (!found.ok) return { ok: false, field: "spec.url", message: found.message };
  const { capabilities: declared, configSchema } = found.manifest ?? {};
  const wants = wantedGroups(described, declared);
  for (const { by, capabilities } of grants) {
    const missing = notGranted(wants, capabilities);
    if (missing.length > 0)
      return {
        ok: false,
        field: "spec.url",
        message: `the module wants ${missing.join(", ")}, which the ${by} does not grant`,
      };
  }
  const allowed = declared ?? grants[0]?.capabilities;
  return {
    ok: true,
    wants,
    capabilities: allowed === undefined ? undefined : envoyCapabilities(described, allowed),
    ...(configSchema !== undefined && { configSchema }),
  };
}

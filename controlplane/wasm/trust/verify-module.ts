// consumes: an acquired module, what is demanded of it
// produces: whether it carries the signatures demanded, and what it may do when it runs
// never does: run anything of it
import type { KeyObject } from "node:crypto";
import { isFailed } from "../../model/failure.ts";
import { parsePublicKeys } from "../../model/public-key.ts";
import type { PluginSettings } from "../../model/plugin.ts";
import type { AcquiredModule, FoundSignatures } from "../acquired-module.ts";
import { failedAt, type PluginFailure } from "../plugin-failure.ts";
import { envoyCapabilities, notGranted, wantedGroups } from "../../model/wasm-capabilities.ts";
import { findManifest, type PluginManifest, unreadFields } from "../module/plugin-manifest.ts";
import { describeModule } from "../module/describe-module.ts";
import type { ModuleTrust } from "./module-trust.ts";
import { isSignatureBy, type Signature } from "./signature.ts";

/** What a module may do that carries the signatures demanded. */
export interface VerifiedModule {
  /** Host functions and callbacks that the proxy lets the module use; undefined: nobody said, so all. */
  readonly capabilities: readonly string[] | undefined;
  /** Groups of them, for people and for comparing versions. */
  readonly wants: readonly string[];
  /** What its manifest says of its configuration. */
  readonly configSchema?: PluginManifest["configSchema"] | undefined;
  /** Whether its manifest says that it holds headers until it has seen the body. */
  readonly allowOnHeadersStopIteration?: boolean | undefined;
  /** What people should know of its manifest. */
  readonly warnings?: readonly string[];
}

/** Returns whether a module may run under these rules, and what it may do then. */
export async function verifyModule(
  acquired: AcquiredModule,
  trust: ModuleTrust,
): Promise<VerifiedModule | PluginFailure> {
  if (trust.fault !== undefined) return trust.fault;
  for (const demand of trust.demands) {
    const refusal = await missingSignature(acquired, demand);
    if (refusal !== undefined) return refusal;
  }
  return bounded(acquired, trust);
}

/**
 * Returns what a module starts with: it may do what it says, within what is granted, and stops as it says, unless the
 * settings say otherwise.
 */
export function withVerified(
  settings: PluginSettings,
  { capabilities, allowOnHeadersStopIteration: stops }: VerifiedModule,
): PluginSettings {
  return {
    ...(stops === true && { allowOnHeadersStopIteration: true }),
    ...settings,
    ...(capabilities !== undefined && { capabilities }),
  };
}

async function missingSignature(
  { module, image, signatures }: AcquiredModule,
  { by, keys: pems }: ModuleTrust["demands"][number],
): Promise<PluginFailure | undefined> {
  const field = by.startsWith("spec.") ? by : "spec.url";
  const keys: KeyObject[] = [];
  for (const pem of pems) {
    const parsed = parsePublicKeys(pem);
    if (parsed.kind === "failed") return failedAt(field, "invalid-key", `${by} ${parsed.message}`);
    keys.push(...parsed.keys);
  }
  const thing = {
    bytes: module.bytes,
    imageDigests: image === undefined ? [] : [...new Set([image.digest, image.manifestDigest])],
  };
  const holds = (found: readonly Signature[]) => found.some((signature) => isSignatureBy(signature, thing, keys));
  if (holds(signatures.known)) return undefined;
  const found = await signatures.fetch();
  if (!isFailed(found) && holds(found)) return undefined;
  const digest = thing.imageDigests[0] ?? `sha256:${module.sha256}`;
  const message = `the module ${digest} must be signed by a key of ${by}, and ${whatIsThere(found)}`;
  return failedAt(field, "unsigned", message);
}

function whatIsThere(found: FoundSignatures): string {
  if (isFailed(found)) return found.message;
  return found.length === 0 ? "it has none" : `none of its ${found.length} is`;
}

function bounded({ module, image }: AcquiredModule, { grants }: ModuleTrust): VerifiedModule | PluginFailure {
  const described = describeModule(module.bytes);
  if (isFailed(described)) {
    // Where it is bounded what a module may want, nothing starts of which that is not known. Else the check refuses it,
    // in more words.
    return grants.length === 0
      ? { capabilities: undefined, wants: [] }
      : failedAt("spec.url", described.code, `the module's wants cannot be known: it ${described.message}`);
  }
  const found = findManifest(described, image?.annotations);
  if (found !== undefined && isFailed(found)) return failedAt("spec.url", found.code, found.message);
  const { capabilities: declared, configSchema, allowOnHeadersStopIteration } = found ?? {};
  const unread = found && unreadFields(found);
  const wants = wantedGroups(described, declared);
  for (const { by, capabilities } of grants) {
    const missing = notGranted(wants, capabilities);
    if (missing.length > 0)
      return failedAt(
        "spec.url",
        "not-granted",
        `the module wants ${missing.join(", ")}, which the ${by} does not grant`,
      );
  }
  const allowed = declared ?? grants[0]?.capabilities;
  return {
    wants,
    capabilities: allowed === undefined ? undefined : envoyCapabilities(described, allowed),
    configSchema,
    allowOnHeadersStopIteration,
    ...(unread !== undefined && { warnings: [unread] }),
  };
}

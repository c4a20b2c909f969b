// `scrim plugin push`: a module as an image in a registry.
import { basename } from "node:path";
import { isFailed } from "../../model/failure.ts";
import { readOutboundProxies } from "../../model/outbound-proxy.ts";
import { groupsOf, undeclaredImports } from "../../model/wasm-capabilities.ts";
import { createAddressPolicy } from "../../wasm/fetch/address-policy.ts";
import { createHttpClient } from "../../wasm/fetch/http-client.ts";
import { describeSdk } from "../../wasm/module/describe-sdk.ts";
import { parseManifestText, type PluginManifest, unreadFields } from "../../wasm/module/plugin-manifest.ts";
import { describeModule, type ModuleDescription } from "../../wasm/module/describe-module.ts";
import type { ImageLayout } from "../../wasm/oci/layouts.ts";
import { type PackedImage, packImage } from "../../wasm/oci/pack-image.ts";
import { pushImage } from "../../wasm/oci/push-image.ts";
import { formatImageReference, type ImageReference } from "../../wasm/oci/reference.ts";
import { createRegistryClient, type RegistryClient } from "../../wasm/oci/registry-client.ts";
import type { CommandContext } from "../context.ts";
import { commandFailure } from "../exit-codes.ts";
import { renderValue } from "../output.ts";
import { registryCredentialOf, EVERYWHERE, plainRegistriesOf, type RegistryOptions, TIMEOUT_MS } from "./options.ts";
import { readNamedFile } from "./read-file.ts";
import { readModuleFile, requireImage } from "./read-module.ts";

export interface PushOptions extends RegistryOptions {
  readonly layout: ImageLayout;
  readonly manifest?: string;
  readonly output: "text" | "json";
}

/** Packs the module of `file`, pushes it and prints its name by digest. */
export async function pushPlugin(
  file: string,
  image: string,
  options: PushOptions,
  context: CommandContext,
): Promise<void> {
  const reference = requireImage(image);
  if (reference.digest !== undefined)
    throw commandFailure(
      "usage",
      `${image} names a digest: give a tag to push to, the digest follows from the module.`,
    );
  const {
    module: { bytes: module },
  } = await readModuleFile(file, context);
  const described = requirePlugin(file, module);
  const { text, manifest } = await readManifest(options.manifest, context);
  warnOfUndeclared(described, manifest, context);
  const packed = packImage(module, {
    layout: options.layout,
    manifestText: text,
    title: manifest?.name ?? basename(file),
    version: manifest?.version,
  });
  const failure = await pushImage(await clientFor(reference, options, context), packed, reference.tag);
  if (failure !== undefined) throw commandFailure("failed", `${image} was not pushed: ${failure.message}.`);
  tell(reference, packed, module.length, options, context);
}

function requirePlugin(file: string, module: Uint8Array): ModuleDescription {
  const described = describeModule(module);
  if (isFailed(described)) throw commandFailure("failed", `${file} ${described.message}.`);
  if (describeSdk(described, module).abiVersion === undefined)
    throw commandFailure(
      "failed",
      `${file} is no plugin: it exports no proxy_abi_version_…, as every module for Envoy does.`,
    );
  return described;
}

async function clientFor(
  image: ImageReference,
  options: PushOptions,
  context: CommandContext,
): Promise<RegistryClient> {
  const proxies = readOutboundProxies(context.environment.variables);
  return createRegistryClient({
    http: createHttpClient({ addresses: createAddressPolicy(EVERYWHERE), maxRedirects: 5, proxies }),
    image,
    credential: await registryCredentialOf(image, options, context),
    plainRegistries: plainRegistriesOf(options),
    deadline: AbortSignal.timeout(TIMEOUT_MS),
    actions: "pull,push",
  });
}

function tell(
  reference: ImageReference,
  { digest }: PackedImage,
  bytes: number,
  { layout, output }: PushOptions,
  { terminal }: CommandContext,
): void {
  const image = formatImageReference(reference);
  const byDigest = formatImageReference({ ...reference, digest });
  terminal.out(
    output === "json"
      ? renderValue({ image, digest, byDigest, layout, bytes }, "json")
      : `pushed ${image} (${layout}, ${bytes} bytes)\n${byDigest}\n`,
  );
}

async function readManifest(
  file: string | undefined,
  { terminal }: CommandContext,
): Promise<{ readonly text: string; readonly manifest: PluginManifest | undefined }> {
  if (file === undefined) return { text: "", manifest: undefined };
  const content = await readNamedFile(file, file);
  const parsed = parseManifestText(content, file);
  if (isFailed(parsed)) throw commandFailure("failed", `${parsed.message}.`);
  // Loaded here: every other command would wait for it.
  const { schemaFault } = await import("../../wasm/module/config-schema.ts");
  const fault = parsed.configSchema === undefined ? undefined : schemaFault(parsed.configSchema);
  if (fault !== undefined) throw commandFailure("failed", `${file} has a configSchema that ${fault}.`);
  const unread = unreadFields(parsed);
  if (unread !== undefined) terminal.err(`scrim: ${file}: ${unread}\n`);
  return { text: JSON.stringify(JSON.parse(content)), manifest: parsed };
}

function warnOfUndeclared(
  described: ModuleDescription,
  manifest: PluginManifest | undefined,
  { terminal }: CommandContext,
): void {
  const refused =
    manifest?.capabilities === undefined ? [] : groupsOf(undeclaredImports(described, manifest.capabilities));
  if (refused.length > 0)
    terminal.err(
      `scrim: the module imports functions of ${refused.join(", ")} that its manifest does not declare: ` +
        "proxies will refuse these calls\n",
    );
}

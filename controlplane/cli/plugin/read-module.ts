// A module that a command names: a file, a URL or an image.
import { resolve } from "node:path";
import { isFailed } from "../../model/failure.ts";
import { readOutboundProxies } from "../../model/outbound-proxy.ts";
import type { AcquiredModule } from "../../wasm/acquired-module.ts";
import { parseImageReference } from "../../wasm/oci/reference.ts";
import { createAcquirerFor } from "../../wasm/plugin-fetcher.ts";
import type { PluginLocation } from "../../wasm/plugin-source.ts";
import type { CommandContext } from "../context.ts";
import { commandFailure } from "../exit-codes.ts";
import {
  registryCredentialOf,
  EVERYWHERE,
  MAX_MODULE_BYTES,
  plainRegistriesOf,
  type RegistryOptions,
  TIMEOUT_MS,
} from "./options.ts";

type ReadContext = Pick<CommandContext, "environment" | "clock" | "terminal">;

/** Returns the module that `source` names now. Throws CommandFailure. */
export async function readModule(
  source: string,
  options: RegistryOptions,
  context: ReadContext,
): Promise<AcquiredModule> {
  return acquire(source, await locationOf(source, options, context), options, context);
}

/** Returns the module in a file. Throws CommandFailure. */
export async function readModuleFile(file: string, context: ReadContext): Promise<AcquiredModule> {
  return acquire(file, { kind: "file", path: resolve(file) }, {}, context);
}

async function acquire(
  source: string,
  location: PluginLocation,
  options: RegistryOptions,
  { environment, clock }: ReadContext,
): Promise<AcquiredModule> {
  const acquirer = createAcquirerFor({
    cacheDir: environment.cacheDir,
    clock,
    allowFetchFrom: EVERYWHERE,
    plainRegistries: plainRegistriesOf(options),
    proxies: readOutboundProxies(environment.variables),
    maxModuleBytes: MAX_MODULE_BYTES,
    downloadTimeoutMs: TIMEOUT_MS,
  });
  const settings = { configuration: "", rootId: "", environment: {}, hostEnvironment: [] };
  const got = await acquirer.acquire({ location, reuse: false, settings, trust: { demands: [], grants: [] } }, true);
  // What was fetched before will not do: somebody asked for what is there now.
  if (!isFailed(got) && got.stale === undefined) return got;
  // Commands have no such option: all they may not reach are services of the cloud's own.
  const failure = (isFailed(got) ? got.message : (got.stale ?? "")).replace(
    /, from which plugins are fetched only if .*$/,
    ", from which nothing is fetched",
  );
  const said = failure.startsWith(source) ? failure : `${source} cannot be had: ${failure}`;
  throw commandFailure("failed", `${said}${location.kind === "file" ? hintAt(source) : ""}.`);
}

/** Who leaves out the scheme of an image names a file. */
function hintAt(source: string): string {
  const isLikeImage = /^[^./][^/]*[.:][^/]*\/|:[\w.-]+$/.test(source) && parseImageReference(source) !== undefined;
  return isLikeImage ? `; an image is written oci://${source}` : "";
}

async function locationOf(source: string, options: RegistryOptions, context: ReadContext): Promise<PluginLocation> {
  const [, scheme] = /^([a-z][a-z0-9+.-]*):\/\//i.exec(source) ?? [];
  switch (scheme?.toLowerCase()) {
    case undefined:
    case "file":
      return { kind: "file", path: resolve(source.replace(/^file:\/\//i, "")) };
    case "http":
    case "https":
      if (!URL.canParse(source)) throw commandFailure("usage", `${source} is no URL.`);
      return { kind: "http", url: new URL(source).href };
    case "oci": {
      const reference = requireImage(source);
      return { kind: "image", reference, credential: await registryCredentialOf(reference, options, context) };
    }
    default:
      throw commandFailure(
        "usage",
        `${source} cannot be fetched: write oci://REGISTRY/REPOSITORY:TAG, an http(s) URL or a file.`,
      );
  }
}

/** Returns the image's reference. Throws CommandFailure. */
export function requireImage(text: string): NonNullable<ReturnType<typeof parseImageReference>> {
  const reference = parseImageReference(text.replace(/^oci:\/\//i, "oci://"));
  if (reference === undefined)
    throw commandFailure("usage", `${text} names no image: write oci://REGISTRY/REPOSITORY:TAG.`);
  return reference;
}

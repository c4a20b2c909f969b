// A module that a command names: a file, a URL or an image.
import { resolve } from "node:path";
import { readOutboundProxies } from "../../model/outbound-proxy.ts";
import type { AcquiredModule } from "../../wasm/acquired-module.ts";
import { parseImageReference } from "../../wasm/oci/reference.ts";
import { createAcquirerFor } from "../../wasm/plugin-fetcher.ts";
import type { PluginLocation } from "../../wasm/plugin-source.ts";
import type { CommandContext } from "../context.ts";
import { CommandFailure, exitCodes } from "../exit-codes.ts";
import { credentialOf, EVERYWHERE, MAX_MODULE_BYTES, plainRegistriesOf, type RegistryOptions, TIMEOUT_MS } from "./options.ts";

type ReadContext = Pick<CommandContext, "environment" | "clock" | "terminal">;

/** Returns the module that `source` names now. Throws CommandFailure. */
export async function readModule(source: string, options: RegistryOptions, context: ReadContext): Promise<AcquiredModule> {
  const { environment, clock } = context;
  const location = await locationOf(source, options, context);
  const acquirer = createAcquirerFor({
    cacheDir: environment.cacheDir, clock, allowFetchFrom: EVERYWHERE, plainRegistries: plainRegistriesOf(options), proxies: readOutboundProxies(environment.variables), maxModuleBytes: MAX_MODULE_BYTES, downloadTimeoutMs: TIMEOUT_MS,
  });
  const settings = { configuration: "", rootId: "", environment: {}, hostEnvironment: [] };
  const got = await acquirer.acquire({ location, reuse: false, settings, trust: { demands: [], grants: [] } }, true);
  // What was fetched before will not do: somebody asked for what is there now.
  if (got.ok && got.acquired.stale === undefined) return got.acquired;
  const failure = got.ok ? got.acquired.stale ?? "" : got.message;
  const hint = location.kind === "file" && parseImageReference(source)?.registry.includes(":") === true ? `; an image is written oci://${source}` : "";
  throw new CommandFailure(exitCodes.failed, `${failure.startsWith(source) ? failure : `${source} cannot be had: ${failure}`}${hint}.`);
}

async function locationOf(source: string, options: RegistryOptions, context: ReadContext): Promise<PluginLocation> {
  if (/^https?:\/\//.test(source)) {
    if (!URL.canParse(source)) throw new CommandFailure(exitCodes.usage, `${source} is no URL.`);
    return { kind: "http", url: new URL(source).href };
  }
  if (!source.startsWith("oci://")) return { kind: "file", path: resolve(source.replace(/^file:\/\//, "")) };
  const reference = requireImage(source);
  const credential = await credentialOf(reference, options, context);
  return { kind: "image", reference, ...(credential !== undefined && { credential }) };
}

/** Returns the image's reference. Throws CommandFailure. */
export function requireImage(text: string): NonNullable<ReturnType<typeof parseImageReference>> {
  const reference = parseImageReference(text);
  if (reference === undefined) throw new CommandFailure(exitCodes.usage, `${text} names no image: write oci://REGISTRY/REPOSITORY:TAG.`);
  return reference;
}

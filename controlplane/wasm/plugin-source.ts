// What a WasmPlugin asks for, in the terms of fetching: where the bytes are, how they are verified, what they start
// with.
import { resolve as resolvePath } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { parseDurationMs } from "../model/duration.ts";
import type { MeshObject } from "../model/object.ts";
import { baseFolderOf } from "../model/origin.ts";
import type { PluginTrustRule } from "../model/plugin-trust.ts";
import type { PluginBudget, PluginSettings } from "../model/plugin.ts";
import { isFailed } from "../model/failure.ts";
import { budgetOf, DEFAULT_BUDGET } from "./meter/metered-module.ts";
import { formatImageReference, type ImageReference, parseImageReference } from "./oci/reference.ts";
import type { RegistryCredential } from "./oci/credentials.ts";
import { readPullSecret } from "./oci/pull-secret.ts";
import { failedAt, type PluginFailure } from "./plugin-failure.ts";
import { type ModuleTrust, trustOf } from "./trust/module-trust.ts";

export type PluginLocation =
  | { readonly kind: "file"; readonly path: string }
  | { readonly kind: "http"; readonly url: string }
  | { readonly kind: "image"; readonly reference: ImageReference; readonly credential?: RegistryCredential | undefined }
  /** There is none that is understood. */
  | PluginFailure;

export interface PluginSource {
  readonly location: PluginLocation;
  /** Lower-case hexadecimal digest, of the bytes, or of the image; undefined: any. */
  readonly sha256?: string | undefined;
  /** What the same URL gave before will do. */
  readonly reuse: boolean;
  /** After this time it is asked whether the URL gives something else now; undefined: never. */
  readonly pollMs?: number | undefined;
  readonly trust: ModuleTrust;
  readonly settings: PluginSettings;
}

/** What else of the mesh a plugin's source depends on. */
export interface PluginSurroundings {
  secret(namespace: string, name: string): MeshObject<"Secret"> | undefined;
  readonly pluginTrust: readonly PluginTrustRule[];
}

export const noSurroundings: PluginSurroundings = { secret: () => undefined, pluginTrust: [] };

/** On a WasmPlugin: how often a tag or URL is asked for again, as in `5m`. */
export const POLL_ANNOTATION = "scrim.mesh/poll-interval";
const SHORTEST_POLL_MS = 1_000;

/** Returns what a plugin asks for. A file's path is relative to the folder of the file that holds the object. */
export function pluginSource(
  plugin: MeshObject<"WasmPlugin">,
  around: PluginSurroundings = noSurroundings,
): PluginSource {
  const { sha256 } = plugin.spec;
  const asked = pluginLocation(plugin, around);
  const [pollMs, budget, stops] = [pollIntervalOf(plugin), budgetOf(plugin), stopsHeadersAlone(plugin)];
  return {
    location: [pollMs, budget, stops].find(isFault) ?? asked,
    sha256: sha256 === undefined || sha256 === "" ? undefined : sha256.toLowerCase().replace(/^sha256:/, ""),
    reuse: mayReuse(plugin, asked),
    pollMs: typeof pollMs === "object" ? undefined : pollMs,
    trust: trustOf(plugin, addressOf(isFailed(budget) ? budget : asked), around.pluginTrust),
    settings: settingsOf(plugin, isFailed(budget) ? undefined : budget, isFault(stops) ? undefined : stops),
  };
}

function isFault(value: unknown): value is PluginFailure {
  return typeof value === "object" && value !== null && "kind" in value && value.kind === "failed";
}

/** What the same URL gave before will do, as in Istio: not for `latest`, unless the plugin says so. */
function mayReuse({ spec: { imagePullPolicy } }: MeshObject<"WasmPlugin">, location: PluginLocation): boolean {
  if (imagePullPolicy !== undefined && imagePullPolicy !== "UNSPECIFIED_POLICY") return imagePullPolicy !== "Always";
  return !(location.kind === "image" && location.reference.digest === undefined && location.reference.tag === "latest");
}

function settingsOf(
  { spec: { pluginConfig, pluginName, vmConfig } }: MeshObject<"WasmPlugin">,
  budget: PluginBudget | undefined,
  stops: boolean | undefined,
): PluginSettings {
  const variables = vmConfig?.env ?? [];
  return {
    configuration: pluginConfig === undefined ? "" : JSON.stringify(pluginConfig),
    rootId: pluginName ?? "",
    environment: Object.fromEntries(
      variables
        .filter((variable) => variable.valueFrom !== "HOST")
        .map((variable) => [variable.name, variable.value ?? ""]),
    ),
    hostEnvironment: variables.filter((variable) => variable.valueFrom === "HOST").map((variable) => variable.name),
    ...(stops !== undefined && { allowOnHeadersStopIteration: stops }),
    ...(budget !== undefined && isUnusual(budget) && { budget }),
  };
}

/** On a WasmPlugin: `true` or `false`, whatever the module's manifest says of it. */
export const STOP_ANNOTATION = "scrim.mesh/allow-on-headers-stop-iteration";

function stopsHeadersAlone({
  metadata: { annotations },
}: MeshObject<"WasmPlugin">): boolean | undefined | PluginFailure {
  const text = Object.hasOwn(annotations, STOP_ANNOTATION) ? annotations[STOP_ANNOTATION] : undefined;
  if (text === undefined || text === "") return undefined;
  if (text === "true" || text === "false") return text === "true";
  const message = `is neither true nor false: ${JSON.stringify(text)}`;
  return failedAt(`metadata.annotations["${STOP_ANNOTATION}"]`, "invalid-annotation", message);
}

function isUnusual({ turns, memoryPages }: PluginBudget): boolean {
  return turns !== DEFAULT_BUDGET.turns || memoryPages !== DEFAULT_BUDGET.memoryPages;
}

/** What patterns of `pluginTrust` are held against. */
function addressOf(location: PluginLocation): string {
  switch (location.kind) {
    case "file":
      return pathToFileURL(location.path).href;
    case "http":
      return canonicalUrl(location.url);
    case "image":
      return formatImageReference(location.reference).replace(/(?:@sha256:[0-9a-f]{64}|:[^:/]+)$/, "");
    case "failed":
      return "";
  }
}

/**
 * Without what a server may read in several ways: who asks, the dot at the end of a name, doubled slashes, letters
 * written as %61.
 */
function canonicalUrl(url: string): string {
  const { protocol, host, pathname, search } = new URL(url);
  const path = pathname
    .replaceAll(/%([0-9a-f]{2})/gi, (code, hex: string) => {
      const character = String.fromCharCode(Number.parseInt(hex, 16));
      return /[A-Za-z0-9._~-]/.test(character) ? character : code.toUpperCase();
    })
    .replaceAll(/\/{2,}/g, "/");
  return `${protocol}//${host.replace(/\.(?=:|$)/, "")}${path}${search}`;
}

function pollIntervalOf({ metadata: { annotations } }: MeshObject<"WasmPlugin">): number | undefined | PluginFailure {
  const text = Object.hasOwn(annotations, POLL_ANNOTATION) ? annotations[POLL_ANNOTATION] : undefined;
  if (text === undefined || text === "") return undefined;
  const pollMs = parseDurationMs(text);
  if (pollMs !== undefined && pollMs >= SHORTEST_POLL_MS) return pollMs;
  const message = `is no duration of a second or more: ${JSON.stringify(text)}`;
  return failedAt(`metadata.annotations["${POLL_ANNOTATION}"]`, "invalid-interval", message);
}

function pluginLocation(plugin: MeshObject<"WasmPlugin">, around: PluginSurroundings): PluginLocation {
  const { url } = plugin.spec;
  if (url.startsWith("file://")) return fileLocation(url, baseFolderOf(plugin.origin));
  if (url.startsWith("http://") || url.startsWith("https://")) {
    return URL.canParse(url)
      ? { kind: "http", url: new URL(url).href }
      : unsupported(`${JSON.stringify(url)} is no URL`);
  }
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(url) && !url.startsWith("oci://"))
    return unsupported(`cannot fetch ${JSON.stringify(url)}: write an oci://, https://, http:// or file:// URL`);
  const reference = parseImageReference(url);
  return reference === undefined
    ? unsupported(`${JSON.stringify(url)} is no image: write oci://REGISTRY/REPOSITORY:TAG or …@sha256:DIGEST`)
    : imageLocation(reference, plugin, around);
}

/** A pull secret is of the plugin's own namespace: others cannot be named. */
function imageLocation(
  reference: ImageReference,
  { metadata: { namespace }, spec: { imagePullSecret } }: MeshObject<"WasmPlugin">,
  around: PluginSurroundings,
): PluginLocation {
  if (imagePullSecret === undefined || imagePullSecret === "") return { kind: "image", reference };
  const secret = readPullSecret(around.secret(namespace, imagePullSecret), reference);
  if (secret.kind !== "failed") return { kind: "image", reference, credential: secret };
  const message = `the Secret ${namespace}/${imagePullSecret} ${secret.message}`;
  return failedAt("spec.imagePullSecret", secret.code, message);
}

function unsupported(message: string): PluginLocation {
  return failedAt("spec.url", "unsupported-url", message);
}

/** `file:///a/x.wasm` is absolute; `file://./x.wasm`, `file://../x.wasm` and `file://x.wasm` begin at the YAML file. */
function fileLocation(url: string, folder: string | undefined): PluginLocation {
  const path = url.slice("file://".length);
  if (path === "") return unsupported("the file:// URL names no file");
  if (path.startsWith("/")) return { kind: "file", path: absolutePath(url) ?? path };
  if (folder === undefined)
    return unsupported(`${JSON.stringify(url)} begins at a YAML file, and this object is in none`);
  return { kind: "file", path: resolvePath(folder, path) };
}

function absolutePath(url: string): string | undefined {
  try {
    return fileURLToPath(url);
  } catch {
    return undefined;
  }
}

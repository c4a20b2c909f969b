// What the author of a module says of it: an annotation of its image, or a custom section of the module itself.
//   {"name": "add-header", "version": "1.2.0", "capabilities": ["headers-write", "http-calls"], "configSchema": {…}}
// and "allowOnHeadersStopIteration": true, where the module holds headers until it has seen the body.
import { type Failure, failed } from "../../model/failure.ts";
import { isJsonObject } from "../../model/json-object.ts";
import { parseCapabilities } from "../../model/wasm-capabilities.ts";
import type { ModuleDescription } from "./describe-module.ts";

/** The annotation of an image's manifest, and the name of the custom section. */
export const MANIFEST_ANNOTATION = "mesh.scrim.plugin.manifest";
export const MANIFEST_SECTION = "scrim.manifest";

export interface PluginManifest {
  readonly name?: string;
  readonly version?: string;
  /** Everything the module may use; undefined: it does not say, so nothing is taken from it. */
  readonly capabilities?: readonly string[];
  /** A JSON Schema of the plugin's configuration. */
  readonly configSchema?: Readonly<Record<string, unknown>>;
  /** StopIteration for headers is to hold the headers alone: the module waits for the body. */
  readonly allowOnHeadersStopIteration?: boolean;
  /** Fields that nobody reads: misspelt, or for somebody else. */
  readonly unread?: readonly string[];
}

const FIELDS = ["name", "version", "capabilities", "configSchema", "allowOnHeadersStopIteration"];

/** Returns what to say of a manifest's fields that nobody reads, one sentence for all; undefined where it has none. */
export function unreadFields({ unread = [] }: PluginManifest): string | undefined {
  if (unread.length === 0) return undefined;
  const names = unread.map((name) => JSON.stringify(name)).join(", ");
  return `its manifest has unknown fields, which are not read: ${names} (known: ${FIELDS.join(", ")})`;
}

export type ParsedPluginManifest = PluginManifest | Failure<"invalid-manifest">;

/** Of a stranger's fields so many are told, each so far. */
const MAX_TOLD = 8;
const MAX_FIELD = 64;
const MAX_BYTES = 256 * 1_024;

/**
 * Returns the manifest of a module: of its image where that has one, else its own; undefined where there is neither.
 */
export function findManifest(
  { custom }: Pick<ModuleDescription, "custom">,
  annotations: Readonly<Record<string, string>> = {},
): ParsedPluginManifest | undefined {
  const annotation = Object.hasOwn(annotations, MANIFEST_ANNOTATION) ? annotations[MANIFEST_ANNOTATION] : undefined;
  if (annotation !== undefined) return parseManifestText(annotation, "its image's manifest annotation");
  const own = custom.filter(({ name }) => name === MANIFEST_SECTION);
  if (own.length > 1)
    return failed(
      "invalid-manifest",
      `the module has ${own.length} sections ${MANIFEST_SECTION}: which one counts is not said`,
    );
  return own[0] === undefined
    ? undefined
    : parseManifestText(Buffer.from(own[0].bytes).toString("utf8"), `its section ${MANIFEST_SECTION}`);
}

/**
 * Returns the manifest in a JSON text; `where` begins the sentence of a failure.
 */
export function parseManifestText(text: string, where: string): ParsedPluginManifest {
  const fail = (what: string) => failed("invalid-manifest", `${where} ${what}`);
  if (Buffer.byteLength(text) > MAX_BYTES) return fail(`is larger than ${MAX_BYTES} bytes`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return fail("is not JSON");
  }
  if (!isJsonObject(value)) return fail("is no JSON object");
  const { name, version, capabilities, configSchema, allowOnHeadersStopIteration: stopsHeaders } = value;
  for (const [field, given] of Object.entries({ name, version }))
    if (given !== undefined && typeof given !== "string") return fail(`has a ${field} that is no text`);
  if (configSchema !== undefined && !isJsonObject(configSchema))
    return fail("has a configSchema that is no JSON object");
  if (stopsHeaders !== undefined && typeof stopsHeaders !== "boolean")
    return fail("has an allowOnHeadersStopIteration that is neither true nor false");
  if (capabilities !== undefined && !isTextList(capabilities))
    return fail("has capabilities that are no list of names");
  const known = capabilities === undefined ? undefined : parseCapabilities(capabilities);
  if (known?.kind === "failed") return fail(`is not understood: ${known.message}`);
  const unread = Object.keys(value)
    .filter((field) => !FIELDS.includes(field))
    .slice(0, MAX_TOLD)
    .map((field) => field.slice(0, MAX_FIELD));
  return {
    ...(typeof name === "string" && { name }),
    ...(typeof version === "string" && { version }),
    ...(known !== undefined && { capabilities: known.names }),
    ...(isJsonObject(configSchema) && { configSchema }),
    ...(typeof stopsHeaders === "boolean" && { allowOnHeadersStopIteration: stopsHeaders }),
    ...(unread.length > 0 && { unread }),
  };
}

function isTextList(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((each) => typeof each === "string");
}

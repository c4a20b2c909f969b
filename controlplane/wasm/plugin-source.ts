// What a WasmPlugin asks for, in the terms of fetching: where the bytes are, how they are verified, what they start with.
import { resolve as resolvePath, dirname } from "node:path";
import { fileURLToPath } from "node:url";
import type { MeshObject } from "../model/object.ts";
import type { PluginSettings } from "../translate/ir/modules.ts";

export type PluginLocation =
  | { readonly kind: "file"; readonly path: string }
  | { readonly kind: "http"; readonly url: string }
  | { readonly kind: "unsupported"; readonly reason: string };

export interface PluginSource {
  readonly location: PluginLocation;
  /** Lower-case hexadecimal digest that the bytes must have; undefined: any. */
  readonly sha256?: string;
  /** Bytes of the same URL that were fetched before will do. */
  readonly reuse: boolean;
  readonly settings: PluginSettings;
}

/** Returns what a plugin asks for. A file's path is relative to the file that holds the object. */
export function pluginSource(plugin: MeshObject<"WasmPlugin">): PluginSource {
  const { url, sha256, imagePullPolicy, pluginConfig, pluginName, vmConfig } = plugin.spec;
  const variables = vmConfig?.env ?? [];
  return {
    location: pluginLocation(url, plugin.location.file),
    ...(sha256 !== undefined && sha256 !== "" && { sha256: sha256.toLowerCase().replace(/^sha256:/, "") }),
    reuse: imagePullPolicy !== "Always",
    settings: {
      configuration: pluginConfig === undefined ? "" : JSON.stringify(pluginConfig),
      rootId: pluginName ?? "",
      environment: Object.fromEntries(variables.filter((variable) => variable.valueFrom !== "HOST").map((variable) => [variable.name, variable.value ?? ""])),
      hostEnvironment: variables.filter((variable) => variable.valueFrom === "HOST").map((variable) => variable.name),
    },
  };
}

function pluginLocation(url: string, yamlFile: string): PluginLocation {
  if (url.startsWith("file://")) return fileLocation(url, yamlFile);
  if (url.startsWith("http://") || url.startsWith("https://")) {
    return URL.canParse(url) ? { kind: "http", url: new URL(url).href } : { kind: "unsupported", reason: `${JSON.stringify(url)} is no URL` };
  }
  return { kind: "unsupported", reason: `cannot fetch ${JSON.stringify(url)}: write a file://, http:// or https:// URL` };
}

/** `file:///a/x.wasm` is absolute; `file://./x.wasm`, `file://../x.wasm` and `file://x.wasm` begin at the YAML file. */
function fileLocation(url: string, yamlFile: string): PluginLocation {
  const path = url.slice("file://".length);
  if (path === "") return { kind: "unsupported", reason: "the file:// URL names no file" };
  return { kind: "file", path: path.startsWith("/") ? absolutePath(url) ?? path : resolvePath(dirname(yamlFile), path) };
}

function absolutePath(url: string): string | undefined {
  try {
    return fileURLToPath(url);
  } catch {
    return undefined;
  }
}

// What a WasmPlugin must mean.
import type { FieldPath } from "../../model/document.ts";
import type { WasmPluginSpec } from "../../model/kinds/wasm-plugin.ts";
import { each, type Loose, noDuplicates, report } from "../checks.ts";
import { quote } from "../formats.ts";
import type { Findings } from "../violation.ts";

/** Checks a WasmPlugin. */
export function checkWasmPlugin(spec: Loose<WasmPluginSpec>, at: FieldPath, findings: Findings): void {
  if (spec.url !== undefined) report(findings, [...at, "url"], urlFault(spec.url));
  if (spec.sha256 !== undefined && !/^[0-9a-fA-F]{64}$/.test(spec.sha256)) findings.error([...at, "sha256"], "must be 64 hexadecimal digits");
  if (spec.selector !== undefined && Object.keys(spec.selector.matchLabels ?? {}).length === 0) {
    findings.warn([...at, "selector"], "names no labels and so selects every workload of its namespace");
  }
  each(spec.match, [...at, "match"], (selector, path) => {
    if (selector.ports === undefined || selector.mode === "SERVER") return;
    findings.warn([...path, "ports"], "does not reach the outbound side of sidecars, whose one listener is for all ports: the plugin stands at these ports inbound and at gateways");
  });
  const env = spec.vmConfig?.env;
  const envPath = [...at, "vmConfig", "env"];
  each(env, envPath, (variable, path) => {
    if (variable.valueFrom === "HOST" && variable.value !== undefined) findings.error([...path, "value"], "cannot be given with valueFrom HOST");
    if (variable.valueFrom !== "HOST" && variable.value === undefined) findings.error([...path, "value"], "is required unless valueFrom is HOST");
    if (/[=\u0000]/.test(variable.name ?? "")) findings.error([...path, "name"], `is no name of an environment variable: ${quote(variable.name)}`);
  });
  noDuplicates(env, envPath, (variable) => variable.name, "variable", findings, ["name"]);
}

function urlFault(url: string): string | undefined {
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(url)?.[1]?.toLowerCase();
  if (scheme === undefined || scheme === "oci") return "images (oci://, or no scheme) are not supported yet: use file://, http:// or https://";
  if (!["file", "http", "https"].includes(scheme)) return `must begin with file://, http:// or https://, not ${quote(`${scheme}://`)}`;
  if (scheme === "file") return url.length > "file://".length ? undefined : "must name a file";
  return URL.canParse(url) && new URL(url).hostname !== "" ? undefined : `is not a URL: ${quote(url)}`;
}

// What a WasmPlugin must mean.
import type { FieldPath } from "../../model/document.ts";
import type { WasmPluginSpec } from "../../model/kinds/wasm-plugin.ts";
import { parsePublicKeys } from "../../model/public-key.ts";
import { type CheckContext, each, type Loose, noDuplicates, report } from "../checks.ts";
import { quote } from "../formats.ts";
import type { Findings } from "../violation.ts";

/** Checks a WasmPlugin. */
export function checkWasmPlugin(
  spec: Loose<WasmPluginSpec>,
  at: FieldPath,
  findings: Findings,
  { isOfCluster }: CheckContext,
): void {
  if (spec.url !== undefined) report(findings, [...at, "url"], urlFault(spec.url, isOfCluster));
  if (spec.sha256 !== undefined && !/^[0-9a-fA-F]{64}$/.test(spec.sha256))
    findings.error([...at, "sha256"], "must be 64 hexadecimal digits");
  checkImage(spec, at, findings);
  if (spec.selector !== undefined && Object.keys(spec.selector.matchLabels ?? {}).length === 0) {
    findings.warn([...at, "selector"], "names no labels and so selects every workload of its namespace");
  }
  each(spec.match, [...at, "match"], (selector, path) => {
    if (selector.ports === undefined || selector.mode === "SERVER") return;
    findings.warn(
      [...path, "ports"],
      "does not reach the outbound side of sidecars that programs know of, whose one listener is for all ports: " +
        "the plugin stands at these ports inbound, at gateways, and where connections are captured",
    );
  });
  const env = spec.vmConfig?.env;
  const envPath = [...at, "vmConfig", "env"];
  each(env, envPath, (variable, path) => {
    if (variable.valueFrom === "HOST" && variable.value !== undefined)
      findings.error([...path, "value"], "cannot be given with valueFrom HOST");
    if (variable.valueFrom !== "HOST" && variable.value === undefined)
      findings.error([...path, "value"], "is required unless valueFrom is HOST");
    if (/[=\u0000]/.test(variable.name ?? ""))
      findings.error([...path, "name"], `is no name of an environment variable: ${quote(variable.name)}`);
  });
  noDuplicates(env, envPath, (variable) => variable.name, "variable", findings, ["name"]);
}

function checkImage(spec: Loose<WasmPluginSpec>, at: FieldPath, findings: Findings): void {
  const keys = spec.verificationKey === undefined ? undefined : parsePublicKeys(spec.verificationKey);
  if (keys?.kind === "failed") findings.error([...at, "verificationKey"], keys.message);
  const isImage = spec.url !== undefined && isImageUrl(spec.url);
  if (spec.imagePullSecret !== undefined && spec.url !== undefined && !isImage)
    findings.warn([...at, "imagePullSecret"], "has no effect: the url names no image");
  const named = isImage ? /@sha256:([0-9a-f]{64})$/.exec(spec.url ?? "")?.[1] : undefined;
  if (named !== undefined && spec.sha256 !== undefined && spec.sha256.toLowerCase() !== named)
    findings.error([...at, "sha256"], "is not the digest that the url names");
}

function isImageUrl(url: string): boolean {
  return url.startsWith("oci://") || !/^[a-z][a-z0-9+.-]*:\/\//i.test(url);
}

function urlFault(url: string, isOfCluster: boolean): string | undefined {
  if (isImageUrl(url))
    return IMAGE.test(url)
      ? undefined
      : `names no image: write oci://REGISTRY/REPOSITORY:TAG or …@sha256:DIGEST, not ${quote(url)}`;
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(url)?.[1]?.toLowerCase() ?? "";
  if (!["file", "http", "https"].includes(scheme))
    return `must begin with oci://, file://, http:// or https://, not ${quote(`${scheme}://`)}`;
  if (scheme === "file" && isOfCluster)
    return "names a file, which in a cluster would be one of the control plane's: write an oci:// or https:// URL";
  if (scheme === "file") return url.length > "file://".length ? undefined : "must name a file";
  return URL.canParse(url) && new URL(url).hostname !== "" ? undefined : `is not a URL: ${quote(url)}`;
}

/** Registry, repository, and a tag or digest; more exactly when it is fetched. */
const IMAGE = /^(?:oci:\/\/)?[^\s@]+(?:@sha256:[0-9a-f]{64})?$/;

import { createHash } from "node:crypto";
import { isFailed } from "../../model/failure.ts";
import { ORIGIN_SECTION } from "../../wasm/meter/meter.ts";
import { describeModule } from "../../wasm/module/describe-module.ts";
import { asList, asObject, asText, at, type Json, sections } from "./dump.ts";

/** A filter configuration that came by ECDS: `sha256` is the module's; "" where Envoy holds no module bytes. */
export interface EcdsEntry {
  readonly name: string;
  readonly version: string;
  readonly sha256: string;
  readonly status: string;
}

/** Returns the filter configurations of a config dump, sorted by name. */
export function readEcds(dump: unknown): readonly EcdsEntry[] {
  const entries = sections(dump, "EcdsConfigDump")
    .flatMap((section) => asList(section["ecds_filters"]))
    .map(toEntry);
  return entries.sort((a, b) => (a.name < b.name ? -1 : 1));
}

function toEntry(filter: Json): EcdsEntry {
  const config = asObject(filter["ecds_filter"]);
  const error = asText(at(filter, "error_state", "details"));
  return {
    name: asText(config["name"]),
    version: asText(filter["version_info"]),
    sha256: moduleDigest(asObject(at(config, "typed_config", "config", "vm_config", "code"))),
    status: error !== "" ? `ERROR: ${error}` : "ACTIVE",
  };
}

function moduleDigest(code: Json): string {
  const inline = asText(at(code, "local", "inline_bytes"));
  if (inline !== "") return digestOfOrigin(Buffer.from(inline, "base64"));
  return asText(at(code, "remote", "sha256"));
}

export const ECDS_HEADER = ["NAME", "VERSION", "SHA256", "STATUS"];

/** Returns the table's cells for a filter configuration. */
export function ecdsRow({ name, version, sha256, status }: EcdsEntry): string[] {
  return [name, version || "-", sha256 || "-", status];
}

/** The digest of the module as its author made it: a plugin's budget was compiled in since. */
function digestOfOrigin(module: Uint8Array): string {
  const described = describeModule(module);
  const origin = isFailed(described) ? undefined : described.custom.findLast(({ name }) => name === ORIGIN_SECTION);
  return origin === undefined
    ? createHash("sha256").update(module).digest("hex")
    : Buffer.from(origin.bytes).toString("utf8");
}

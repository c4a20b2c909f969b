// The MeshConfig inside the ConfigMap `istio`: YAML in a string of a YAML document.
import { type FieldPath, formatPath } from "../model/document.ts";
import { parseDurationMs } from "../model/duration.ts";
import { isTrustDomain } from "../model/spiffe.ts";
import {
  type JsonFormatValue,
  type MeshConfigDocument,
  meshConfigSchema,
  parseJsonFormat,
} from "../model/kinds/mesh-config.ts";
import { placesIn, parsePiece } from "../model/yaml.ts";
import { each, type Loose, report } from "./checks.ts";
import { formatFault } from "./command-operators.ts";
import { quote } from "./formats.ts";
import { checkLocalities, checkZones } from "./kinds/locality.ts";
import { dnsLabelFault } from "./names.ts";
import { checkPluginTrust } from "./plugin-trust.ts";
import { checkShape } from "./shape.ts";
import type { Findings } from "./violation.ts";

/** Returns whether this is the ConfigMap that holds the mesh's settings. */
export function isMeshConfigMap(namespace: string, name: string): boolean {
  return namespace === "istio-system" && name === "istio";
}

const TRUST_DOMAIN_FORM = "must be a domain in lower case, without port";
const HOUR_MS = 3_600_000;
/** It is parsed where everybody waits. */
const MAX_LENGTH = 64 * 1024;

/**
 * Returns the settings written in `text`, as far as they are right. `at` is the string's own place: findings are put
 * at their lines of it, with the path inside the string in their message.
 */
export function readMeshConfig(text: string, at: FieldPath, findings: Findings): Loose<MeshConfigDocument> {
  if (text.length > MAX_LENGTH) {
    findings.error(at, `is larger than ${MAX_LENGTH / 1024} KiB: nothing that it may say takes so much`);
    return {};
  }
  const parsed = parsePiece(text);
  if (parsed.kind === "broken") {
    for (const problem of parsed.problems) findings.error(at, problem.message, problem);
    return {};
  }
  const placeOf = parsed.kind === "document" ? placesIn(parsed, { text, linesBefore: 0 }) : undefined;
  const inner: Findings = {
    error: (path, message) => findings.error(at, `${formatPath(path)}: ${message}`, placeOf?.(path)),
    warn: (path, message) => findings.warn(at, `${formatPath(path)}: ${message}`, placeOf?.(path)),
    failedUnder: () => false,
  };
  const config = (checkShape(meshConfigSchema, parsed.kind === "document" ? parsed.value : {}, [], inner) ??
    {}) as Loose<MeshConfigDocument>;
  checkLocalities(config.localityLbSetting, ["localityLbSetting"], inner);
  checkZones(config.zoneAwareLbSetting, ["zoneAwareLbSetting"], inner);
  if (config.trustDomain !== undefined && !isTrustDomain(config.trustDomain))
    inner.error(["trustDomain"], TRUST_DOMAIN_FORM);
  each(config.trustDomainAliases, ["trustDomainAliases"], (alias, path) => {
    if (!isTrustDomain(alias)) inner.error(path, TRUST_DOMAIN_FORM);
  });
  const connectMs = parseDurationMs(config.connectTimeout ?? "1s") ?? 1;
  if (connectMs > HOUR_MS) inner.error(["connectTimeout"], "must be at most 1h");
  const namespaceFault = config.rootNamespace === undefined ? undefined : dnsLabelFault(config.rootNamespace);
  if (namespaceFault !== undefined) inner.error(["rootNamespace"], namespaceFault);
  checkAccessLogFormat(config, inner);
  checkPluginTrust(config.pluginTrust, ["pluginTrust"], inner);
  return config;
}

/** The texts of a JSON format, each with the names of the fields that lead there. */
function* formatsIn(value: JsonFormatValue, at: string): Generator<readonly [at: string, text: string]> {
  if (typeof value === "string") yield [at, value];
  else if (typeof value === "object" && value !== null)
    for (const [name, inner] of Object.entries(value)) yield* formatsIn(inner, at === "" ? name : `${at}.${name}`);
}

/** Envoy compiles the format with every listener: as one text, or the text of each field. */
function checkAccessLogFormat(config: Loose<MeshConfigDocument>, findings: Findings): void {
  const { accessLogFormat: format = "", accessLogEncoding: encoding } = config;
  if (format === "") return;
  if (encoding !== "JSON") return report(findings, ["accessLogFormat"], formatFault(format));
  const fields = parseJsonFormat(format);
  if (fields === undefined)
    return findings.error(["accessLogFormat"], "must be a JSON object of fields and their formats with encoding JSON");
  for (const [name, text] of formatsIn(fields, "")) {
    const fault = formatFault(text);
    if (fault !== undefined) findings.error(["accessLogFormat"], `field ${quote(name)} ${fault}`);
  }
}

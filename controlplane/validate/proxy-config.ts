// Settings of proxies in a workload's annotation: YAML in a string of a YAML document.
import { type FieldPath, formatPath } from "../model/document.ts";
import { type injectedProxyConfig, proxyConfig, type ProxyConfigDocument } from "../model/kinds/proxy-config.ts";
import { parsePiece } from "../model/yaml.ts";
import type { Loose } from "./checks.ts";
import { checkShape } from "./shape.ts";
import type { Findings } from "./violation.ts";

/** It is parsed where everybody waits. */
const MAX_LENGTH = 64 * 1024;

/**
 * Returns the settings written in `text`, as far as they are right. `at` is the string's own place; `schema` says which
 * of them have an effect.
 */
export function readProxyConfig(
  text: string,
  at: FieldPath,
  findings: Findings,
  schema: typeof proxyConfig | typeof injectedProxyConfig = proxyConfig,
): Loose<ProxyConfigDocument> {
  if (text.length > MAX_LENGTH) {
    findings.error(at, `is larger than ${MAX_LENGTH / 1024} KiB`);
    return {};
  }
  const parsed = parsePiece(text);
  if (parsed.kind === "broken") {
    for (const problem of parsed.problems) findings.error(at, problem.message, problem);
    return {};
  }
  const placed = (path: FieldPath, message: string) =>
    path.length === 0 ? message : `${formatPath(path)}: ${message}`;
  const inner: Findings = {
    error: (path, message) => findings.error(at, placed(path, message)),
    warn: (path, message) => findings.warn(at, placed(path, message)),
    failedUnder: () => false,
  };
  const value = parsed.kind === "document" ? parsed.value : {};
  return (checkShape(schema, value, [], inner) ?? {}) as Loose<ProxyConfigDocument>;
}

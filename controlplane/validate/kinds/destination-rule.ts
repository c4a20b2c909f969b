// What a DestinationRule must mean.
import type { FieldPath } from "../../model/document.ts";
import type {
  ClientTlsSpec,
  ConnectionPoolSpec,
  DestinationRuleSpec,
  LoadBalancerSpec,
  OutlierDetectionSpec,
  TrafficPolicySpec,
} from "../../model/kinds/destination-rule.ts";
import {
  type CheckContext,
  checkExportTo,
  each,
  hostPatternFault,
  type Loose,
  noDuplicates,
  report,
} from "../checks.ts";
import { checkFile } from "../files.ts";
import { askedNameFault } from "../formats.ts";
import { dnsLabelFault, tokenFault } from "../names.ts";
import type { Findings } from "../violation.ts";
import { checkLocalities, checkZones } from "./locality.ts";

/** Checks a DestinationRule. */
export function checkDestinationRule(
  spec: Loose<DestinationRuleSpec>,
  at: FieldPath,
  findings: Findings,
  context: CheckContext,
): void {
  if (spec.host !== undefined) report(findings, [...at, "host"], hostPatternFault(spec.host));
  checkExportTo(spec.exportTo, [...at, "exportTo"], findings, context.namespace);
  checkTrafficPolicy(spec.trafficPolicy, [...at, "trafficPolicy"], findings);
  if (spec.workloadSelector === undefined) warnOfCredentials(spec, at, findings);
  each(spec.subsets, [...at, "subsets"], (subset, path) => {
    // A subset's name becomes a part of cluster names, which `|` divides.
    if (subset.name !== undefined)
      report(findings, [...path, "name"], dnsLabelFault(subset.name.toLowerCase().replaceAll(/[._]/g, "-")));
    checkTrafficPolicy(subset.trafficPolicy, [...path, "trafficPolicy"], findings);
  });
  noDuplicates(spec.subsets, [...at, "subsets"], (subset) => subset.name, "subset", findings, ["name"]);
}

function checkTrafficPolicy(policy: Loose<TrafficPolicySpec> | undefined, at: FieldPath, findings: Findings): void {
  if (policy === undefined) return;
  checkLevel(policy, at, findings);
  each(policy.portLevelSettings, [...at, "portLevelSettings"], (settings, path) =>
    checkLevel(settings, path, findings),
  );
  noDuplicates(
    policy.portLevelSettings,
    [...at, "portLevelSettings"],
    (settings) => settings.port?.number,
    "port",
    findings,
    ["port", "number"],
  );
}

/** Istio's sidecars would send plaintext: whoever counts on that is told. */
function warnOfCredentials(spec: Loose<DestinationRuleSpec>, at: FieldPath, findings: Findings): void {
  const warn = (policy: Level | undefined, path: FieldPath) => {
    if (policy?.tls?.credentialName !== undefined)
      findings.warn(
        [...path, "tls", "credentialName"],
        "is for every client here; without a workloadSelector Istio's sidecars would send plaintext",
      );
  };
  const warnAll = (policy: Loose<TrafficPolicySpec> | undefined, path: FieldPath) => {
    warn(policy, path);
    each(policy?.portLevelSettings, [...path, "portLevelSettings"], warn);
  };
  warnAll(spec.trafficPolicy, [...at, "trafficPolicy"]);
  each(spec.subsets, [...at, "subsets"], ({ trafficPolicy }, path) =>
    warnAll(trafficPolicy, [...path, "trafficPolicy"]),
  );
}

type Level = Pick<Loose<TrafficPolicySpec>, "loadBalancer" | "tls" | "outlierDetection" | "connectionPool">;

function checkLevel(level: Level, at: FieldPath, findings: Findings): void {
  checkLoadBalancer(level.loadBalancer, [...at, "loadBalancer"], findings);
  warnOfFailover(level, [...at, "loadBalancer"], findings);
  checkTls(level.tls, [...at, "tls"], findings);
  checkOutlierDetection(level.outlierDetection, [...at, "outlierDetection"], findings);
  checkConnectionPool(level.connectionPool, [...at, "connectionPool"], findings);
}

/** Checks how many connections and requests are let through, to a host or to a workload. */
export function checkConnectionPool(
  pool: Loose<ConnectionPoolSpec> | undefined,
  at: FieldPath,
  findings: Findings,
): void {
  const http = pool?.http;
  if (http?.useClientProtocol === true && http.h2UpgradePolicy === "UPGRADE")
    findings.error([...at, "http", "useClientProtocol"], "cannot stand beside h2UpgradePolicy UPGRADE");
}

/** Nobody would find out that an endpoint is bad. */
function warnOfFailover({ loadBalancer, outlierDetection }: Level, at: FieldPath, findings: Findings): void {
  if (outlierDetection !== undefined) return;
  for (const setting of ["localityLbSetting", "zoneAwareLbSetting"] as const)
    for (const field of ["failover", "failoverPriority"] as const)
      if ((loadBalancer?.[setting]?.[field] ?? []).length > 0)
        findings.warn([...at, setting, field], "needs outlierDetection beside it: without it nothing fails over");
}

function checkLoadBalancer(loadBalancer: Loose<LoadBalancerSpec> | undefined, at: FieldPath, findings: Findings): void {
  if (loadBalancer?.simple === "PASSTHROUGH")
    findings.warn(
      [...at, "simple"],
      "has no original address to pass on where applications name the host they want, as they do unless they are captured: requests are balanced by LEAST_REQUEST",
    );
  checkLocalities(loadBalancer?.localityLbSetting, [...at, "localityLbSetting"], findings);
  checkZones(loadBalancer?.zoneAwareLbSetting, [...at, "zoneAwareLbSetting"], findings);
  if (loadBalancer?.localityLbSetting !== undefined && loadBalancer.zoneAwareLbSetting !== undefined)
    findings.error([...at, "zoneAwareLbSetting"], "cannot stand beside localityLbSetting");
  for (const field of ["warmup", "warmupDurationSecs"] as const)
    if (
      loadBalancer?.[field] !== undefined &&
      (loadBalancer.consistentHash !== undefined || loadBalancer.simple === "RANDOM")
    )
      findings.warn([...at, field], "has no effect but on ROUND_ROBIN and LEAST_REQUEST");
  const hash = loadBalancer?.consistentHash;
  for (const field of ["ringHash", "maglev"] as const)
    if (hash?.minimumRingSize && hash[field] !== undefined)
      findings.error([...at, "consistentHash", field], "cannot stand beside minimumRingSize");
  const attributes = [...at, "consistentHash", "httpCookie", "attributes"];
  each(hash?.httpCookie?.attributes, attributes, ({ name }, path) =>
    report(findings, [...path, "name"], name === undefined ? undefined : tokenFault(name)),
  );
  noDuplicates(hash?.httpCookie?.attributes, attributes, ({ name }) => name, "attribute", findings, ["name"]);
  if (hash?.httpHeaderName !== undefined)
    report(findings, [...at, "consistentHash", "httpHeaderName"], tokenFault(hash.httpHeaderName));
  if (hash?.httpCookie?.name !== undefined)
    report(findings, [...at, "consistentHash", "httpCookie", "name"], tokenFault(hash.httpCookie.name));
  const size = hash?.maglev?.tableSize;
  if (hash?.maglev !== undefined && size === undefined && !findings.failedUnder([...at, "consistentHash", "maglev"]))
    findings.error([...at, "consistentHash", "maglev", "tableSize"], "is required");
  if (size !== undefined && !isPrime(size))
    findings.error([...at, "consistentHash", "maglev", "tableSize"], `must be a prime number, not ${size}`);
}

function isPrime(value: number): boolean {
  if (value < 2) return false;
  for (let divisor = 2; divisor * divisor <= value; divisor++) if (value % divisor === 0) return false;
  return true;
}

const FILES = ["clientCertificate", "privateKey", "caCertificates", "caCrl"] as const;
/** In place of a file of authorities: those of the operating system. */
const SYSTEM_WORD = "system";
const CONFIG_MAP = "configmap://";

function checkTls(tls: Loose<ClientTlsSpec> | undefined, at: FieldPath, findings: Findings): void {
  if (tls === undefined) return;
  const mode = tls.mode ?? "DISABLE";
  if (tls.sni !== undefined) report(findings, [...at, "sni"], askedNameFault(tls.sni));
  for (const field of FILES)
    checkFile(tls[field], [...at, field], findings, field === "caCertificates" ? SYSTEM_WORD : undefined);
  if (tls.credentialName?.startsWith(CONFIG_MAP))
    findings.error([...at, "credentialName"], "of a ConfigMap is not supported yet: write the name of a Secret");
  for (const field of FILES)
    if (tls.credentialName !== undefined && tls[field] !== undefined)
      findings.error([...at, field], "cannot stand beside credentialName, which has it");
  for (const field of ["clientCertificate", "privateKey"] as const) {
    if (mode === "MUTUAL" && tls[field] === undefined && tls.credentialName === undefined)
      findings.error([...at, field], "is required by mode MUTUAL");
    if (mode !== "MUTUAL" && tls[field] !== undefined) findings.warn([...at, field], `is not used by mode ${mode}`);
  }
  if (mode !== "MUTUAL" && mode !== "SIMPLE") {
    if (tls.caCertificates !== undefined) findings.warn([...at, "caCertificates"], `is not used by mode ${mode}`);
  } else if (tls.insecureSkipVerify === true) {
    if (mode === "SIMPLE" && tls.credentialName !== undefined)
      findings.error([...at, "credentialName"], "cannot stand beside insecureSkipVerify, which checks nothing");
    for (const field of ["caCertificates", "subjectAltNames"] as const)
      if (tls[field] !== undefined)
        findings.error([...at, field], "cannot stand beside insecureSkipVerify, which checks nothing");
  }
}

function checkOutlierDetection(
  detection: Loose<OutlierDetectionSpec> | undefined,
  at: FieldPath,
  findings: Findings,
): void {
  if ((detection?.consecutiveLocalOriginFailures ?? 0) > 0 && detection?.splitExternalLocalOriginErrors !== true)
    findings.error([...at, "consecutiveLocalOriginFailures"], "needs splitExternalLocalOriginErrors: true");
  if (detection?.consecutiveErrors !== undefined) {
    findings.warn(
      [...at, "consecutiveErrors"],
      "is deprecated by Istio: write consecutiveGatewayErrors or consecutive5xxErrors instead",
    );
  }
}

// What a DestinationRule must mean.
import type { FieldPath } from "../../model/document.ts";
import type {
  ClientTlsSpec,
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

type Level = Pick<Loose<TrafficPolicySpec>, "loadBalancer" | "tls" | "outlierDetection" | "connectionPool">;

function checkLevel(level: Level, at: FieldPath, findings: Findings): void {
  checkLoadBalancer(level.loadBalancer, [...at, "loadBalancer"], findings);
  checkTls(level.tls, [...at, "tls"], findings);
  checkOutlierDetection(level.outlierDetection, [...at, "outlierDetection"], findings);
  const http = level.connectionPool?.http;
  if (http?.useClientProtocol === true && http.h2UpgradePolicy === "UPGRADE")
    findings.error(
      [...at, "connectionPool", "http", "useClientProtocol"],
      "cannot stand beside h2UpgradePolicy UPGRADE",
    );
}

function checkLoadBalancer(loadBalancer: Loose<LoadBalancerSpec> | undefined, at: FieldPath, findings: Findings): void {
  if (loadBalancer?.simple === "PASSTHROUGH")
    findings.warn(
      [...at, "simple"],
      "has no original address to pass on where applications name the host they want: requests are balanced by LEAST_REQUEST",
    );
  checkLocalities(loadBalancer?.localityLbSetting, [...at, "localityLbSetting"], findings);
  checkZones(loadBalancer?.zoneAwareLbSetting, [...at, "zoneAwareLbSetting"], findings);
  if (loadBalancer?.localityLbSetting !== undefined && loadBalancer.zoneAwareLbSetting !== undefined)
    findings.error([...at, "zoneAwareLbSetting"], "cannot stand beside localityLbSetting");
  const hash = loadBalancer?.consistentHash;
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
  if (size !== undefined && !isPrime(size))
    findings.error([...at, "consistentHash", "maglev", "tableSize"], `must be a prime number, not ${size}`);
}

function isPrime(value: number): boolean {
  if (value < 2) return false;
  for (let divisor = 2; divisor * divisor <= value; divisor++) if (value % divisor === 0) return false;
  return true;
}

function checkTls(tls: Loose<ClientTlsSpec> | undefined, at: FieldPath, findings: Findings): void {
  if (tls === undefined) return;
  const mode = tls.mode ?? "DISABLE";
  for (const field of ["clientCertificate", "privateKey", "caCertificates", "caCrl"] as const)
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
  if (detection?.consecutiveErrors !== undefined) {
    findings.warn(
      [...at, "consecutiveErrors"],
      "is deprecated by Istio: write consecutiveGatewayErrors or consecutive5xxErrors instead",
    );
  }
}

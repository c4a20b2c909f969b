// What a DestinationRule must mean.
import type { FieldPath } from "../../model/document.ts";
import type {
  ClientTlsSpec,
  DestinationRuleSpec,
  LoadBalancerSpec,
  OutlierDetectionSpec,
  TrafficPolicySpec,
} from "../../model/kinds/destination-rule.ts";
import { checkExportTo, each, hostPatternFault, type Loose, noDuplicates, report } from "../checks.ts";
import { dnsLabelFault, tokenFault } from "../names.ts";
import type { Findings } from "../violation.ts";

/** Checks a DestinationRule. */
export function checkDestinationRule(spec: Loose<DestinationRuleSpec>, at: FieldPath, findings: Findings): void {
  if (spec.host !== undefined) report(findings, [...at, "host"], hostPatternFault(spec.host));
  checkExportTo(spec.exportTo, [...at, "exportTo"], findings);
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

type Level = Pick<Loose<TrafficPolicySpec>, "loadBalancer" | "tls" | "outlierDetection">;

function checkLevel(level: Level, at: FieldPath, findings: Findings): void {
  checkLoadBalancer(level.loadBalancer, [...at, "loadBalancer"], findings);
  checkTls(level.tls, [...at, "tls"], findings);
  checkOutlierDetection(level.outlierDetection, [...at, "outlierDetection"], findings);
}

function checkLoadBalancer(loadBalancer: Loose<LoadBalancerSpec> | undefined, at: FieldPath, findings: Findings): void {
  const hash = loadBalancer?.consistentHash;
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
  const own = ["clientCertificate", "privateKey"] as const;
  if (tls.mode === "MUTUAL") {
    for (const field of own) if (tls[field] === undefined) findings.error([...at, field], "is required by mode MUTUAL");
    return;
  }
  const unused = tls.mode === "SIMPLE" ? own : ([...own, "caCertificates"] as const);
  for (const field of unused) {
    if (tls[field] !== undefined) findings.error([...at, field], `cannot be set with mode ${tls.mode ?? "DISABLE"}`);
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

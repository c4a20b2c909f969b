// Which check belongs to which kind. Kinds without one have nothing beyond their shape.
import type { FieldPath } from "../model/document.ts";
import type { Kind, SpecByKind } from "../model/kinds.ts";
import type { CheckContext, KindCheck } from "./checks.ts";
import { checkAuthorizationPolicy } from "./kinds/authorization-policy.ts";
import { checkConfigMap, checkSecret } from "./kinds/config.ts";
import { checkDestinationRule } from "./kinds/destination-rule.ts";
import { checkGateway } from "./kinds/gateway.ts";
import { checkPeerAuthentication } from "./kinds/peer-authentication.ts";
import { checkDeployment, checkJob, checkPod } from "./kinds/pod.ts";
import { checkQuotaSpec } from "./kinds/quota.ts";
import { checkRateLimitPolicy } from "./kinds/rate-limit-policy.ts";
import { checkEndpointSlice, checkService } from "./kinds/service.ts";
import { checkServiceEntry } from "./kinds/service-entry.ts";
import { checkSidecar } from "./kinds/sidecar.ts";
import { checkTelemetry } from "./kinds/telemetry.ts";
import { checkVirtualService } from "./kinds/virtual-service.ts";
import { checkWorkloadEntry, checkWorkloadGroup } from "./kinds/workload-entry.ts";
import { checkWasmPlugin } from "./kinds/wasm-plugin.ts";
import type { Findings } from "./violation.ts";

const checks: { readonly [K in Kind]?: KindCheck<SpecByKind[K]> } = {
  AuthorizationPolicy: checkAuthorizationPolicy,
  ConfigMap: checkConfigMap,
  DaemonSet: checkDeployment,
  Job: checkJob,
  Deployment: checkDeployment,
  DestinationRule: checkDestinationRule,
  EndpointSlice: checkEndpointSlice,
  Gateway: checkGateway,
  PeerAuthentication: checkPeerAuthentication,
  Pod: checkPod,
  QuotaSpec: checkQuotaSpec,
  RateLimitPolicy: checkRateLimitPolicy,
  Secret: checkSecret,
  Service: checkService,
  ServiceEntry: checkServiceEntry,
  Sidecar: checkSidecar,
  StatefulSet: checkDeployment,
  Telemetry: checkTelemetry,
  VirtualService: checkVirtualService,
  WasmPlugin: checkWasmPlugin,
  WorkloadEntry: checkWorkloadEntry,
  WorkloadGroup: checkWorkloadGroup,
};

/** Checks what the fields of an object mean together; `spec` has gone through checkShape with the kind's schema. */
export function checkKind(kind: Kind, spec: unknown, at: FieldPath, findings: Findings, context: CheckContext): void {
  // checkShape made `spec` fit the kind's schema, from which the check's parameter type is derived.
  const check = checks[kind] as KindCheck<unknown> | undefined;
  check?.(spec, at, findings, context);
}

// Every kind of object the mesh understands: its schema, its API versions, and where its payload stands in a document.
import type { TObject } from "@sinclair/typebox";
import { authorizationPolicySchema, type AuthorizationPolicySpec } from "./kinds/authorization-policy.ts";
import {
  configMapSchema,
  type ConfigMapSpec,
  emptySchema,
  type EmptySpec,
  secretSchema,
  type SecretSpec,
} from "./kinds/config.ts";
import { destinationRuleSchema, type DestinationRuleSpec } from "./kinds/destination-rule.ts";
import { gatewaySchema, type GatewaySpec } from "./kinds/gateway.ts";
import { peerAuthenticationSchema, type PeerAuthenticationSpec } from "./kinds/peer-authentication.ts";
import {
  deploymentSchema,
  type DeploymentSpec,
  jobSchema,
  type JobSpec,
  podSchema,
  type PodSpec,
} from "./kinds/pod.ts";
import { proxyConfigSchema, type ProxyConfigSpec } from "./kinds/proxy-config.ts";
import {
  quotaSpecBindingSchema,
  type QuotaSpecBindingSpec,
  quotaSpecSchema,
  type QuotaSpecSpec,
} from "./kinds/quota.ts";
import { rateLimitPolicySchema, type RateLimitPolicySpec } from "./kinds/rate-limit-policy.ts";
import { endpointSliceSchema, type EndpointSliceSpec, serviceSchema, type ServiceSpec } from "./kinds/service.ts";
import { serviceEntrySchema, type ServiceEntrySpec } from "./kinds/service-entry.ts";
import { sidecarSchema, type SidecarSpec } from "./kinds/sidecar.ts";
import { telemetrySchema, type TelemetrySpec } from "./kinds/telemetry.ts";
import { virtualServiceSchema, type VirtualServiceSpec } from "./kinds/virtual-service.ts";
import {
  workloadEntrySchema,
  type WorkloadEntrySpec,
  workloadGroupSchema,
  type WorkloadGroupSpec,
} from "./kinds/workload-entry.ts";
import { wasmPluginSchema, type WasmPluginSpec } from "./kinds/wasm-plugin.ts";

/** The type of `spec` for each kind. */
export interface SpecByKind {
  Namespace: EmptySpec;
  ServiceAccount: EmptySpec;
  Service: ServiceSpec;
  EndpointSlice: EndpointSliceSpec;
  Deployment: DeploymentSpec;
  StatefulSet: DeploymentSpec;
  DaemonSet: DeploymentSpec;
  Job: JobSpec;
  Pod: PodSpec;
  Secret: SecretSpec;
  ConfigMap: ConfigMapSpec;
  VirtualService: VirtualServiceSpec;
  DestinationRule: DestinationRuleSpec;
  Gateway: GatewaySpec;
  ServiceEntry: ServiceEntrySpec;
  WorkloadEntry: WorkloadEntrySpec;
  WorkloadGroup: WorkloadGroupSpec;
  ProxyConfig: ProxyConfigSpec;
  Sidecar: SidecarSpec;
  PeerAuthentication: PeerAuthenticationSpec;
  AuthorizationPolicy: AuthorizationPolicySpec;
  WasmPlugin: WasmPluginSpec;
  QuotaSpec: QuotaSpecSpec;
  QuotaSpecBinding: QuotaSpecBindingSpec;
  RateLimitPolicy: RateLimitPolicySpec;
  Telemetry: TelemetrySpec;
}

export type Kind = keyof SpecByKind;
export type SpecOf<K extends Kind> = SpecByKind[K];

/** What is known of a kind before any object of it is read. */
export interface KindDefinition {
  /** Accepted values of `apiVersion`. */
  readonly apiVersions: readonly string[];
  readonly clusterScoped: boolean;
  readonly schema: TObject;
  /**
   * `spec`: under that field · `spec+status`: the same with status beside · `top`: the document's other top-level
   * fields.
   */
  readonly payload: "spec" | "spec+status" | "top";
}

const NETWORKING = ["networking.istio.io/v1", "networking.istio.io/v1beta1", "networking.istio.io/v1alpha3"];
const SECURITY = ["security.istio.io/v1", "security.istio.io/v1beta1"];
const QUOTA = ["networking.istio.io/v1alpha3", "config.istio.io/v1alpha2"];

function define(
  apiVersions: readonly string[],
  schema: TObject,
  payload: KindDefinition["payload"] = "spec",
  clusterScoped = false,
): KindDefinition {
  return { apiVersions, schema, payload, clusterScoped };
}

/** Every kind's definition. */
export const kindDefinitions: Readonly<Record<Kind, KindDefinition>> = {
  Namespace: define(["v1"], emptySchema, "top", true),
  ServiceAccount: define(["v1"], emptySchema, "top"),
  Service: define(["v1"], serviceSchema),
  EndpointSlice: define(["discovery.k8s.io/v1", "discovery.k8s.io/v1beta1"], endpointSliceSchema, "top"),
  Deployment: define(["apps/v1"], deploymentSchema),
  StatefulSet: define(["apps/v1"], deploymentSchema),
  DaemonSet: define(["apps/v1"], deploymentSchema),
  Job: define(["batch/v1"], jobSchema),
  Pod: define(["v1"], podSchema, "spec+status"),
  Secret: define(["v1"], secretSchema, "top"),
  ConfigMap: define(["v1"], configMapSchema, "top"),
  VirtualService: define(NETWORKING, virtualServiceSchema),
  DestinationRule: define(NETWORKING, destinationRuleSchema),
  Gateway: define(NETWORKING, gatewaySchema),
  ServiceEntry: define(NETWORKING, serviceEntrySchema),
  WorkloadEntry: define(NETWORKING, workloadEntrySchema, "spec+status"),
  WorkloadGroup: define(NETWORKING, workloadGroupSchema),
  ProxyConfig: define(["networking.istio.io/v1beta1"], proxyConfigSchema),
  Sidecar: define(NETWORKING, sidecarSchema),
  PeerAuthentication: define(SECURITY, peerAuthenticationSchema),
  AuthorizationPolicy: define(SECURITY, authorizationPolicySchema),
  WasmPlugin: define(["extensions.istio.io/v1alpha1"], wasmPluginSchema),
  QuotaSpec: define(QUOTA, quotaSpecSchema),
  QuotaSpecBinding: define(QUOTA, quotaSpecBindingSchema),
  RateLimitPolicy: define(["policy.scrim.mesh/v1alpha1"], rateLimitPolicySchema),
  Telemetry: define(["telemetry.istio.io/v1", "telemetry.istio.io/v1alpha1"], telemetrySchema),
};

/** Every kind, in a fixed order. */
export const allKinds = Object.freeze(Object.keys(kindDefinitions)) as readonly Kind[];

/** Returns whether the text names a kind the mesh understands. */
export function isKind(text: string): text is Kind {
  return Object.hasOwn(kindDefinitions, text);
}

/** Returns what an API server calls a kind in paths: `virtualservices`, `authorizationpolicies`. */
export function pluralOf(kind: string): string {
  const name = kind.toLowerCase();
  if (/[^aeiou]y$/.test(name)) return `${name.slice(0, -1)}ies`;
  return /(?:s|x|ch|sh)$/.test(name) ? `${name}es` : `${name}s`;
}

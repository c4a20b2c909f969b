// What the kinds are called in an API server beside their names, and what `kubectl get` shows of them.
// Istio's names: https://github.com/istio/istio/blob/master/manifests/charts/base/files/crd-all.gen.yaml
import type { Kind } from "../../model/kinds.ts";

/** A column of `kubectl get`. */
export interface PrinterColumn {
  readonly name: string;
  readonly type: "string" | "integer" | "date";
  readonly jsonPath: string;
  readonly description: string;
}

export interface CustomKind {
  readonly shortNames?: readonly string[];
  /** Those of the kind itself; age and conditions follow. */
  readonly columns?: readonly PrinterColumn[];
}

const column = (name: string, field: string, description: string): PrinterColumn => ({
  name,
  type: "string",
  jsonPath: `.spec.${field}`,
  description,
});

/** Every kind that an API server knows from us only. */
export const customKinds: Readonly<Partial<Record<Kind, CustomKind>>> = {
  VirtualService: {
    shortNames: ["vs"],
    columns: [
      column("Gateways", "gateways", "Where it holds"),
      column("Hosts", "hosts", "The hosts whose requests it routes"),
    ],
  },
  DestinationRule: {
    shortNames: ["dr"],
    columns: [column("Host", "host", "The host it is about")],
  },
  Gateway: { shortNames: ["gw"] },
  ServiceEntry: {
    shortNames: ["se"],
    columns: [
      column("Hosts", "hosts", "What the service is called"),
      column("Location", "location", "Whether it is a part of the mesh"),
      column("Resolution", "resolution", "How its endpoints are found"),
    ],
  },
  WorkloadEntry: {
    shortNames: ["we"],
    columns: [column("Address", "address", "Where the workload is")],
  },
  WorkloadGroup: { shortNames: ["wg"] },
  ProxyConfig: {},
  Sidecar: {},
  PeerAuthentication: {
    shortNames: ["pa"],
    columns: [column("Mode", "mtls.mode", "What workloads accept")],
  },
  AuthorizationPolicy: {
    shortNames: ["ap"],
    columns: [column("Action", "action", "What becomes of requests that a rule fits")],
  },
  WasmPlugin: {
    columns: [column("Url", "url", "Where the module is")],
  },
  QuotaSpec: {},
  QuotaSpecBinding: {},
  RateLimitPolicy: { shortNames: ["rlp"] },
  Telemetry: { shortNames: ["telemetry"] },
};

/** What the control plane says of every object. */
export const conditionColumns: readonly PrinterColumn[] = [
  {
    name: "Accepted",
    type: "string",
    jsonPath: '.status.conditions[?(@.type=="Accepted")].status',
    description: "Whether the control plane took it as it is",
  },
  {
    name: "Distributed",
    type: "string",
    jsonPath: '.status.conditions[?(@.type=="Distributed")].message',
    description: "Which of the proxies it concerns have it",
  },
  {
    name: "Age",
    type: "date",
    jsonPath: ".metadata.creationTimestamp",
    description: "How long it has been there",
  },
];

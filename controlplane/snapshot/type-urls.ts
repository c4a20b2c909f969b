// The resource types of ADS, and the order in which they travel.
import { typeUrlOf } from "../../protos/codec.ts";
import type { ResourceKind } from "./resources.ts";

declare const typeUrlBrand: unique symbol;
/** A resource type as DiscoveryRequest.type_url writes it. */
export type TypeUrl = string & { readonly [typeUrlBrand]: true };

/** Message name, type URL and istioctl's short name of each kind of resource. */
export const resourceTypes = {
  clusters: { message: "Cluster", typeUrl: typeUrlOf("Cluster") as TypeUrl, short: "cds" },
  endpoints: { message: "ClusterLoadAssignment", typeUrl: typeUrlOf("ClusterLoadAssignment") as TypeUrl, short: "eds" },
  listeners: { message: "Listener", typeUrl: typeUrlOf("Listener") as TypeUrl, short: "lds" },
  routes: { message: "RouteConfiguration", typeUrl: typeUrlOf("RouteConfiguration") as TypeUrl, short: "rds" },
  virtualHosts: { message: "VirtualHost", typeUrl: typeUrlOf("VirtualHost") as TypeUrl, short: "vhds" },
  secrets: { message: "Secret", typeUrl: typeUrlOf("Secret") as TypeUrl, short: "sds" },
  extensionConfigs: {
    message: "TypedExtensionConfig",
    typeUrl: typeUrlOf("TypedExtensionConfig") as TypeUrl,
    short: "ecds",
  },
} as const satisfies Record<ResourceKind, { message: string; typeUrl: TypeUrl; short: string }>;

export type ResourceShortName = (typeof resourceTypes)[ResourceKind]["short"];

/** Kinds in sending order: what is referred to before what refers to it. */
export const resourceKinds = [
  "clusters",
  "endpoints",
  "listeners",
  "routes",
  "virtualHosts",
  "secrets",
  "extensionConfigs",
] as const satisfies readonly ResourceKind[];

const kindByTypeUrl = new Map<string, ResourceKind>(resourceKinds.map((kind) => [resourceTypes[kind].typeUrl, kind]));

/** The kind behind a type URL; undefined for types this control plane does not serve. */
export function kindOf(typeUrl: string): ResourceKind | undefined {
  return kindByTypeUrl.get(typeUrl);
}

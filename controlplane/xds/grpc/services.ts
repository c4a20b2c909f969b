// The gRPC methods of xDS: aggregated, and one per resource type; delta, and the state of the world.
import type { MethodDefinition, ServiceDefinition } from "@grpc/grpc-js";
import { ScrimError } from "../../model/failure.ts";
import { resourceTypes } from "../../snapshot/type-urls.ts";
import { DELTA_ADS, type StreamKind } from "../state-machine/stream-events.ts";
import type { UnwrittenResponse } from "./wire.ts";

/** One method, its path, and what its streams are for. */
export interface DiscoveryMethod {
  readonly name: string;
  readonly path: string;
  readonly stream: StreamKind;
}

const discovery = (service: string): string => `/envoy.service.${service}`;

/**
 * Of each type: its service and the methods' noun (see envoy/service in Envoy's API). Virtual hosts exist in the delta
 * dialect only.
 */
const PER_TYPE = [
  { kind: "clusters", service: discovery("cluster.v3.ClusterDiscoveryService"), noun: "Clusters" },
  { kind: "endpoints", service: discovery("endpoint.v3.EndpointDiscoveryService"), noun: "Endpoints" },
  { kind: "listeners", service: discovery("listener.v3.ListenerDiscoveryService"), noun: "Listeners" },
  { kind: "routes", service: discovery("route.v3.RouteDiscoveryService"), noun: "Routes" },
  { kind: "virtualHosts", service: discovery("route.v3.VirtualHostDiscoveryService"), noun: "VirtualHosts" },
  { kind: "secrets", service: discovery("secret.v3.SecretDiscoveryService"), noun: "Secrets" },
  {
    kind: "extensionConfigs",
    service: discovery("extension.v3.ExtensionConfigDiscoveryService"),
    noun: "ExtensionConfigs",
  },
] as const;

const ADS = discovery("discovery.v3.AggregatedDiscoveryService");

/** Every streaming method that is served. */
export const discoveryMethods: readonly DiscoveryMethod[] = [
  { name: "DeltaAggregatedResources", path: `${ADS}/DeltaAggregatedResources`, stream: DELTA_ADS },
  {
    name: "StreamAggregatedResources",
    path: `${ADS}/StreamAggregatedResources`,
    stream: { ...DELTA_ADS, dialect: "sotw" },
  },
  ...PER_TYPE.flatMap(({ kind, service, noun }): readonly DiscoveryMethod[] => {
    const only = resourceTypes[kind].typeUrl;
    const delta: DiscoveryMethod = {
      name: `Delta${noun}`,
      path: `${service}/Delta${noun}`,
      stream: { dialect: "delta", only, without: [] },
    };
    const world: DiscoveryMethod = {
      name: `Stream${noun}`,
      path: `${service}/Stream${noun}`,
      stream: { dialect: "sotw", only, without: [] },
    };
    return kind === "virtualHosts" ? [delta] : [delta, world];
  }),
];

/**
 * The methods as grpc-js wants them. Requests stay bytes; a response becomes bytes when grpc-js copies it behind its
 * own header.
 */
export function serviceDefinition(): ServiceDefinition {
  return Object.fromEntries(discoveryMethods.map(({ name, path }) => [name, bytesMethod(path)]));
}

function bytesMethod(path: string): MethodDefinition<Uint8Array, UnwrittenResponse> {
  const asTheyAre = (bytes: Uint8Array): Buffer => bytes as Buffer;
  const notDecoded = (): never => {
    throw new ScrimError("not-a-client", "a server reads no responses");
  };
  return {
    path,
    requestStream: true,
    responseStream: true,
    requestSerialize: asTheyAre,
    requestDeserialize: asTheyAre,
    responseSerialize: (response) => response as unknown as Buffer,
    responseDeserialize: notDecoded,
  };
}

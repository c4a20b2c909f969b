// What applications without a proxy call, and how they are told of it: gRPC servers that answer with their name, and
// the resources that lead to them.
import { Server, ServerCredentials, type sendUnaryData, type ServerUnaryCall } from "@grpc/grpc-js";
import type { ResourceGroup } from "../../controlplane/xds/resource-cache.ts";
import type { VirtualHost } from "../../protos/build/envoy.ts";
import { durationFromMs, packAny } from "../../protos/codec.ts";

const ads = { ads: {}, resourceApiVersion: "V3" } as const;

export interface Backend {
  readonly port: number;
  stop(): void;
}

/** A gRPC server that answers with its name. */
export async function startBackend(name: string): Promise<Backend> {
  const server = new Server();
  const asItIs = (bytes: Buffer): Buffer => bytes;
  const say = {
    path: "/test.Echo/Say",
    requestStream: false,
    responseStream: false,
    requestSerialize: asItIs,
    requestDeserialize: asItIs,
    responseSerialize: asItIs,
    responseDeserialize: asItIs,
  } as const;
  server.addService(
    { say },
    {
      say: (call: ServerUnaryCall<Buffer, Buffer>, done: sendUnaryData<Buffer>) =>
        done(null, Buffer.from(`${name} heard ${call.request.toString()}`)),
    },
  );
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    ),
  );
  return { port, stop: () => server.forceShutdown() };
}

/** The listener `greeter` and its route `greetings`, which has its virtual hosts apart. */
export function setGreeter(group: ResourceGroup): void {
  const router = { name: "router", typedConfig: packAny("Router", {}) };
  const manager = packAny("HttpConnectionManager", {
    statPrefix: "x",
    rds: { routeConfigName: "greetings", configSource: ads },
    httpFilters: [router],
    commonHttpProtocolOptions: { maxStreamDuration: durationFromMs(10_000) },
  });
  group.set("listeners", "greeter", { name: "greeter", apiListener: { apiListener: manager } });
  group.set("routes", "greetings", { name: "greetings", vhds: { configSource: ads } });
}

/** A cluster with one endpoint. */
export function setBackend(group: ResourceGroup, cluster: string, port: number): void {
  group.set("clusters", cluster, {
    name: cluster,
    type: "EDS",
    lbPolicy: "ROUND_ROBIN",
    edsClusterConfig: { edsConfig: ads },
  });
  group.set("endpoints", cluster, {
    clusterName: cluster,
    endpoints: [
      {
        locality: { region: "here" },
        loadBalancingWeight: 1,
        lbEndpoints: [
          {
            healthStatus: "HEALTHY",
            endpoint: { address: { socketAddress: { address: "127.0.0.1", portValue: port } } },
          },
        ],
      },
    ],
  });
}

/** Leads all calls to one cluster, or to several by weight. */
export function routeTo(group: ResourceGroup, to: string | Readonly<Record<string, number>>): void {
  const match = { prefix: "" };
  const host = (routes: VirtualHost["routes"]): VirtualHost => ({ name: "any", domains: ["*"], routes });
  if (typeof to === "string")
    return group.set("virtualHosts", "greetings/any", host([{ match, route: { cluster: to } }]));
  group.set(
    "virtualHosts",
    "greetings/any",
    host([
      {
        match,
        route: { weightedClusters: { clusters: Object.entries(to).map(([name, weight]) => ({ name, weight })) } },
      },
    ]),
  );
}

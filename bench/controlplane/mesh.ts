// A mesh of so many services and so many proxies, as documents.
import { createHash } from "node:crypto";
import { mkdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { stringify } from "yaml";
import { OUTBOUND_PORT, sidecarListens } from "../../controlplane/pods/listen-port.ts";
import { podDocument } from "../../controlplane/pods/pod-document.ts";
import type { ProxyClient } from "./messages.ts";

const NAMESPACE = "default";

/** Returns a service's name. */
export const host = (service: number): string => `svc-${service}.${NAMESPACE}.svc.cluster.local`;
const document = (
  apiVersion: string,
  kind: string,
  name: string,
  rest: object,
  labels: Record<string, string> = {},
): MeshDocument => ({ apiVersion, kind, metadata: { name, namespace: NAMESPACE, labels }, ...rest });

/** An object as people write it, or of a pod that runs. */
export interface MeshDocument {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly labels?: object };
  readonly [field: string]: unknown;
}

/** Returns a service with two subsets and a VirtualService: a header match, and the rest split by weight. */
function serviceDocuments(service: number, weight: number): readonly MeshDocument[] {
  const name = `svc-${service}`;
  const to = (subset: string): object => ({ host: host(service), subset });
  return [
    document("v1", "Service", name, {
      spec: { selector: { app: name }, ports: [{ name: "http", port: 80, targetPort: 8080 }] },
    }),
    document("networking.istio.io/v1", "DestinationRule", name, {
      spec: { host: host(service), subsets: ["v1", "v2"].map((version) => ({ name: version, labels: { version } })) },
    }),
    document("networking.istio.io/v1", "VirtualService", name, {
      spec: {
        hosts: [host(service)],
        http: [
          { match: [{ headers: { "end-user": { exact: "jason" } } }], route: [{ destination: to("v2") }] },
          {
            route: [
              { destination: to("v1"), weight },
              { destination: to("v2"), weight: 100 - weight },
            ],
          },
        ],
      },
    }),
  ];
}

function sliceDocument(service: number, last: number): MeshDocument {
  const addresses = [1, last].map((number) => `10.${100 + (service >> 8)}.${service & 255}.${number}`);
  const labels = { "kubernetes.io/service-name": `svc-${service}` };
  return document(
    "discovery.k8s.io/v1",
    "EndpointSlice",
    `svc-${service}-a`,
    {
      addressType: "IPv4",
      ports: [{ name: "http", port: 8080 }],
      endpoints: addresses.map((address) => ({ addresses: [address] })),
    },
    labels,
  );
}

/** A mesh that can be changed. */
export interface BenchMesh {
  readonly proxies: readonly ProxyClient[];
  /** Writes another weight into the VirtualService of a service; returns the name of the resource that must arrive. */
  changeVirtualService(service: number, weight: number): string;
  /** Gives a service another endpoint; returns the name of the resource that must arrive. */
  changeEndpoint(service: number, last: number): string;
  /** Gives all clusters of all proxies another timeout. */
  changeMeshConfig(connectTimeoutSeconds: number): void;
}

/** A mesh on disk. */
export interface MeshFiles extends BenchMesh {
  readonly directory: string;
  readonly runtimeDir: string;
}

/** Returns all of a mesh, and its parts as they may be changed to. */
export function meshDocuments(services: number, proxies: number) {
  const clients = Array.from({ length: proxies }, (_, index) => clientOf(index, services));
  const all = Array.from({ length: services }, (_, service) => service);
  return {
    documents: [
      ...all.flatMap((service) => [...serviceDocuments(service, 90), sliceDocument(service, 2)]),
      meshConfigDocument(10),
    ],
    proxies: clients,
    pods: clients.map((client, index) => describePod(client, index, services)),
    service: serviceDocuments,
    slice: sliceDocument,
    config: meshConfigDocument,
  };
}

/** Writes the mesh under a directory: two files for each service, and the pods as \`scrim up\` would write them. */
export function writeMesh(under: string, services: number, proxies: number): MeshFiles {
  const directory = join(under, "mesh");
  const runtimeDir = join(under, "runtime");
  for (const path of [directory, runtimeDir]) mkdirSync(path, { recursive: true });
  const writeService = (service: number, weight: number): void =>
    write(join(directory, `svc-${service}.yaml`), serviceDocuments(service, weight));
  const writeSlice = (service: number, last: number): void =>
    write(join(directory, `endpoints-${service}.yaml`), [sliceDocument(service, last)]);
  for (let service = 0; service < services; service++) {
    writeService(service, 90);
    writeSlice(service, 2);
  }
  const writeMeshConfig = (seconds: number): void =>
    write(join(directory, "istio.yaml"), [meshConfigDocument(seconds)]);
  writeMeshConfig(10);
  const clients = Array.from({ length: proxies }, (_, index) => clientOf(index, services));
  write(
    join(runtimeDir, "pods.yaml"),
    clients.map((client, index) => describePod(client, index, services)),
  );
  writeFileSync(join(runtimeDir, "identities.json"), identitiesOf(clients), { mode: 0o600 });
  return {
    directory,
    runtimeDir,
    proxies: clients,
    changeVirtualService(service, weight) {
      writeService(service, weight);
      return `80/${host(service)}:80`;
    },
    changeEndpoint(service, last) {
      writeSlice(service, last);
      return `outbound|80||${host(service)}`;
    },
    changeMeshConfig: writeMeshConfig,
  };
}

function write(path: string, documents: readonly object[]): void {
  writeFileSync(`${path}.new`, documents.map((one) => stringify(one)).join("---\n"));
  renameSync(`${path}.new`, path);
}

function meshConfigDocument(connectTimeoutSeconds: number): MeshDocument {
  return {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name: "istio", namespace: "istio-system" },
    data: { mesh: `connectTimeout: ${connectTimeoutSeconds}s\n` },
  };
}

function identitiesOf(clients: readonly ProxyClient[]): string {
  return JSON.stringify(
    clients.map(({ token, namespace, serviceAccount, name }) => ({
      tokenSha256: createHash("sha256").update(token).digest("hex"),
      namespace,
      serviceAccount,
      pod: name,
    })),
  );
}

const addressOf = (index: number): string => `127.20.${index >> 8}.${index & 255 || 255}`;

function clientOf(index: number, services: number): ProxyClient {
  const name = `svc-${index % services}-${index}`;
  return {
    nodeId: `sidecar~${addressOf(index)}~${name}.${NAMESPACE}~${NAMESPACE}.svc.cluster.local`,
    name,
    namespace: NAMESPACE,
    serviceAccount: `svc-${index % services}`,
    token: `token of ${name}`,
  };
}

function describePod({ name, serviceAccount }: ProxyClient, index: number, services: number): MeshDocument {
  const app = `svc-${index % services}`;
  const ip = addressOf(index);
  const version = index % 2 === 0 ? "v1" : "v2";
  const served = [{ port: 8080, name: "http" }];
  return podDocument({
    name,
    namespace: NAMESPACE,
    labels: { app, version },
    serviceAccount,
    ip,
    workload: `${app}-${version}`,
    proxy: "sidecar",
    listens: sidecarListens(ip, served, () => 20_000 + index),
    outbound: { address: ip, port: OUTBOUND_PORT },
    containerPorts: served,
    ready: true,
  });
}

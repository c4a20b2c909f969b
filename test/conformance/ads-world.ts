// An xDS server with resources of a test's own, an upstream to route to, and the authority between them.
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Authority, openAuthority } from "../../controlplane/ca/authority.ts";
import { createWorkloadSecrets, type WorkloadSecrets } from "../../controlplane/ca/workload-secrets.ts";
import { spiffeId } from "../../controlplane/model/spiffe.ts";
import { createResourceEncoder } from "../../controlplane/snapshot/encode.ts";
import { emptyResources, type EnvoyResources } from "../../controlplane/translate/emit/resources.ts";
import { createSystemClock } from "../../controlplane/telemetry/clock.ts";
import { createIdentityFile } from "../../controlplane/xds/identities.ts";
import { createXdsServer, type ConnectedProxy, type XdsServer } from "../../controlplane/xds/server.ts";
import type { Listener, VirtualHost } from "../../protos/build/envoy.ts";
import { durationFromMs, packAny } from "../../protos/codec.ts";

export const pod = { namespace: "default", pod: "web-1", serviceAccount: "web" };
export const nodeId = "sidecar~127.0.0.1~web-1.default~default.svc.cluster.local";
export const token = "a token of web-1";

export interface AdsWorld {
  readonly authority: Authority;
  /** What is served; change it and publish. */
  resources: EnvoyResources;
  readonly upstreamPort: number;
  server(): XdsServer;
  publish(): void;
  status(): ConnectedProxy | undefined;
  /** Ends the server and starts a new one, with nothing remembered, on the same port. */
  restart(): Promise<void>;
  close(): Promise<void>;
}

const silent = { info: () => undefined, warn: () => undefined, error: (fields: object) => console.error(fields) };

/** A server that listens; workload certificates live as long as said. */
export async function startAdsWorld(workloadLifetimeMs?: number): Promise<AdsWorld> {
  const directory = mkdtempSync(join(tmpdir(), "scrim-ads-"));
  const clock = createSystemClock();
  const opening = openAuthority({
    directory: join(directory, "ca"),
    trustDomain: "cluster.local",
    clock,
    workloadLifetimeMs,
  });
  if (opening.kind === "failed") throw new Error(opening.message);
  const { authority } = opening;
  const identities = writeIdentities(directory);
  const upstream = createServer((request, response) => response.end(`upstream ${request.headers.host}`)).listen(
    0,
    "127.0.0.1",
  );
  await new Promise((resolve) => upstream.once("listening", resolve));
  const stopped = new AbortController();
  const secrets = createWorkloadSecrets({ authority, clock, random: Math.random });

  const world = { resources: emptyResources() };
  const start = (port: number): Promise<XdsServer> => startServer(port, { authority, secrets, identities, world });
  let server = await start(0);
  void secrets.watch(() => server.notify(), stopped.signal);
  return {
    authority,
    get resources() {
      return world.resources;
    },
    set resources(resources) {
      world.resources = resources;
    },
    upstreamPort: (upstream.address() as AddressInfo).port,
    server: () => server,
    publish: () => server.notify(),
    status: () => server.status()[0],
    async restart() {
      const { port } = server.address();
      await server.close();
      server = await start(port);
    },
    async close() {
      stopped.abort();
      await server.close();
      upstream.closeAllConnections();
      await new Promise((resolve) => upstream.close(resolve));
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** Writes who has the token; returns the file. */
function writeIdentities(directory: string): string {
  const path = join(directory, "identities.json");
  const tokenSha256 = createHash("sha256").update(token).digest("hex");
  writeFileSync(path, JSON.stringify([{ tokenSha256, ...pod }]), { mode: 0o600 });
  return path;
}

interface ServerParts {
  readonly authority: Authority;
  readonly secrets: WorkloadSecrets;
  /** The file of identities. */
  readonly identities: string;
  readonly world: { readonly resources: EnvoyResources };
}

async function startServer(port: number, { authority, secrets, identities, world }: ServerParts): Promise<XdsServer> {
  const encoder = createResourceEncoder();
  let last = encoder.encodeResources("web", emptyResources());
  const { chainPem, keyPem } = authority.issueServerCertificate({
    dnsNames: ["istiod.istio-system.svc"],
    ipAddresses: ["127.0.0.1"],
  });
  const server = createXdsServer({
    encoder,
    clock: createSystemClock(),
    log: silent,
    secure: {
      host: "127.0.0.1",
      port,
      certificate: { certificate: chainPem, key: keyPem },
      authenticate: createIdentityFile(identities, () => undefined),
    },
    resourcesFor: () => (last = encoder.encodeResources("web", world.resources, last)),
    secretsFor: ({ identity }) =>
      secrets.secretsFor(spiffeId("cluster.local", identity.namespace, identity.serviceAccount)),
  });
  await server.listen();
  return server;
}

/** A listener on a free port that routes by a route configuration with VHDS. */
export function routedListener(name: string, tls = false, routeConfigName = "80"): Listener {
  const ads = { ads: {}, resourceApiVersion: "V3" } as const;
  const manager = packAny("HttpConnectionManager", {
    statPrefix: "test",
    rds: { routeConfigName, configSource: ads },
    httpFilters: [{ name: "envoy.filters.http.router", typedConfig: packAny("Router", {}) }],
  });
  const context = packAny("DownstreamTlsContext", {
    commonTlsContext: { tlsCertificateSdsSecretConfigs: [{ name: "default", sdsConfig: ads }] },
  });
  const chain = {
    filters: [{ name: "envoy.filters.network.http_connection_manager", typedConfig: manager }],
    transportSocket: tls ? { name: "envoy.transport_sockets.tls", typedConfig: context } : undefined,
  };
  return { name, address: { socketAddress: { address: "127.0.0.1", portValue: 0 } }, filterChains: [chain] };
}

/** A virtual host that sends everything to a cluster, or answers directly when no cluster is given. */
export function virtualHost(
  name: string,
  answer: { readonly cluster: string } | { readonly text: string },
): VirtualHost {
  const match = { prefix: "/" };
  if ("cluster" in answer) return { name, domains: [name], routes: [{ match, route: { cluster: answer.cluster } }] };
  return {
    name,
    domains: [name],
    routes: [{ match, directResponse: { status: 200, body: { inlineString: answer.text } } }],
  };
}

/** One listener, one EDS cluster, two virtual hosts: `up.test` goes upstream, `direct.test` answers `one`. */
export function basicResources(upstreamPort: number, tls = false): EnvoyResources {
  const resources = emptyResources();
  addCluster(resources, "up", upstreamPort);
  resources.listeners.set("main", routedListener("main", tls));
  resources.routes.set("80", { name: "80", vhds: { configSource: { ads: {}, resourceApiVersion: "V3" } } });
  resources.virtualHosts.set("80/up.test", virtualHost("up.test", { cluster: "up" }));
  resources.virtualHosts.set("80/direct.test", virtualHost("direct.test", { text: "one" }));
  return resources;
}

/** Adds an EDS cluster with one endpoint. */
export function addCluster(resources: EnvoyResources, name: string, port: number): void {
  resources.clusters.set(name, {
    name,
    type: "EDS",
    connectTimeout: durationFromMs(1_000),
    edsClusterConfig: { edsConfig: { ads: {}, resourceApiVersion: "V3" } },
  });
  const endpoint = { address: { socketAddress: { address: "127.0.0.1", portValue: port } } };
  resources.endpoints.set(name, { clusterName: name, endpoints: [{ lbEndpoints: [{ endpoint }] }] });
}

// An API server of a cluster in this process, for tests: HTTPS, tokens and client certificates, lists in pages, watches
// with history and bookmarks, writes, discovery; and the faults that a real one has.
import type { Access } from "./credentials.ts";
import { generateKeyPairSync, X509Certificate } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer, type Server } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import { newSigner, signCertificate } from "../ca/x509.ts";
import { answerCall, type ServerFaults } from "./testing-api-calls.ts";
import { createTestResources, resourceKey, type StoredObject, type TestResource } from "./testing-resources.ts";

/** What most meshes' API servers serve. */
export const CORE_RESOURCES: readonly TestResource[] = [
  { group: "", version: "v1", plural: "namespaces", kind: "Namespace", namespaced: false },
  { group: "", version: "v1", plural: "nodes", kind: "Node", namespaced: false },
  { group: "", version: "v1", plural: "services", kind: "Service", namespaced: true },
  { group: "", version: "v1", plural: "pods", kind: "Pod", namespaced: true },
  { group: "", version: "v1", plural: "serviceaccounts", kind: "ServiceAccount", namespaced: true },
  { group: "", version: "v1", plural: "configmaps", kind: "ConfigMap", namespaced: true },
  { group: "", version: "v1", plural: "secrets", kind: "Secret", namespaced: true },
  { group: "discovery.k8s.io", version: "v1", plural: "endpointslices", kind: "EndpointSlice", namespaced: true },
  { group: "coordination.k8s.io", version: "v1", plural: "leases", kind: "Lease", namespaced: true },
];

export type TestApiServer = Awaited<ReturnType<typeof startTestApiServer>>;

/** Starts one with these resources, on a free port of this machine. */
export async function startTestApiServer(resources: readonly TestResource[] = CORE_RESOURCES) {
  const stored = createTestResources();
  for (const resource of resources) stored.add(resource);
  const identity = createTestIdentity();
  const faults: ServerFaults = {};
  const calls: string[] = [];
  let tokens = ["good-token"];
  let sockets = new Set<Socket>();
  let port = 0;
  let server: Server | undefined;
  const watches = new Set<ServerResponse>();

  const isKnown = (request: IncomingMessage): boolean =>
    tokens.includes((request.headers.authorization ?? "").replace(/^Bearer /, "")) ||
    (request.socket as unknown as { authorized: boolean }).authorized;

  const start = async (): Promise<void> => {
    const { serverCert, serverKey, ca } = identity;
    const options = { cert: serverCert, key: serverKey, ca, requestCert: true, rejectUnauthorized: false };
    const made = createServer(options, (request, response) => {
      calls.push(`${request.method} ${request.url}`);
      void answerCall(request, response, { stored, faults, watches, isKnown: isKnown(request) });
    });
    sockets = new Set();
    made.on("connection", (socket: Socket) => {
      sockets.add(socket);
      socket.on("close", () => sockets.delete(socket));
    });
    await new Promise<void>((resolve) => made.listen(port, "127.0.0.1", resolve));
    port = (made.address() as AddressInfo).port;
    server = made;
  };
  const stop = async (): Promise<void> => {
    for (const socket of sockets) socket.destroy();
    const ending = server;
    server = undefined;
    if (ending) await new Promise((resolve) => ending.close(resolve));
  };
  await start();

  return {
    ...identity,
    url: `https://127.0.0.1:${port}`,
    port,
    token: "good-token",
    faults,
    /** Every call there was, as in `GET /api/v1/pods?limit=500`. */
    calls,
    stored,
    put: (...sent: readonly StoredObject[]): void => {
      for (const object of sent) stored.put(object);
    },
    remove: (resource: string, name: string) => stored.remove(resource, name),
    allowTokens(...allowed: readonly string[]) {
      tokens = [...allowed];
    },
    /** Watches that are open now. */
    watching: () => watches.size,
    /** Cuts every connection, in the middle of what it says. */
    cut() {
      for (const socket of sockets) socket.destroy();
    },
    /** Ends every watch in good order, as an API server does after a while. */
    endWatches() {
      for (const response of watches) response.end();
    },
    start,
    stop,
    /** With the token, or what else is given for the user. */
    kubeconfig: (user: object = { token: "good-token" }, namespace = "istio-system") =>
      JSON.stringify({
        apiVersion: "v1",
        kind: "Config",
        "current-context": "test",
        clusters: [
          {
            name: "test",
            cluster: {
              server: `https://127.0.0.1:${port}`,
              "certificate-authority-data": Buffer.from(identity.ca).toString("base64"),
            },
          },
        ],
        users: [{ name: "me", user }],
        contexts: [{ name: "test", context: { cluster: "test", user: "me", namespace } }],
      }),
  };
}

/** An authority, a server's certificate, and one of a user. */
function createTestIdentity() {
  const make = () => generateKeyPairSync("ec", { namedCurve: "prime256v1" });
  const authority = make();
  const signer = newSigner("test-ca", authority.publicKey, authority.privateKey);
  const certify = (commonName: string, keys: ReturnType<typeof make>, isAuthority = false): string =>
    signCertificate(
      {
        ...{ publicKey: keys.publicKey, commonName, isAuthority, uris: [], dnsNames: isAuthority ? [] : ["localhost"] },
        ipAddresses: isAuthority ? [] : ["127.0.0.1"],
        ...{ notBeforeMs: Date.now() - 3_600_000, notAfterMs: Date.now() + 3_600_000 },
      },
      signer,
    );
  const pem = ({ privateKey }: ReturnType<typeof make>) =>
    privateKey.export({ type: "pkcs8", format: "pem" }).toString();
  const ca = certify("test-ca", authority, true);
  const [server, client] = [make(), make()];
  return {
    ca: new X509Certificate(ca).toString(),
    ...{ serverCert: certify("server", server), serverKey: pem(server) },
    ...{ clientCert: certify("me", client), clientKey: pem(client) },
  };
}

export { resourceKey };

/** Returns a way to it for a control plane in istio-system, by the token that it knows from its start. */
export function accessTo({ url, ca }: Pick<TestApiServer, "url" | "ca">): Access {
  return {
    namespace: "istio-system",
    credentials: async () => ({
      kind: "credentials",
      server: url,
      tls: { ca },
      headers: { authorization: "Bearer good-token" },
    }),
    renew: () => undefined,
  };
}

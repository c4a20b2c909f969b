// A gateway through a real Envoy: hosts, merged rules, redirects, certificates by server name.
import { createServer, type IncomingMessage, request, type Server } from "node:http";
import { request as secureRequest } from "node:https";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CERTIFICATE, KEY } from "../../golden/tls-material.ts";
import type { Envoy } from "../../support/envoy.ts";
import { startOutboundEnvoy } from "../../support/outbound-envoy.ts";
import { freePort } from "../../support/ports.ts";

let web: Server;
let envoy: Envoy;
let http = 0;
let https = 0;

beforeAll(async () => {
  web = createServer((incoming, response) =>
    response.end(
      `${incoming.url} ${incoming.headers["x-forwarded-proto"]} ${incoming.headers["x-envoy-internal"] ?? "-"}`,
    ),
  );
  await new Promise<void>((resolve) => web.listen(0, "127.0.0.1", resolve));
  [http, https] = [await freePort(), await freePort()];
  envoy = await startOutboundEnvoy(
    mesh((web.address() as AddressInfo).port),
    "istio-system/istio-ingressgateway",
    http,
  );
}, 60_000);

afterAll(async () => {
  await envoy?.stop();
  web.closeAllConnections();
  web.close();
});

describe("a gateway", () => {
  it("knows hosts whatever port the client reached it at, and no others", async () => {
    expect((await get("www.example.com", "/any")).body).toBe("/merged-last http -");
    expect((await get("www.example.com:8080", "/first/x")).body).toBe("/first/x http -");
    expect((await get("WWW.EXAMPLE.COM", "/second")).body).toBe("/second http -");
    expect((await get("other.example.org", "/")).status).toBe(404);
    expect((await get("example.com", "/")).status).toBe(404);
    expect((await get("api.example.com", "/first/x")).status).toBe(404);
  });

  it("drops what strangers say about themselves", async () => {
    expect(
      (await get("www.example.com", "/first/x", { "x-envoy-internal": "true", "x-forwarded-proto": "https" })).body,
    ).toBe("/first/x http -");
  });

  it("redirects to HTTPS", async () => {
    const answer = await get("secure.example.net", "/a?b");
    expect([answer.status, answer.location]).toEqual([301, "https://secure.example.net/a?b"]);
  });

  it("shows a certificate to those who ask for a name it serves", async () => {
    expect((await get("secure.example.net", "/tls", {}, true)).body).toBe("/tls https -");
    await expect(get("unknown.example.net", "/tls", {}, true)).rejects.toThrow();
  });
});

function mesh(webPort: number): string {
  return `
apiVersion: v1
kind: Pod
metadata:
  name: gateway
  namespace: istio-system
  labels: {istio: ingressgateway}
  annotations:
    scrim.mesh/workload: istio-ingressgateway
    scrim.mesh/proxy: router
    scrim.mesh/listen: >-
      [{"port":80,"address":"127.0.0.1:${http}","name":"http"},
      {"port":443,"address":"127.0.0.1:${https}","name":"https"}]
spec: {}
status: {podIP: 127.9.9.9, phase: Running}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {ports: [{name: http, port: 80}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: web, labels: {kubernetes.io/service-name: web}}
addressType: IPv4
ports: [{name: http, port: ${webPort}}]
endpoints: [{addresses: [127.0.0.1]}]
---
apiVersion: v1
kind: Secret
metadata: {name: cert, namespace: istio-system}
type: kubernetes.io/tls
stringData: ${JSON.stringify({ "tls.crt": CERTIFICATE, "tls.key": KEY })}
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: front}
spec:
  selector: {istio: ingressgateway}
  servers:
  - {port: {number: 80, name: http, protocol: HTTP}, hosts: ["*.example.com"]}
  - {port: {number: 80, name: http-secure, protocol: HTTP}, hosts: [secure.example.net], tls: {httpsRedirect: true}}
  - port: {number: 443, name: https, protocol: HTTPS}
    hosts: [secure.example.net]
    tls: {mode: SIMPLE, credentialName: cert}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: a}
spec:
  hosts: [www.example.com]
  gateways: [front]
  http:
  - match: [{uri: {prefix: /first}}]
    route: [{destination: {host: web}}]
  - rewrite: {uri: /merged-last}
    match: [{uri: {exact: /any}}]
    route: [{destination: {host: web}}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: b}
spec:
  hosts: [www.example.com]
  gateways: [front]
  http: [{match: [{uri: {prefix: /second}}], route: [{destination: {host: web}}]}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: secure}
spec:
  hosts: [secure.example.net]
  gateways: [front]
  http: [{route: [{destination: {host: web}}]}]
`;
}

interface Answer {
  readonly status: number;
  readonly location: string | undefined;
  readonly body: string;
}

function get(
  host: string,
  path: string,
  headers: Readonly<Record<string, string>> = {},
  secure = false,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const receive = (response: IncomingMessage) => {
      let body = "";
      response.on("data", (part: Buffer) => (body += part.toString()));
      response.on("end", () =>
        resolve({ status: response.statusCode ?? 0, location: response.headers.location, body }),
      );
    };
    const common = { host: "127.0.0.1", path, headers: { ...headers, host }, agent: false } as const;
    const sent = secure
      ? secureRequest({ ...common, port: https, servername: host, rejectUnauthorized: false }, receive)
      : request({ ...common, port: http }, receive);
    sent.on("error", reject);
    sent.end();
  });
}

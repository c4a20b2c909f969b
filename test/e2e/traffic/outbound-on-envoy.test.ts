// The way out through a real Envoy: absolute-form, HTTP/2, CONNECT into the same routes, TLS and plain TCP in tunnels,
// and where nobody may go.
import { createServer as createHttpServer, type IncomingMessage, request, type Server } from "node:http";
import { connect as connectHttp2 } from "node:http2";
import { createServer as createTcpServer, type Server as TcpServer, type Socket } from "node:net";
import { connect as connectTls, createServer as createTlsServer } from "node:tls";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CERTIFICATE, KEY } from "../../golden/tls-material.ts";
import type { Envoy } from "../../support/envoy.ts";
import { startOutboundEnvoy } from "../../support/outbound-envoy.ts";
import { freePort } from "../../support/ports.ts";
import { listening } from "../../support/servers.ts";

let servers: (Server | TcpServer)[] = [];
let envoy: Envoy;
let proxy = 0;
let webPort = 0;
/** What the upstream has seen of each path. */
const attempts = new Map<string, number>();

beforeAll(async () => {
  webPort = await serving(
    createHttpServer((incoming, response) => {
      attempts.set(incoming.url ?? "", (attempts.get(incoming.url ?? "") ?? 0) + 1);
      if (incoming.url?.startsWith("/fail/")) return response.writeHead(Number(incoming.url.slice(-3))).end();
      // Whoever asks for /late never gets an answer.
      if (incoming.url !== "/late")
        response.end(
          `web ${incoming.method} ${incoming.url} ${incoming.headers.host} ${incoming.headers["x-ruled"] ?? "-"}`,
        );
    }),
  );
  const tlsPort = await serving(createTlsServer({ cert: CERTIFICATE, key: KEY }, (socket) => socket.end("tls spoken")));
  const tcpPort = await serving(createTcpServer((socket) => socket.end("server speaks first")));
  proxy = await freePort();
  envoy = await startOutboundEnvoy(mesh({ webPort, tlsPort, tcpPort, proxy }), "default/client", proxy);
}, 60_000);

afterAll(async () => {
  await envoy?.stop();
  for (const server of servers) {
    server.close();
    if ("closeAllConnections" in server) server.closeAllConnections();
  }
});

describe("the explicit proxy", () => {
  it("takes absolute-form requests by any spelling of the host", async () => {
    for (const host of [
      "web",
      "web.default",
      "web.default.svc",
      "web.default.svc.cluster.local",
      "WEB:80",
      "10.96.0.1",
    ]) {
      expect(await absolute(`http://${host}/x`), host).toEqual({
        status: 200,
        body: expect.stringContaining("web GET /x"),
      });
    }
  });

  it("takes HTTP/2 by :authority", async () => {
    const session = connectHttp2(`http://127.0.0.1:${proxy}`);
    const stream = session.request({ ":path": "/h2", ":authority": "web" });
    expect(await text(stream)).toBe("web GET /h2 web yes");
    session.close();
  });

  it("routes what comes through a tunnel as what comes without", async () => {
    const socket = await tunnel("web:80");
    socket.write("GET /in-tunnel HTTP/1.1\r\nhost: web\r\nconnection: close\r\n\r\n");
    expect(await text(socket)).toContain("web GET /in-tunnel web yes");
  });

  it("hands TLS in a tunnel on to the host that the tunnel was asked for", async () => {
    const socket = await tunnel("oddly:8443");
    const secure = connectTls({ socket, rejectUnauthorized: false, servername: "oddly" });
    expect(await text(secure)).toBe("tls spoken");
  });

  it("tunnels straight to ports that are not HTTP, also where the server speaks first", async () => {
    expect(await text(await tunnel("database:5432"))).toBe("server speaks first");
  });

  it("answers 404 where no route matches and 503 where nobody is", async () => {
    expect((await absolute("http://ruled-only.example.com/other")).status).toBe(404);
    expect((await absolute("http://empty/")).status).toBe(503);
  });

  it("obeys rules for hosts that are no service", async () => {
    expect(await absolute("http://ruled-only.example.com/web/1")).toEqual({
      status: 200,
      body: "web GET /1 rewritten.example.com -",
    });
    expect(await absolute("http://ruled-only.example.com/teapot")).toEqual({ status: 418, body: "short" });
  });

  it("never leads to this machine by a host that nobody declared", async () => {
    for (const host of [`127.0.0.1:${webPort}`, `localhost:${webPort}`, `[::1]:${webPort}`, `0.0.0.0:${webPort}`]) {
      const refused = await absolute(`http://${host}/`);
      expect(refused.status, host).toBe(403);
      expect(refused.body, host).toContain("declare the host by a ServiceEntry");
      await expect(tunnel(host), host).rejects.toThrow(/403/);
    }
  });

  it("retries as most routes of a host do, as a route says for itself, or not at all", async () => {
    for (const [path, expected] of [
      ["/fail/default/503", 3],
      ["/fail/too/503", 3],
      ["/fail/default/500", 1],
      ["/fail/own/500", 4],
      ["/fail/own/503", 1],
      ["/fail/off/503", 1],
    ] as const) {
      expect((await absolute(`http://web${path}`)).status, path).toBe(Number(path.slice(-3)));
      expect(attempts.get(path), path).toBe(expected);
    }
  });

  it("injects faults and limits time", async () => {
    expect((await absolute("http://web/abort")).status).toBe(418);
    expect((await absolute("http://web/late")).status).toBe(504);
  });
});

function mesh(ports: {
  readonly webPort: number;
  readonly tlsPort: number;
  readonly tcpPort: number;
  readonly proxy: number;
}): string {
  const slice = (name: string, portName: string, port: number) => `
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: ${name}, labels: {kubernetes.io/service-name: ${name}}}
addressType: IPv4
ports: [{name: ${portName}, port: ${port}}]
endpoints: [{addresses: [127.0.0.1]}]
---`;
  const slices = [
    slice("web", "http-web", ports.webPort),
    slice("oddly", "http", ports.tlsPort),
    slice("database", "tcp", ports.tcpPort),
  ].join("");
  return `
apiVersion: v1
kind: Pod
metadata:
  name: client
  labels: {app: client}
  annotations: {scrim.mesh/workload: client, scrim.mesh/proxy: sidecar, scrim.mesh/outbound: "127.0.0.1:${ports.proxy}"}
spec: {}
status: {podIP: 127.9.9.9, phase: Running}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {clusterIP: 10.96.0.1, ports: [{name: http-web, port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: oddly}
spec: {ports: [{name: http, port: 8443}]}
---
apiVersion: v1
kind: Service
metadata: {name: database}
spec: {ports: [{name: tcp, port: 5432}]}
---
apiVersion: v1
kind: Service
metadata: {name: empty}
spec: {selector: {app: empty}, ports: [{name: http, port: 80}]}
---${slices}
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: web}
spec:
  hosts: [web]
  http:
  - match: [{uri: {exact: /abort}}]
    fault: {abort: {httpStatus: 418, percentage: {value: 100}}}
    route: [{destination: {host: web}}]
  - match: [{uri: {exact: /late}}]
    timeout: 0.2s
    route: [{destination: {host: web}}]
  - match: [{uri: {prefix: /fail/own/}}]
    retries: {attempts: 3, retryOn: "500"}
    route: [{destination: {host: web}}]
  - match: [{uri: {prefix: /fail/off/}}]
    retries: {attempts: 0}
    route: [{destination: {host: web}}]
  - match: [{uri: {prefix: /fail/too/}}]
    retries: {attempts: 2, retryOn: "503"}
    route: [{destination: {host: web}}]
  - headers: {request: {set: {x-ruled: "yes"}}}
    retries: {attempts: 2, retryOn: "503"}
    route: [{destination: {host: web}}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: ruled-only}
spec:
  hosts: [ruled-only.example.com]
  http:
  - match: [{uri: {prefix: /web/}}]
    rewrite: {uri: /, authority: rewritten.example.com}
    route: [{destination: {host: web}}]
  - match: [{uri: {prefix: /teapot}}]
    directResponse: {status: 418, body: {string: short}}
`;
}

function serving(server: Server | TcpServer): Promise<number> {
  servers = [...servers, server];
  return listening(server);
}

function absolute(url: string): Promise<{ readonly status: number; readonly body: string }> {
  return new Promise((resolve, reject) => {
    const sent = request(
      { host: "127.0.0.1", port: proxy, path: url, headers: { host: new URL(url).host }, agent: false },
      (response: IncomingMessage) => {
        text(response).then((body) => resolve({ status: response.statusCode ?? 0, body }), reject);
      },
    );
    sent.on("error", reject);
    sent.end();
  });
}

function tunnel(authority: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const sent = request({
      host: "127.0.0.1",
      port: proxy,
      method: "CONNECT",
      path: authority,
      headers: { host: authority },
      agent: false,
    });
    sent.on("connect", (response, socket, head) => {
      if (head.length > 0) socket.unshift(head);
      if (response.statusCode === 200) resolve(socket);
      else reject(new Error(`CONNECT ${authority}: ${response.statusCode}`));
    });
    sent.on("error", reject);
    sent.end();
  });
}

function text(stream: NodeJS.ReadableStream): Promise<string> {
  return new Promise((resolve, reject) => {
    let all = "";
    stream.on("data", (part: Buffer) => (all += part.toString()));
    stream.on("end", () => resolve(all));
    stream.on("error", reject);
  });
}

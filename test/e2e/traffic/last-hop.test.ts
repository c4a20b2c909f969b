// What the last hop speaks: what the port says, and where it says nothing, what the client's first bytes say.
import { connect, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Mesh, repository, request, startMesh } from "../../support/mesh.ts";
import { h2c, text, tunnel, tunnelled, until, websocket } from "../../support/tunnel.ts";
import { documents } from "../../support/workloads.ts";

let mesh: Mesh;
let proxy = "";
let caller = "";

beforeAll(async () => {
  mesh = await startMesh({ files: { "mesh.yaml": workloads } });
  proxy = (await mesh.proxy("client")).outbound;
  caller = (await mesh.proxy("client")).ports[0]?.address ?? "";
}, 120_000);

afterAll(() => mesh?.stop());

describe("a port named http, asked by HTTP/2 from sidecar to sidecar", () => {
  it("serves an application that knows HTTP/1.1 only, websockets too", async () => {
    expect((await mesh.from("client", "http://said/x")).status).toBe(200);
    expect((await h2c(proxy, "http://said/x")).status).toBe(200);
    const { headers, socket } = await websocket(proxy, "http://said/socket");
    expect(headers["x-path"]).toBe("/socket");
    socket.write("ping;");
    expect(await until(socket, "ping;")).toBe("ping;");
    socket.destroy();
  });
});

describe("a port that says nothing", () => {
  it("takes HTTP/1.1 and HTTP/2 as the client speaks them, asked for and in tunnels", async () => {
    expect((await mesh.from("client", "http://unsaid:7080/x")).status).toBe(200);
    expect((await tunnelled(proxy, "http://unsaid:7080/in")).status).toBe(200);
    for (const way of [proxy, await tunnel(proxy, "unsaid:7082")]) {
      const answer = await h2c(way, "http://unsaid:7082/x");
      expect(JSON.parse(answer.body)).toMatchObject({ httpVersion: "2.0", path: "/x" });
    }
    const { socket } = await websocket(proxy, "http://unsaid:7080/socket");
    socket.write("ping;");
    expect(await until(socket, "ping;")).toBe("ping;");
    socket.destroy();
  });

  it.each(["", "&direct=1"])("takes gRPC%s", async (how) => {
    const { body } = await request(`http://${caller}/?target=unsaid:7090&method=chat${how}`);
    expect(JSON.parse(body)).toMatchObject({ code: 0, messages: [{}, {}, {}] });
  });

  it("passes on what is no HTTP, whoever speaks first", async () => {
    const first = await tunnel(proxy, "unsaid:7000");
    first.write("PING\r\n");
    expect(await until(first, "PING\r\n")).toMatch(/^hello from unsaid.*\nPING/);
    first.destroy();
    const waiting = await tunnel(proxy, "unsaid:7000");
    expect(await until(waiting, "\n")).toMatch(/^hello from unsaid/);
    waiting.write("and back;");
    expect(await until(waiting, "and back;")).toBe("and back;");
    waiting.destroy();
  });

  it("passes on TLS that is the application's own", async () => {
    const secure = connectTls({ socket: await tunnel(proxy, "secure:7443"), rejectUnauthorized: false });
    secure.write("GET /own HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    expect(await text(secure)).toContain("secured /own");
  });
});

describe("from outside the mesh, under PERMISSIVE,", () => {
  const bound = async (workload: string, port: number): Promise<Socket> => {
    const { ports } = await mesh.proxy(workload);
    const { hostname, port: number } = new URL(`http://${ports.find((each) => each.port === port)?.address}`);
    return connect(Number(number), hostname);
  };

  it("a port that says nothing takes HTTP, what is no HTTP, and a server that speaks first", async () => {
    const web = await bound("unsaid", 9080);
    web.write("GET /plain HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    const answer = await text(web);
    expect(answer).toContain('"path":"/plain"');
    expect(answer).toContain("x-envoy-upstream-service-time"); // it was looked into
    const pinged = await bound("unsaid", 9000);
    pinged.write("PING\r\n");
    expect(await until(pinged, "PING\r\n")).toMatch(/^hello from unsaid/);
    pinged.destroy();
    const waiting = await bound("unsaid", 9000);
    expect(await until(waiting, "\n")).toMatch(/^hello from unsaid/);
    waiting.destroy();
  });

  it.each([
    ["secure", 9443],
    ["secure-tcp", 9444],
  ])("%s takes TLS that is the application's own", async (workload, port) => {
    const secure = connectTls({ socket: await bound(workload, port), rejectUnauthorized: false });
    secure.write("GET /own HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    expect(await text(secure)).toContain("secured /own");
  });
});

const workload = (name: string, script: string, ports: string, service: string): string => `apiVersion: v1
kind: Service
metadata: {name: ${name}, namespace: default}
spec: {selector: {app: ${name}}, ports: [${service}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: ${name}, namespace: default}
spec:
  selector: {matchLabels: {app: ${name}}}
  template:
    metadata:
      labels: {app: ${name}}
      annotations: {scrim.mesh/local-command: exec node ${repository}test/support/apps/${script}}
    spec:
      containers: [{name: app, ports: [${ports}]}]
`;

const containers =
  "{containerPort: 9080, name: http}, {containerPort: 9082, name: http2}, " +
  "{containerPort: 9090, name: grpc}, {containerPort: 9000, name: tcp}";
const workloads = documents(
  workload("client", "grpc-client.mjs", "{containerPort: 8080}", "{name: http, port: 80, targetPort: 8080}"),
  workload("said", "echo.mjs", "{containerPort: 8080}", "{name: http, port: 80, targetPort: 8080}"),
  workload(
    "unsaid",
    "polyglot.mjs",
    containers,
    "{name: one, port: 7080, targetPort: 9080}, {name: two, port: 7082, targetPort: 9082}, " +
      "{name: three, port: 7090, targetPort: 9090}, {name: four, port: 7000, targetPort: 9000}",
  ),
  workload("secure", "tls.mjs", "{containerPort: 9443}", "{port: 7443, targetPort: 9443}"),
  workload("secure-tcp", "tls.mjs", "{containerPort: 9444}", "{name: tcp-own, port: 7444, targetPort: 9444}"),
  `apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: said, namespace: default}
spec: {host: said, trafficPolicy: {connectionPool: {http: {h2UpgradePolicy: UPGRADE}}}}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: unsaid, namespace: default}
spec: {host: unsaid, trafficPolicy: {connectionPool: {http: {h2UpgradePolicy: UPGRADE}}}}
`,
);

// What passes between two workloads besides plain requests: long bodies, streams, half-dead endpoints, TLS of the
// applications' own, changes under way.
import { writeFileSync } from "node:fs";
import http from "node:http";
import https from "node:https";
import { createServer as createTcpServer, type Server } from "node:net";
import { join } from "node:path";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { selfSigned } from "../../support/certificate.ts";
import { type Mesh, request, startMesh } from "../../support/mesh.ts";
import { object } from "../../support/objects.ts";
import { listening } from "../../support/servers.ts";
import { h2c, text, tunnel, until } from "../../support/tunnel.ts";
import { destinationRule, entries, type ServerPorts, virtualService, workloads } from "./exchanges-mesh.ts";

let mesh: Mesh;
let proxy = "";
const servers: Server[] = [];
const outside = selfSigned(["outside.example.com"]);
let ports: ServerPorts;

beforeAll(async () => {
  ports = {
    stream: await serving(http.createServer(streaming)),
    tls: await serving(
      https.createServer({ cert: outside.certificate, key: outside.key, minVersion: "TLSv1.3" }, secured),
    ),
    dead: await serving(createTcpServer()),
  };
  servers.pop()?.close();
  mesh = await startMesh({ files: { "workloads.yaml": workloads(ports), "entries.yaml": entries(ports) } });
  writeFileSync(join(mesh.directory, "ca.pem"), outside.certificate);
  proxy = (await mesh.proxy("client")).outbound;
}, 120_000);

afterAll(async () => {
  await mesh?.stop();
  for (const server of servers) server.close();
});

describe("bodies", () => {
  it("pass whole in both directions, however long and however sent", async () => {
    const body = "0123456789abcdef".repeat(64 * 1024);
    for (const headers of [
      { "content-length": String(body.length) },
      { "transfer-encoding": "chunked" },
      { expect: "100-continue" },
    ] as Record<string, string>[]) {
      const answer = await mesh.from("client", "http://web/", { method: "POST", body, headers });
      expect([answer.status, JSON.parse(answer.body).body.length]).toEqual([200, body.length]);
    }
    expect((await mesh.from("client", "http://stream/length/5000000")).body.length).toBe(5_000_000);
    expect((await h2c(proxy, "http://stream/length/3000000")).body.length).toBe(3_000_000);
  });

  it("come as they are written: a stream of events is not held back", async () => {
    const socket = await tunnel(proxy, "stream:80");
    socket.write("GET /events HTTP/1.1\r\nhost: stream\r\n\r\n");
    // The server writes the second event only when the first has been seen.
    expect(await until(socket, "event 1")).toContain("200 OK");
    await mesh.from("client", "http://stream/next");
    expect(await until(socket, "event 2")).toContain("event 2");
    socket.destroy();
  });

  it("of HEAD, 204 and 304 are none, and trailers pass", async () => {
    const head = await mesh.from("client", "http://stream/length/1000", { method: "HEAD" });
    expect([head.status, head.body, head.headers["content-length"]]).toEqual([200, "", "1000"]);
    expect((await mesh.from("client", "http://web/status/204")).status).toBe(204);
    expect((await mesh.from("client", "http://web/status/304")).status).toBe(304);
    expect((await mesh.from("client", "http://web/", { method: "OPTIONS" })).status).toBe(200);
  });
});

describe("addresses", () => {
  it("are also taken from the Host header of an origin-form request", async () => {
    const answer = await request(`http://${proxy}/origin`, { headers: { host: "web" } });
    expect([answer.status, JSON.parse(answer.body).path]).toEqual([200, "/origin"]);
  });

  it("lead a workload to itself too", async () => {
    expect(JSON.parse((await mesh.from("client", "http://client/self")).body).path).toBe("/self");
  });

  it("that are dead are left for others by default retries", async () => {
    for (let i = 0; i < 20; i++) expect((await mesh.from("client", "http://half-dead/length/1")).status).toBe(200);
  });

  it("are taken in turn when a rule says so", async () => {
    await applied("rule.yaml", destinationRule("web", "{loadBalancer: {simple: ROUND_ROBIN}}"));
    await mesh.from("client", "http://web/");
    const seen: Record<string, number> = {};
    for (let i = 0; i < 20; i++) {
      const pod = String((await mesh.from("client", "http://web/")).headers["x-version"]);
      seen[pod] = (seen[pod] ?? 0) + 1;
    }
    // Each worker of the proxy takes its own turns: a connection that is opened anew may begin with the same one again.
    expect(Math.abs((seen["v1"] ?? 0) - (seen["v2"] ?? 0))).toBeLessThanOrEqual(2);
    mesh.remove("rule.yaml");
  });

  it("of ServiceEntries may be asked for, and entries for one host add up", async () => {
    expect((await mesh.from("client", "http://240.0.0.7/length/3")).body).toBe("xxx");
    expect((await mesh.from("client", "http://twice.example.com/length/3")).body).toBe("xxx");
    expect((await mesh.from("client", "http://twice.example.com:8081/length/4")).body).toBe("xxxx");
  });
});

describe("TLS", () => {
  it("of two applications passes between their sidecars as it is", async () => {
    const secure = connectTls({
      socket: await tunnel(proxy, "tls-app:443"),
      rejectUnauthorized: false,
      servername: "tls-app",
    });
    secure.write("GET /inner HTTP/1.1\r\nhost: tls-app\r\nconnection: close\r\n\r\n");
    expect(await text(secure)).toContain("secured /inner");
  });

  it("is begun by the sidecar when a rule says so, and the certificate must be right", async () => {
    const status = async (tls: string): Promise<[number, string]> => {
      await applied("origin.yaml", destinationRule("outside.example.com", `{tls: ${tls}}`));
      const answer = await mesh.from("client", "http://outside.example.com/o");
      return [answer.status, answer.status === 200 ? answer.body : ""];
    };
    expect(await status(`{mode: SIMPLE, caCertificates: ${mesh.directory}/ca.pem, sni: outside.example.com}`)).toEqual([
      200,
      "secured /o",
    ]);
    expect(await status(`{mode: SIMPLE, caCertificates: ${mesh.directory}/ca.pem}`)).toEqual([200, "secured /o"]);
    expect((await status("{mode: SIMPLE}"))[0]).toBe(503);
    expect(await status("{mode: SIMPLE, insecureSkipVerify: true}")).toEqual([200, "secured /o"]);
    expect(
      (
        await status(`{mode: SIMPLE, caCertificates: ${mesh.directory}/ca.pem, subjectAltNames: [other.example.com]}`)
      )[0],
    ).toBe(503);
    mesh.remove("origin.yaml");
  });

  it("is begun for http to a declared https port, as Istio's egress task writes it", async () => {
    const entry = `apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: cnn, namespace: default}
spec:
  hosts: [edition.example.com]
  ports: [{number: 80, name: http-port, protocol: HTTP}, {number: 443, name: https-port, protocol: HTTPS}]
  resolution: DNS
  endpoints: [{address: localhost, ports: {http-port: ${ports.stream}, https-port: ${ports.tls}}}]
`;
    const rule = (tls: string): string => `apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: cnn, namespace: default}
spec:
  host: edition.example.com
  subsets:
  - name: tls-origination
    trafficPolicy:
      loadBalancer: {simple: ROUND_ROBIN}
      portLevelSettings: [{port: {number: 443}, tls: ${tls}}]
`;
    const route =
      "{match: [{port: 80}], route: [{destination: {host: edition.example.com, subset: tls-origination, " +
      "port: {number: 443}}}]}";
    await applied(
      "cnn.yaml",
      entry,
      rule(`{mode: SIMPLE, caCertificates: ${mesh.directory}/ca.pem, subjectAltNames: [outside.example.com]}`),
      virtualService("edition.example.com", route),
    );
    const answer = await mesh.from("client", "http://edition.example.com/politics");
    expect([answer.status, answer.body]).toEqual([200, "secured /politics"]);
    expect(sniSeen).toBe("edition.example.com");
    await applied(
      "cnn.yaml",
      entry,
      rule(`{mode: SIMPLE, caCertificates: ${mesh.directory}/ca.pem}`),
      virtualService("edition.example.com", route),
    );
    expect((await mesh.from("client", "http://edition.example.com/politics")).status).toBe(503);
    mesh.remove("cnn.yaml");
  });

  it("between sidecars is what a rule says, else what both can", async () => {
    await applied(
      "strict.yaml",
      object("PeerAuthentication", "default", "{mtls: {mode: STRICT}}", "istio-system"),
      destinationRule("web", "{tls: {mode: DISABLE}}"),
    );
    expect((await mesh.from("client", "http://web/")).status).toBe(503);
    await applied(
      "strict.yaml",
      object("PeerAuthentication", "default", "{mtls: {mode: STRICT}}", "istio-system"),
      destinationRule("web", "{tls: {mode: ISTIO_MUTUAL}}"),
      destinationRule("stream", "{tls: {mode: ISTIO_MUTUAL}}"),
    );
    expect((await mesh.from("client", "http://web/")).status).toBe(200);
    expect((await mesh.from("client", "http://stream/")).status).toBe(503);
    mesh.remove("strict.yaml");
  });
});

const applied = (file: string, ...texts: readonly string[]): Promise<void> => mesh.apply(file, ...texts);

function serving(server: Server): Promise<number> {
  servers.push(server);
  return listening(server);
}

let sendNext: (() => void) | undefined;
function streaming(incoming: http.IncomingMessage, response: http.ServerResponse): void {
  const [, word, length = "0"] = (incoming.url ?? "").split("/");
  if (word === "events") {
    response.write("event 1\n");
    sendNext = () => response.write("event 2\n");
    return;
  }
  if (word === "next") sendNext?.();
  response.setHeader("content-length", length);
  response.end("x".repeat(Number(length)));
}

let sniSeen: string | false | undefined;
function secured(incoming: http.IncomingMessage, response: http.ServerResponse): void {
  sniSeen = (incoming.socket as TLSSocket).servername as string | undefined;
  response.end(`secured ${incoming.url}`);
}

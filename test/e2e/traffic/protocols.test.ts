// What applications may speak with their sidecar's proxy, and what of the mesh holds for each of it.
import http from "node:http";
import { createServer as createTcpServer, type Server } from "node:net";
import { connect as connectTls, createServer as createTlsServer } from "node:tls";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CERTIFICATE, KEY } from "../../golden/tls-material.ts";
import { type Mesh, request, startMesh } from "../../support/mesh.ts";
import { object } from "../../support/objects.ts";
import { listening } from "../../support/servers.ts";
import { h2c, text, tunnel, tunnelled, until, websocket } from "../../support/tunnel.ts";
import { eventually } from "../../support/until.ts";
import { documents } from "../../support/workloads.ts";
import { grpcRules, serviceEntries, subsets, weighted, workloads } from "./protocols-mesh.ts";

let mesh: Mesh;
let proxy = "";
let caller = "";
const servers: Server[] = [];

beforeAll(async () => {
  const plain = await serving(
    http.createServer((incoming, response) => response.end(`plain ${incoming.headers.host} ${incoming.url}`)),
  );
  const secure = await serving(createTlsServer({ cert: CERTIFICATE, key: KEY }, (socket) => socket.end("tls spoken")));
  const foreign = await serving(createTcpServer((socket) => socket.end("foreign tcp")));
  mesh = await startMesh({
    files: {
      "workloads.yaml": workloads,
      "entries.yaml": serviceEntries({ plain, secure, foreign }),
      "traffic.yaml": documents(subsets, weighted("8080")),
    },
  });
  proxy = (await mesh.proxy("client")).outbound;
  caller = (await mesh.proxy("client")).ports[0]?.address ?? "";
}, 120_000);

afterAll(async () => {
  await mesh?.stop();
  for (const server of servers) server.close();
});

describe("HTTP", () => {
  it("takes cleartext HTTP/2 by prior knowledge and speaks what the server speaks", async () => {
    const toHttp1 = await h2c(proxy, "http://polyglot/x?y=1", { method: "POST", body: "sent" });
    expect([toHttp1.status, JSON.parse(toHttp1.body)]).toEqual([
      200,
      expect.objectContaining({ path: "/x?y=1", body: "sent" }),
    ]);
    const toHttp2 = await h2c(proxy, "http://polyglot:8082/x", { method: "POST", body: "sent" });
    expect(JSON.parse(toHttp2.body)).toMatchObject({
      httpVersion: "2.0",
      path: "/x",
      body: "sent",
      authority: "polyglot:8082",
    });
    const fromHttp1 = await mesh.from("client", "http://polyglot:8082/y");
    expect(JSON.parse(fromHttp1.body)).toMatchObject({ httpVersion: "2.0", path: "/y" });
  });

  it("upgrades to websockets", async () => {
    for (const url of ["http://polyglot/socket", "http://polyglot.default.svc.cluster.local:80/socket"]) {
      const { headers, socket } = await websocket(proxy, url);
      expect(headers["x-path"]).toBe("/socket");
      socket.write("ping 1;");
      expect(await until(socket, "ping 1;")).toBe("ping 1;");
      socket.destroy();
    }
  });

  it("upgrades to websockets inside a tunnel, as websocket libraries ask", async () => {
    const socket = await tunnel(proxy, "polyglot:80");
    socket.write("GET /in HTTP/1.1\r\nhost: polyglot\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\r\n");
    expect(await until(socket, "\r\n\r\n")).toMatch(/^HTTP\/1.1 101/);
    socket.write("ping 2;");
    expect(await until(socket, "ping 2;")).toBe("ping 2;");
    socket.destroy();
  });
});

describe("CONNECT", () => {
  it("keeps weights and header routing inside the tunnel", async () => {
    const seen: Record<string, number> = {};
    for (let i = 0; i < 200; i++) {
      const answer = await tunnelled(proxy, "http://polyglot/");
      const version = String(answer.headers["x-version"] ?? answer.status);
      seen[version] = (seen[version] ?? 0) + 1;
    }
    expect((seen["v1"] ?? 0) + (seen["v2"] ?? 0)).toBe(200);
    expect(seen["v2"]).toBeGreaterThan(100);
    expect(seen["v1"]).toBeGreaterThan(10);
    for (let i = 0; i < 10; i++)
      expect((await tunnelled(proxy, "http://polyglot/", { "end-user": "jason" })).headers["x-version"]).toBe("v1");
  });

  it("serves HTTP/2 in a tunnel", async () => {
    const answer = await h2c(await tunnel(proxy, "polyglot:8082"), "http://polyglot:8082/deep", {
      headers: { "end-user": "jason" },
    });
    expect(JSON.parse(answer.body)).toMatchObject({ httpVersion: "2.0", path: "/deep", version: "v1" });
  });

  it("serves many requests in one tunnel", async () => {
    const socket = await tunnel(proxy, "polyglot:80");
    for (let i = 0; i < 3; i++) {
      socket.write(`GET /again/${i} HTTP/1.1\r\nhost: polyglot\r\nend-user: jason\r\n\r\n`);
      expect(await until(socket, '"body":""}')).toContain(`"path":"/again/${i}"`);
    }
    socket.destroy();
  });

  it("leads by the host of the request, not by that of the tunnel", async () => {
    const socket = await tunnel(proxy, "polyglot:80");
    socket.write("GET /here HTTP/1.1\r\nhost: plain.example.com\r\nconnection: close\r\n\r\n");
    expect(await text(socket)).toContain("plain plain.example.com /here");
  });

  it("hands TLS on to an https host that was declared, as it is", async () => {
    const secure = connectTls({
      socket: await tunnel(proxy, "secure.example.com:443"),
      ca: CERTIFICATE,
      servername: "golden.example",
    });
    expect(await text(secure)).toBe("tls spoken");
    expect(secure.authorized).toBe(true);
  });

  it("reaches TCP services by mTLS, also where the server speaks first", async () => {
    const strict = object(
      "PeerAuthentication",
      "default",
      "{mtls: {mode: STRICT}, selector: {matchLabels: {app: polyglot}}}",
    );
    await applied("strict.yaml", strict);
    const address = (await mesh.proxy("polyglot-v1")).ports.find(({ port }) => port === 9000)?.address ?? "";
    await eventually("plaintext refused", async () =>
      request(`http://${address}/`).then(
        () => undefined,
        () => true,
      ),
    );
    const socket = await tunnel(proxy, "polyglot:9000");
    expect(await until(socket, "\n")).toMatch(/^hello from polyglot-v[12]/);
    socket.write("and back;");
    expect(await until(socket, "and back;")).toBe("and back;");
    const ended = text(socket);
    socket.end();
    expect(await ended).toBe("");
    expect((await mesh.from("client", "http://polyglot/")).status).toBe(200);
    mesh.remove("strict.yaml");
  });

  it("reaches TCP hosts outside that were declared", async () => {
    expect(await text(await tunnel(proxy, "foreign.example.com:7000"))).toBe("foreign tcp");
  });

  it("refuses tunnels to this machine and to names that do not resolve", async () => {
    for (const authority of ["127.0.0.1:22", "localhost:22", "[::1]:22", "169.254.169.254:80"])
      await expect(tunnel(proxy, authority), authority).rejects.toThrow(/ (403|404|503)$/);
    await expect(tunnel(proxy, "nobody.invalid:80")).rejects.toThrow(/ 50[23]$/);
  });
});

describe("gRPC", () => {
  const ask = async (
    query: string,
  ): Promise<{
    code: number;
    details?: string;
    messages?: { text: string; version: string; attempt: number; authority: string }[];
  }> => JSON.parse((await request(`http://${caller}/?${query}`)).body);

  it.each(["", "&direct=1"])("carries unary calls, streams and statuses%s", async (how) => {
    const unary = await ask(`target=polyglot:9090${how}`);
    expect([unary.code, unary.messages?.[0]?.text, unary.messages?.[0]?.authority]).toEqual([
      0,
      "hello",
      "polyglot:9090",
    ]);
    const chat = await ask(`target=polyglot:9090&method=chat${how}`);
    expect([chat.code, chat.messages?.map(({ text }) => text)]).toEqual([0, ["re: 0", "re: 1", "re: 2"]]);
    expect(await ask(`target=polyglot:9090&method=broken${how}`)).toMatchObject({ code: 9, details: "as asked" });
    expect((await ask(`target=polyglot.default.svc.cluster.local:9090${how}`)).code).toBe(0);
  });

  it("routes by method, by metadata and by weight", async () => {
    await applied("traffic.yaml", subsets, grpcRules);
    for (const how of ["", "&direct=1"]) {
      for (let i = 0; i < 4; i++) {
        expect((await ask(`target=polyglot:9090${how}`)).messages?.[0]?.version).toBe("v2");
        expect((await ask(`target=polyglot:9090&end-user=jason${how}`)).messages?.[0]?.version).toBe("v1");
        expect((await ask(`target=polyglot:9090&method=chat${how}`)).messages?.[0]?.version).toBe("v1");
      }
    }
  });

  it("tries again what failed as the rule says, by gRPC's words", async () => {
    expect(await ask("target=polyglot:9090&fail-key=a&fail-times=2&end-user=jason")).toMatchObject({
      code: 0,
      messages: [{ attempt: 3 }],
    });
    expect(await ask("target=polyglot:9090&fail-key=b&fail-times=4&end-user=jason")).toMatchObject({ code: 14 });
    expect(await ask("target=polyglot:9090&fail-key=c&fail-times=1&end-user=once")).toMatchObject({ code: 14 });
  });

  it("is told in gRPC's words what the mesh refuses", async () => {
    await applied(
      "authorization.yaml",
      `apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: no-chat, namespace: default}
spec:
  selector: {matchLabels: {app: polyglot}}
  action: DENY
  rules: [{to: [{operation: {paths: ["/test.Echo/Chat"]}}]}]
`,
    );
    await eventually(
      "PERMISSION_DENIED",
      async () => ((await ask("target=polyglot:9090&method=chat")).code === 7 ? true : undefined),
      10_000,
    );
    expect(await ask("target=polyglot:9090&method=chat&direct=1")).toMatchObject({
      code: 7,
      details: "RBAC: access denied",
    });
    expect((await ask("target=polyglot:9090")).code).toBe(0);
    expect((await ask("target=nobody-here:9090&direct=1")).code).toBe(14);
    mesh.remove("authorization.yaml");
  });
});

const applied = (file: string, ...texts: readonly string[]): Promise<void> => mesh.apply(file, ...texts);

function serving(server: Server): Promise<number> {
  servers.push(server);
  return listening(server);
}

// The edges of a mesh: what gateways let in and how, what a sidecar lets out, and who sees whose services and rules.
import http from "node:http";
import http2 from "node:http2";
import https from "node:https";
import { networkInterfaces } from "node:os";
import tls from "node:tls";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { selfSigned, tlsSecret } from "../../support/certificate.ts";
import { type Answer, type Mesh, request, startMesh } from "../../support/mesh.ts";
import { listening } from "../../support/servers.ts";
import { text, tunnel } from "../../support/tunnel.ts";
import { eventually } from "../../support/until.ts";
import { gateways, rule, workloads } from "./gateways-mesh.ts";

let mesh: Mesh;
const servers: http.Server[] = [];
const one = selfSigned(["one.example.com"]);
const wild = selfSigned(["*.wild.example.com"]);
let ports: Record<"a" | "b" | "shop", number>;
const gatewayPort = new Map<number, string>();

beforeAll(async () => {
  ports = { a: await serving("a"), b: await serving("b"), shop: await serving("shop") };
  mesh = await startMesh({ files: { "workloads.yaml": workloads(ports), "gateways.yaml": gateways(one, wild) } });
  const { ports: open } = await mesh.proxy("istio-ingressgateway");
  for (const { port, address } of open) gatewayPort.set(port, address);
}, 120_000);

afterAll(async () => {
  await mesh?.stop();
  for (const server of servers) server.close();
});

describe("a gateway", () => {
  it("merges VirtualServices for one host, routes for every request last", async () => {
    expect((await atGateway(80, "a.example.com", "/x")).body).toBe("a a.example.com /x");
    expect((await atGateway(80, "a.example.com", "/b/x")).body).toBe("b a.example.com /b/x");
    expect((await atGateway(80, "a.example.com", "/x", { "x-to": "b" })).body).toBe("b a.example.com /x");
    expect((await atGateway(80, "A.example.com:80", "/x")).status).toBe(200);
  });

  it("serves hosts for the Gateway that named them and for namespaces it named", async () => {
    expect((await atGateway(80, "b.example.com", "/")).body).toBe("b b.example.com /");
    expect((await atGateway(80, "shop.example.com", "/")).body).toBe("shop shop.example.com /");
    expect((await atGateway(80, "any.wild.example.com", "/")).body).toBe("a any.wild.example.com /");
    expect((await atGateway(80, "wild.example.com", "/")).status).toBe(404);
  });

  it("answers 404 for hosts that nobody named, on each port for itself", async () => {
    expect((await atGateway(80, "nobody.example.com", "/")).status).toBe(404);
    expect((await atGateway(80, "other-port.example.com", "/")).status).toBe(404);
    expect((await atGateway(8090, "other-port.example.com", "/")).body).toBe("b other-port.example.com /");
    expect((await atGateway(8090, "a.example.com", "/")).status).toBe(404);
  });

  it("tells by match.gateways and match.port where a rule is meant", async () => {
    expect((await atGateway(80, "both.example.com", "/")).body).toBe("b both.example.com /");
    expect((await mesh.from("client", "http://both.example.com/")).body).toBe("a both.example.com /");
  });

  it("redirects to https where it is told to", async () => {
    const answer = await atGateway(80, "one.example.com", "/x?y=1");
    expect([answer.status, answer.headers["location"]]).toEqual([301, "https://one.example.com/x?y=1"]);
  });

  it("shows each name its own certificate and serves what belongs to it, over HTTP/1.1 and HTTP/2", async () => {
    expect((await secure("one.example.com", one.certificate)).body).toBe("a one.example.com /s");
    expect((await secure("some.wild.example.com", wild.certificate)).body).toBe("b some.wild.example.com /s");
    await expect(secure("one.example.com", wild.certificate)).rejects.toThrow(/self.signed/);
    const session = http2.connect("https://one.example.com", {
      createConnection: () =>
        tls.connect({
          host: "127.0.0.1",
          port: Number(gatewayPort.get(443)?.split(":")[1]),
          servername: "one.example.com",
          ca: one.certificate,
          ALPNProtocols: ["h2"],
        }),
    });
    expect(await text(session.request({ ":path": "/h2", ":authority": "one.example.com" }))).toBe(
      "a one.example.com /h2",
    );
    session.destroy();
  });

  it("refuses names that no server has, and leads no name to another's routes", async () => {
    await expect(secure("nobody.example.com", one.certificate)).rejects.toThrow();
    await expect(secure("broken.example.com", one.certificate)).rejects.toThrow();
    expect((await secure("one.example.com", one.certificate, "some.wild.example.com")).status).toBe(404);
  });

  it("takes a new certificate without a restart", async () => {
    const fresh = selfSigned(["one.example.com"]);
    mesh.write(
      "gateways.yaml",
      gateways(one, wild).replace(tlsSecret("one", "istio-system", one), tlsSecret("one", "istio-system", fresh)),
    );
    await eventually(
      "the new certificate",
      async () => ((await secure("one.example.com", fresh.certificate)).status === 200 ? true : undefined),
      10_000,
    );
  });

  it("is no open proxy", async () => {
    const address = gatewayPort.get(80) ?? "";
    expect((await request("http://unknown.example.net/", { proxy: `http://${address}` })).status).toBe(404);
    await expect(tunnel(address, "a.default.svc.cluster.local:80")).rejects.toThrow(/ 4\d\d$/);
    await expect(tunnel(address, "a.example.com:80")).rejects.toThrow(/ 4\d\d$/);
  });
});

describe("ServiceEntries", () => {
  it("lead to their endpoints, by weight of addresses, and to names", async () => {
    const seen = new Set<string>();
    for (let i = 0; i < 30; i++) seen.add((await mesh.from("client", "http://static.example.com/")).body);
    expect([...seen].sort()).toEqual(["a static.example.com /", "b static.example.com /"]);
    expect((await mesh.from("client", "http://named.example.com:8085/x")).body).toBe("shop named.example.com:8085 /x");
    expect((await mesh.from("client", "http://localhost.example.com/")).body).toBe("a localhost.example.com /");
  });

  it("take rules as services do", async () => {
    await applied(
      "entry.yaml",
      rule("entry", "default", "static.example.com", "directResponse: {status: 418}", "", "{uri: {prefix: /tea}}"),
    );
    expect((await mesh.from("client", "http://static.example.com/tea")).status).toBe(418);
    mesh.remove("entry.yaml");
  });
});

describe("visibility", () => {
  it("hides what is exported to its own namespace only", async () => {
    expect((await mesh.from("client", "http://shop.shop/")).body).toBe("shop shop.shop /");
    expect((await mesh.from("client", "http://private.shop/")).status).toBeGreaterThanOrEqual(500);
    await applied(
      "export.yaml",
      rule("private", "shop", "shop.shop.svc.cluster.local", "directResponse: {status: 418}", "exportTo: [.]"),
    );
    expect((await mesh.from("client", "http://shop.shop/")).status).toBe(200);
    await applied(
      "export.yaml",
      rule("public", "shop", "shop.shop.svc.cluster.local", "directResponse: {status: 418}", "exportTo: [default]"),
    );
    expect((await mesh.from("client", "http://shop.shop/")).status).toBe(418);
    await applied(
      "export.yaml",
      rule("public", "shop", "shop.shop.svc.cluster.local", "directResponse: {status: 418}"),
      rule("own", "default", "shop.shop.svc.cluster.local", "directResponse: {status: 419}"),
    );
    expect((await mesh.from("client", "http://shop.shop/")).status).toBe(419);
    mesh.remove("export.yaml");
  });

  it("is what a Sidecar says", async () => {
    const sidecar = (hosts: string, more = ""): string =>
      "apiVersion: networking.istio.io/v1\nkind: Sidecar\n" +
      `metadata: {name: default, namespace: default}\nspec:\n  egress: [{hosts: [${hosts}]}]\n${more}`;
    const statuses = async (): Promise<number[]> =>
      Promise.all(["a", "b", "shop.shop"].map(async (host) => (await mesh.from("client", `http://${host}/`)).status));
    await applied(
      "sidecar.yaml",
      sidecar("'./*', 'istio-system/*'", "  outboundTrafficPolicy: {mode: REGISTRY_ONLY}\n"),
    );
    expect(await statuses()).toEqual([200, 200, 502]);
    await applied("sidecar.yaml", sidecar("'*/a.default.svc.cluster.local', 'shop/*'"));
    expect(await statuses()).toEqual([200, 503, 200]);
    await applied("sidecar.yaml", sidecar("'~/*'", "  outboundTrafficPolicy: {mode: REGISTRY_ONLY}\n"));
    expect(await statuses()).toEqual([502, 502, 502]);
    mesh.remove("sidecar.yaml");
    await eventually(
      "everything visible again",
      async () => ((await statuses()).join() === "200,200,200" ? true : undefined),
      10_000,
    );
  });
});

describe("hosts that nobody declared", () => {
  it("are passed on, but never to this machine", async () => {
    for (const host of [
      `127.0.0.1:${ports.a}`,
      `localhost:${ports.a}`,
      `[::1]:${ports.a}`,
      `127.1.2.3:${ports.a}`,
      "169.254.169.254",
      `0.0.0.0:${ports.a}`,
      `2130706433:${ports.a}`,
      `0x7f.1:${ports.a}`,
      "nobody.invalid",
    ]) {
      expect([403, 404, 503, 502], host).toContain((await mesh.from("client", `http://${host}/`)).status);
    }
    const [own] = Object.values(networkInterfaces())
      .flat()
      .filter((each) => each?.family === "IPv4" && !each.internal);
    if (own !== undefined)
      expect((await mesh.from("client", `http://${own.address}:${ports.a}/`)).status).not.toBe(403);
  });

  it("are refused when the mesh says REGISTRY_ONLY", async () => {
    await applied(
      "mesh-config.yaml",
      "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: istio, namespace: istio-system}\n" +
        "data: {mesh: 'outboundTrafficPolicy: {mode: REGISTRY_ONLY}'}\n",
    );
    const { outbound } = await mesh.proxy("client");
    expect((await mesh.from("client", "http://undeclared.example.net/")).status).toBe(502);
    await expect(tunnel(outbound, "undeclared.example.net:443")).rejects.toThrow(/ 502$/);
    expect((await mesh.from("client", "http://a/")).status).toBe(200);
  });
});

function atGateway(port: number, host: string, path: string, headers: Record<string, string> = {}): Promise<Answer> {
  return request(`http://${gatewayPort.get(port)}${path}`, { headers: { host, ...headers } });
}

function secure(servername: string, ca: string, host = servername): Promise<Answer> {
  const [address = "", port] = (gatewayPort.get(443) ?? "").split(":");
  return new Promise((resolve, reject) => {
    const sent = https.request(
      { host: address, port, path: "/s", servername, ca, headers: { host }, agent: false, timeout: 10_000 },
      (response) => {
        text(response).then(
          (body) => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }),
          reject,
        );
      },
    );
    sent.on("error", reject);
    sent.end();
  });
}

const applied = (file: string, ...texts: readonly string[]): Promise<void> => mesh.apply(file, ...texts);

function serving(name: string): Promise<number> {
  const server = http.createServer((incoming, response) =>
    response.end(`${name} ${incoming.headers.host} ${incoming.url}`),
  );
  servers.push(server);
  return listening(server);
}

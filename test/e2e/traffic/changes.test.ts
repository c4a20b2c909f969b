// Changes of a mesh under way: they break nothing that is open, fail no request, and arrive.
import http from "node:http";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startLoad } from "../../support/load.ts";
import { type Mesh, request, startMesh } from "../../support/mesh.ts";
import { object } from "../../support/objects.ts";
import { listening } from "../../support/servers.ts";
import { h2c, until, websocket } from "../../support/tunnel.ts";
import { eventually } from "../../support/until.ts";
import { documents } from "../../support/workloads.ts";
import { backed, destinationRule, gateway, type ServerPorts, virtualService, workloads } from "./exchanges-mesh.ts";

let mesh: Mesh;
let proxy = "";
const stream = http.createServer((_, response) => response.end("xx"));
let ports: ServerPorts;

beforeAll(async () => {
  const port = await listening(stream);
  ports = { stream: port, tls: port, dead: port };
  mesh = await startMesh({ files: { "workloads.yaml": workloads(ports) } });
  proxy = (await mesh.proxy("client")).outbound;
}, 120_000);

afterAll(async () => {
  await mesh?.stop();
  stream.close();
});

const applied = (file: string, ...texts: readonly string[]): Promise<void> => mesh.apply(file, ...texts);

describe("changes", () => {
  it("do not touch open websockets", async () => {
    const { socket } = await websocket(proxy, "http://web/socket");
    for (let i = 0; i < 4; i++) {
      await applied(
        "change.yaml",
        destinationRule("web", `{connectionPool: {http: {maxRetries: ${i + 10}}}}`),
        virtualService("web", `{timeout: ${i + 1}s, route: [{destination: {host: web}}]}`),
      );
      socket.write(`after ${i};`);
      expect(await until(socket, `after ${i};`)).toBe(`after ${i};`);
    }
    socket.destroy();
    mesh.remove("change.yaml");
  });

  it("fail no request while weights, subsets and policies come and go", async () => {
    const load = startLoad({ url: "http://web/", proxy });
    const subsets = destinationRule("web", "{}").replace(
      "  trafficPolicy",
      "  subsets: [{name: v1, labels: {version: v1}}, {name: v2, labels: {version: v2}}]\n  trafficPolicy",
    );
    for (let i = 0; i < 6; i++) {
      mesh.write(
        "change.yaml",
        documents(subsets, virtualService("web", `{route: [{destination: {host: web, subset: v${1 + (i % 2)}}}]}`)),
      );
      await new Promise((resolve) => setTimeout(resolve, 450));
      // The subset and the rule that uses it go together, in one file: no request may fall between.
      mesh.write(
        "change.yaml",
        documents(
          subsets.replace("name: web", "name: web-renamed"),
          virtualService(
            "web",
            "{match: [{headers: {x-a: {exact: b}}}], route: [{destination: {host: web, subset: " +
              "v1}}]}, {route: [{destination: {host: web}}]}",
          ),
        ),
      );
      await new Promise((resolve) => setTimeout(resolve, 450));
      mesh.write("change.yaml", "# nothing\n");
      await new Promise((resolve) => setTimeout(resolve, 450));
    }
    expect((await load.stop()).failed).toEqual([]);
  });

  it("fail no request that is allowed while policies come and go", async () => {
    const security = (kind: string, name: string, spec: string): string =>
      `apiVersion: security.istio.io/v1\nkind: ${kind}\nmetadata: {name: ${name}, namespace: default}\nspec: ${spec}\n`;
    const load = startLoad({ url: "http://web/", proxy });
    for (const policies of [
      [security("PeerAuthentication", "default", "{mtls: {mode: STRICT}}")],
      [
        security("PeerAuthentication", "default", "{mtls: {mode: PERMISSIVE}}"),
        security(
          "AuthorizationPolicy",
          "clients",
          '{action: ALLOW, rules: [{from: [{source: {principals: ["cluster.local/ns/default/sa/client"]}}]}]}',
        ),
      ],
      [
        security(
          "AuthorizationPolicy",
          "clients",
          '{action: DENY, rules: [{to: [{operation: {paths: ["/nobody/asks"]}}]}]}',
        ),
      ],
      [object("RateLimitPolicy", "wide", "{limits: [{name: wide, requests: 1000000, per: 1s}]}")],
      [object("Sidecar", "default", "{egress: [{hosts: ['./*']}]}")],
      [],
    ]) {
      mesh.write("policies.yaml", documents("# some\n", ...policies));
      await new Promise((resolve) => setTimeout(resolve, 900));
    }
    expect((await load.stop()).failed).toEqual([]);
  });

  it("let a new service be asked for at once, and a removed one no more", async () => {
    mesh.write("late.yaml", backed("late", ports.stream));
    await eventually(
      "the new service",
      async () => ((await mesh.from("client", "http://late/length/2")).body === "xx" ? true : undefined),
      5_000,
    );
    mesh.remove("late.yaml");
    await eventually(
      "the end of it",
      async () => ((await mesh.from("client", "http://late/length/2")).status >= 500 ? true : undefined),
      10_000,
    );
    mesh.write("late.yaml", backed("late", ports.stream));
    await eventually(
      "the service again",
      async () => ((await mesh.from("client", "http://late/length/2")).body === "xx" ? true : undefined),
      5_000,
    );
  });

  it("open a gateway's ports and carry every kind of HTTP through them", async () => {
    mesh.write(
      "gateway.yaml",
      documents(
        gateway,
        virtualService("web", "{route: [{destination: {host: web}}]}")
          .replace("hosts: [web]", "hosts: ['*']\n  gateways: [edge]")
          .replace("name: web", "name: at-edge"),
      ),
    );
    const address = await eventually(
      "the gateway",
      async () =>
        (await mesh.proxies()).find(({ kind }) => kind === "router")?.ports.find(({ port }) => port === 8070)?.address,
      20_000,
    );
    await eventually(
      "the route",
      async () => ((await request(`http://${address}/`)).status === 200 ? true : undefined),
      10_000,
    );
    expect(JSON.parse((await h2c(address, "http://anything.example.com/h2")).body).path).toBe("/h2");
    const { socket } = await websocket(address, "http://anything.example.com/ws");
    socket.write("through;");
    expect(await until(socket, "through;")).toBe("through;");
    socket.destroy();
  });
});

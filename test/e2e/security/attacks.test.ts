// What a hostile client may try on a running mesh. Raw sockets, since no HTTP library sends such requests.
import { readdirSync, statSync } from "node:fs";
import net from "node:net";
import { join } from "node:path";
import tls from "node:tls";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { selfSigned } from "../../support/certificate.ts";
import { type Mesh, request, startMesh } from "../../support/mesh.ts";
import { documents, echoDeployment, service } from "../../support/workloads.ts";
import { rules } from "./attacks-mesh.ts";
import { exchange, status, statusOf } from "./raw-http.ts";

let mesh: Mesh;
/** How requests reach `web`: from a sidecar, in plaintext, through the gateway. */
let ways: Record<"sidecar" | "plaintext" | "gateway", string>;
let closed: Record<"sidecar" | "plaintext", string>;

beforeAll(async () => {
  mesh = await startMesh({
    files: {
      "workloads.yaml": documents(
        ...["web", "closed", "client"].flatMap((app) => [service(app), echoDeployment({ name: app, app })]),
      ),
      "mesh.yaml": rules,
    },
  });
  const [web, shut, client] = await Promise.all([mesh.proxy("web"), mesh.proxy("closed"), mesh.proxy("client")]);
  ways = { sidecar: client.outbound, plaintext: web.ports[0]?.address ?? "", gateway: new URL(mesh.gateway).host };
  closed = { sidecar: client.outbound, plaintext: shut.ports[0]?.address ?? "" };
});

afterAll(async () => {
  await mesh?.stop();
});

describe("paths", () => {
  const forbidden = [
    "/admin",
    "//admin",
    "///admin",
    "/%2Fadmin",
    "%2Fadmin",
    "/%5cadmin",
    "/\\admin",
    "/x/../admin",
    "/x/..%2fadmin",
    "/x/%2e%2e%2fadmin",
    "/./admin",
    "/%61dmin",
    "/admin?x",
    "/admin#x",
    "/admin%23x",
    "/admin%3fx",
    "/admin;x",
    "/admin%00",
    "/admin%00x",
    "/admin%20",
    "/admin%0a",
    "/admin/",
    "/admin//",
    "/x/..;/admin",
    "/a:b",
    "/a%3ab",
    "/a%3Ab",
    "http://web/admin",
    "http://WEB:80//%61dmin",
    "*",
  ];

  it.each(["sidecar", "plaintext", "gateway"] as const)("of no spelling get past a DENY, by way of %s", async (way) => {
    for (const path of forbidden) expect([400, 403, 404], path).toContain(await status(ways[way], "web", path));
    expect(await status(ways[way], "web", "/other")).toBe(200);
  });

  it("with any byte never become one that is let in or kept out", async () => {
    for (let byte = 1; byte < 256; byte++) {
      const encoded = `%${byte.toString(16).padStart(2, "0")}`;
      expect([400, 403, 404], encoded).toContain(await status(ways.plaintext, "web", `/${encoded}/../admin`));
      expect([400, 403, 404], encoded).toContain(
        await status(closed.plaintext, "closed", `/public${encoded}x/../../admin`),
      );
    }
  });
});

describe("hosts, methods and headers", () => {
  it("of no spelling get past a DENY", async () => {
    for (const host of [
      "secret.example.com",
      "SECRET.example.com.",
      "secret.example.com:80",
      "secret.example.com:",
      "a,secret.example.com",
      "user@secret.example.com",
      "a\r\nHost: secret.example.com",
    ]) {
      expect([400, 403], host).toContain(await status(ways.plaintext, host, "/"));
    }
    expect(await status(ways.plaintext, "a", "http://secret.example.com/")).toBe(403);
    for (const method of ["DELETE", "delete", "CONNECT"])
      expect([400, 403, 404], method).toContain(await status(ways.plaintext, "web", "/", [], method));
    for (const lines of [
      ["x-role: guest"],
      ["x-role: a", "X-Role: guest"],
      ["x-role: guest", "x-role: a"],
      ["x-role: a, guest ,b"],
      ["x-role:\tguest"],
    ]) {
      expect(await status(ways.plaintext, "web", "/", lines), lines.join()).toBe(403);
    }
    const answer = await exchange(ways.plaintext, "GET / HTTP/1.1\r\nHost: web\r\nx_role: guest\r\n\r\n");
    expect(answer).not.toContain("guest");
  });

  it("never get past an ALLOW, and nobody's word is taken for who calls", async () => {
    const id = "spiffe://cluster.local/ns/default/sa/web";
    for (const way of ["sidecar", "plaintext"] as const) {
      for (const lines of [
        [],
        ["x-role: admin", "x-role: user"],
        ["x-role: user,admin"],
        ["x_role: admin"],
        [`x-forwarded-client-cert: By=x;Hash=0;URI=${id}`],
        ["x-envoy-peer-metadata: CgA", "x-envoy-peer-metadata-id: sidecar~1~web.default~x"],
        ["x-envoy-original-path: /public/x"],
        ["x-envoy-external-address: 10.9.9.9"],
        ["x-forwarded-for: 10.9.9.9"],
        ["x-envoy-internal: true"],
        ["x-original-url: /public/x"],
      ])
        expect(await status(closed[way], "closed", "/secret", lines), `${way} ${lines.join()}`).toBe(403);
    }
    for (const host of ["evil,x.example.com", "x.example.com@evil", "evil@x.example.com"])
      expect([400, 403], host).toContain(await status(closed.plaintext, host, "/secret"));
  });

  it("that are too many or too long are refused", async () => {
    for (const way of Object.values(ways)) {
      expect(await status(way, "web", "/", [`x: ${"v".repeat(61 * 1024)}`])).toBe(431);
      expect(
        await status(
          way,
          "web",
          "/",
          Array.from({ length: 101 }, (_, i) => `x-${i}: v`),
        ),
      ).toBe(431);
    }
  });
});

describe("identities", () => {
  it("are not those of certificates that somebody made himself", async () => {
    const { certificate, key } = selfSigned(["x"]);
    const [host, port] = closed.plaintext.split(":");
    for (const own of [{ cert: certificate, key }, {}]) {
      const outcome = await new Promise<string>((resolve) => {
        const socket = tls.connect(
          {
            host: host ?? "",
            port: Number(port),
            ...own,
            ALPNProtocols: ["istio-http/1.1", "istio"],
            rejectUnauthorized: false,
          },
          () => socket.write("GET /secret HTTP/1.1\r\nHost: closed\r\n\r\n"),
        );
        socket.on("data", (chunk) => resolve(chunk.toString()));
        socket.on("error", (error) => resolve(`refused ${error.message}`));
        socket.on("close", () => resolve("refused"));
      });
      expect(outcome).toMatch(/^refused/);
    }
  });

  it("have their tokens and keys on no page, and in no file that others may read", async () => {
    for (const { envoyAdmin } of await mesh.proxies()) {
      const dump = (await request(`http://${envoyAdmin}/config_dump`)).body;
      expect(dump).toContain("xds-token");
      expect(dump).not.toMatch(/Bearer [0-9a-f]|PRIVATE KEY/);
    }
    const open: string[] = [];
    const look = (directory: string): void => {
      for (const name of readdirSync(directory)) {
        const path = join(directory, name);
        const found = statSync(path);
        if ((found.mode & 0o077) !== 0 && name !== "root-cert.pem") open.push(path);
        if (found.isDirectory()) look(path);
      }
    };
    look(mesh.stateDirectory);
    expect(open).toEqual([]);
  });

  it("are shown to no site of another name", async () => {
    const admin = new URL(mesh.admin).host;
    for (const host of ["evil.example", "127.0.0.1.evil.example", ""])
      expect([400, 403], host).toContain(await status(admin, host, "/debug/proxies"));
  });
});

describe("local addresses", () => {
  it("are not reached through a sidecar", async () => {
    const server = net
      .createServer((socket) => socket.end("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"))
      .listen(0, "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
    const { port } = server.address() as net.AddressInfo;
    for (const host of [
      "127.0.0.1",
      "localhost",
      "0.0.0.0",
      "[::1]",
      "[::ffff:127.0.0.1]",
      "127.0.0.2",
      "169.254.169.254",
      "LOCALHOST.",
    ]) {
      const authority = `${host}:${port}`;
      for (const bytes of [
        `GET / HTTP/1.1\r\nHost: ${authority}\r\n\r\n`,
        `GET http://${authority}/ HTTP/1.1\r\nHost: web\r\n\r\n`,
        `CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n\r\n`,
      ]) {
        expect(statusOf(await exchange(ways.sidecar, bytes)), bytes).not.toBe(200);
      }
    }
    server.close();
  });
});

describe("limits", () => {
  it("admit no more than they say, with two workers and spelt in any way", async () => {
    const paths = ["/limited", "//limited", "/limit%65d", "/limited;x", "/limited?x", "/limited%23"];
    const answers = await Promise.all(
      Array.from({ length: 90 }, (_, i) => status(ways.plaintext, "web", paths[i % paths.length] ?? "")),
    );
    expect(answers.filter((code) => code === 200)).toHaveLength(20);
    expect(answers.filter((code) => code === 429)).toHaveLength(70);
  });
});

// TLS of every mode at a gateway, and connections that are not HTTP, on real Envoys.
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import http from "node:http";
import https from "node:https";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import tls from "node:tls";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { selfSigned, tlsSecret } from "../../support/certificate.ts";
import { type Mesh, startMesh } from "../../support/mesh.ts";
import { listening } from "../../support/servers.ts";
import { eventually } from "../../support/until.ts";
import { documents } from "../../support/workloads.ts";
import { type Backends, gateways, rules, secrets, workloads } from "./gateway-tls-mesh.ts";

const folder = mkdtempSync(join(tmpdir(), "scrim-gateway-tls-"));
const files = { certificate: join(folder, "c.pem"), key: join(folder, "k.pem") };
const server = selfSigned(["*.example.com"]);
const client = selfSigned(["client.example.com"]);
const stranger = selfSigned(["client.example.com"]);
const backend = selfSigned(["secure.example.com", "checked.example.com"]);
const material = { server, client, files };

let mesh: Mesh;
let backends: Backends;
const servers: net.Server[] = [];
const ports = new Map<number, string>();

beforeAll(async () => {
  writeFiles(server);
  const answer = (name: string) => (incoming: http.IncomingMessage, response: http.ServerResponse) =>
    response.end(`${name} ${incoming.headers.host} ${incoming.headers["x-forwarded-client-cert"] ?? "-"}`);
  const greeting = (text: string) =>
    net.createServer((socket) => {
      socket.on("error", () => undefined);
      socket.write(text);
      socket.pipe(socket);
    });
  const pair = { cert: backend.certificate, key: backend.key };
  backends = {
    web: await serving(http.createServer(answer("web"))),
    secure: await serving(https.createServer(pair, answer("secure")) as unknown as net.Server),
    checked: await serving(
      https.createServer(
        { ...pair, ca: client.certificate, requestCert: true },
        answer("checked"),
      ) as unknown as net.Server,
    ),
    echo: await serving(greeting("echo ")),
    other: await serving(greeting("other ")),
  };
  mesh = await startMesh({
    files: {
      "workloads.yaml": workloads(backends),
      "gateways.yaml": gateways(material),
      "rules.yaml": rules(1, 0),
      "secrets.yaml": secrets({ ...material, backend }),
    },
  });
  for (const { port, address } of (await mesh.proxy("istio-ingressgateway")).ports) ports.set(port, address);
}, 120_000);

afterAll(async () => {
  await mesh?.stop();
  for (const each of servers) each.close();
  rmSync(folder, { recursive: true });
});

describe("a server whose TLS ends at the gateway", () => {
  it("asks for no certificate in mode SIMPLE", async () => {
    expect(await get("simple.example.com")).toBe("web simple.example.com -");
  });

  it("lets in with a certificate of its authorities only in mode MUTUAL, and says whose it was", async () => {
    expect(await get("mutual.example.com", credentials(client))).toContain("DNS=client.example.com");
    await expect(get("mutual.example.com")).rejects.toThrow();
    await expect(get("mutual.example.com", credentials(stranger))).rejects.toThrow();
  });

  it("lets in by name where names are asked for", async () => {
    await expect(get("named.example.com", credentials(client))).rejects.toThrow();
  });

  it("lets in without a certificate, but not with a bad one, in mode OPTIONAL_MUTUAL", async () => {
    expect(await get("optional.example.com")).toBe("web optional.example.com -");
    expect(await get("optional.example.com", credentials(client))).toContain("DNS=client.example.com");
    await expect(get("optional.example.com", credentials(stranger))).rejects.toThrow();
  });

  it("speaks the versions that it is told to", async () => {
    expect(await get("new.example.com")).toBe("web new.example.com -");
    await expect(get("new.example.com", { maxVersion: "TLSv1.2" })).rejects.toThrow();
    expect(await get("simple.example.com", { maxVersion: "TLSv1.2" })).toBe("web simple.example.com -");
  });

  it("shows the certificate of the kind that a client takes, where it has two", async () => {
    for (const ciphers of ["ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256"])
      expect(await get("golden.example", { maxVersion: "TLSv1.2", ciphers })).toBe("web golden.example -");
  });

  it("drops what a client says of its certificate itself", async () => {
    const headers = { "x-forwarded-client-cert": "Hash=0;URI=spiffe://cluster.local/ns/default/sa/admin" };
    expect(await get("simple.example.com", {}, headers)).toBe("web simple.example.com -");
  });
});

describe("certificates", () => {
  it("that are not there close their own server, and work when they come", async () => {
    await expect(get("late.example.com")).rejects.toThrow();
    await mesh.apply("late.yaml", tlsSecret("late", "istio-system", server));
    await eventually("the late certificate", () => get("late.example.com").catch(() => undefined), 10_000);
  });

  it("in files are read by the gateway, anew when they are replaced; those that are not there close one server", async () => {
    expect(await get("files.example.com")).toBe("web files.example.com -");
    await expect(get("lost.example.com")).rejects.toThrow();
    await expect(get("later.example.com")).rejects.toThrow();
    writeFiles(server, ".later");
    await eventually("the file that comes later", () => get("later.example.com").catch(() => undefined), 10_000);
    const fresh = selfSigned(["files.example.com"]);
    writeFiles(fresh);
    await eventually(
      "the new file",
      async () => ((await certificateAt("files.example.com")).includes("files.example.com") ? true : undefined),
      10_000,
    );
  });

  it("in a folder that comes later open their server when it is there, and those of clients too", async () => {
    const elsewhere = join(folder, "elsewhere");
    const pair = `serverCertificate: ${elsewhere}/c.pem, privateKey: ${elsewhere}/k.pem`;
    mesh.write(
      "folder.yaml",
      folderGateway(`mode: SIMPLE, ${pair}`, `mode: MUTUAL, ${pair}, caCertificates: ${elsewhere}/ca.pem`),
    );
    const told = async () => (await mesh.errorsIn("folder.yaml")).length;
    await eventually("it to be told", async () => (await told()) > 0 || undefined, 20_000);
    mkdirSync(elsewhere);
    const texts = { "k.pem": server.key, "c.pem": server.certificate, "ca.pem": client.certificate };
    for (const [file, text] of Object.entries(texts)) writeFileSync(join(elsewhere, file), text);
    await eventually("the certificate", () => get("one.folder.example.com").catch(() => undefined), 40_000);
    const asked = () => get("two.folder.example.com", credentials(client)).catch(() => undefined);
    await eventually("the authorities", asked, 40_000);
    await eventually("nobody to complain", async () => (await told()) === 0 || undefined, 20_000);
  });
});

describe("connections that are not HTTP", () => {
  it("are led on after TLS, also where the server speaks first", async () => {
    const socket = await connectTls("echo.example.com");
    expect(await said(socket, "ping", 9)).toBe("echo ping");
    socket.destroy();
  });

  it("are led on in plaintext, by weights", async () => {
    expect(await plain("ping", 9)).toBe("echo ping");
    await mesh.apply("rules.yaml", rules(0, 1));
    await eventually("the other", async () => ((await plain("ping", 10)) === "other ping" ? true : undefined), 10_000);
    await mesh.apply("rules.yaml", rules(1, 1));
    await eventually(
      "both",
      async () => {
        const seen = new Set<string>();
        for (let i = 0; i < 20; i++) seen.add((await plain("", 5)).trim());
        return seen.size === 2 ? true : undefined;
      },
      10_000,
    );
  });

  it("are passed on by name with the backend's own TLS, and names that an older server ends are its own", async () => {
    expect(await certificateAt("one.pass.example.com")).toContain("secure.example.com");
    expect(await get("one.pass.example.com")).toBe("secure one.pass.example.com -");
    await expect(get("two.pass.example.com")).rejects.toThrow();
    expect(await certificateAt("simple.example.com")).toContain("*.example.com");
  });

  it("between sidecars are passed on to whom they ask for, and to nobody else", async () => {
    const [host = "", port] = (ports.get(15443) ?? "").split(":");
    const ask = (servername: string, ALPNProtocols: string[]) =>
      subjectOf(tls.connect({ host, port: Number(port), servername, ALPNProtocols, rejectUnauthorized: false }));
    const name = "outbound_.80_._.client.default.svc.cluster.local";
    expect(await ask(name, ["istio"])).toContain("spiffe://cluster.local/ns/default/sa/client");
    await expect(ask(name, ["h2"])).rejects.toThrow();
    await expect(ask("outbound_.80_._.nobody.default.svc.cluster.local", ["istio"])).rejects.toThrow();
  });
});

describe("an egress gateway", () => {
  it("takes mutual TLS of the mesh, and speaks mutual TLS of the outside to the world there", async () => {
    const answer = await mesh.from("client", "http://outside.example.com/");
    expect([answer.status, answer.body.split(" ").slice(0, 2).join(" ")]).toEqual([200, "checked outside.example.com"]);
    const { ports: own } = await mesh.proxy("istio-egressgateway");
    const [host = "", port] = (own.find(({ port: number }) => number === 443)?.address ?? "").split(":");
    const bare = tls.connect({
      host,
      port: Number(port),
      servername: "outside.example.com",
      rejectUnauthorized: false,
    });
    await expect(said(bare, "GET / HTTP/1.1\r\nhost: outside.example.com\r\n\r\n", 1)).rejects.toThrow();
  });
});

function folderGateway(...tls: readonly string[]): string {
  const servers = tls.map(
    (one, index) =>
      `{port: {number: 443, name: f${index}, protocol: HTTPS}, hosts: [${["one", "two"][index]}.folder.example.com], tls: {${one}}}`,
  );
  return documents(
    `{apiVersion: networking.istio.io/v1, kind: Gateway, metadata: {name: folder, namespace: istio-system}, spec: {selector: {istio: ingressgateway}, servers: [${servers.join(", ")}]}}\n`,
    '{apiVersion: networking.istio.io/v1, kind: VirtualService, metadata: {name: folder}, spec: {hosts: ["*.folder.example.com"], gateways: [istio-system/folder], http: [{route: [{destination: {host: web.example.com, port: {number: 80}}}]}]}}\n',
  );
}

function credentials({ certificate, key }: typeof client): tls.ConnectionOptions {
  return { cert: certificate, key };
}

function writeFiles({ certificate, key }: typeof server, suffix = ""): void {
  for (const [path, text] of [
    [files.key, key],
    [files.certificate, certificate],
  ] as const) {
    writeFileSync(`${path}.tmp`, text);
    renameSync(`${path}.tmp`, `${path}${suffix}`);
  }
}

/** The answer's body; rejects where the connection is refused. */
function get(
  servername: string,
  options: tls.ConnectionOptions = {},
  headers: http.OutgoingHttpHeaders = {},
): Promise<string> {
  return new Promise((resolve, reject) => {
    const sent = https.request(
      {
        ...place(443),
        servername,
        rejectUnauthorized: false,
        agent: false,
        headers: { host: servername, ...headers },
        timeout: 5_000,
        ...options,
      },
      (response) => {
        let body = "";
        response.on("data", (part: Buffer) => (body += part.toString()));
        response.on("end", () => resolve(body));
        response.on("error", reject);
      },
    );
    sent.on("timeout", () => sent.destroy(new Error("no answer")));
    sent.on("error", reject);
    sent.end();
  });
}

function place(port: number): { readonly host: string; readonly port: number } {
  const [host = "", own] = (ports.get(port) ?? "").split(":");
  return { host, port: Number(own) };
}

function connectTls(servername: string): Promise<tls.TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = tls.connect({ ...place(443), servername, rejectUnauthorized: false }, () => resolve(socket));
    socket.on("error", reject);
  });
}

async function certificateAt(servername: string): Promise<string> {
  return subjectOf(tls.connect({ ...place(443), servername, rejectUnauthorized: false }));
}

/** The names of the certificate that is shown; rejects where none is. */
function subjectOf(socket: tls.TLSSocket): Promise<string> {
  return new Promise((resolve, reject) => {
    socket.on("secureConnect", () => {
      resolve(socket.getPeerCertificate().subjectaltname ?? "");
      socket.destroy();
    });
    socket.on("error", reject);
    socket.on("close", () => reject(new Error("closed")));
    socket.setTimeout(5_000, () => socket.destroy(new Error("nothing is said")));
  });
}

/** The first bytes that come back. */
function said(socket: net.Socket, text: string, length: number): Promise<string> {
  return new Promise((resolve, reject) => {
    let all = "";
    socket.on("data", (part: Buffer) => {
      all += part.toString();
      if (all.length >= length) resolve(all);
    });
    socket.on("error", reject);
    socket.on("close", () => reject(new Error(`closed after ${all}`)));
    socket.setTimeout(5_000, () => socket.destroy(new Error("nothing is said")));
    socket.write(text);
  });
}

async function plain(text: string, length: number): Promise<string> {
  const socket = net.connect(place(9000));
  const answer = await said(socket, text, length);
  socket.destroy();
  return answer;
}

function serving(one: net.Server): Promise<number> {
  servers.push(one);
  return listening(one);
}

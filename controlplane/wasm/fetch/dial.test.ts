import http from "node:http";
import https from "node:https";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { TestIdentities } from "../../../test/support/test-identities.ts";
import { type ForwardProxy, startForwardProxy } from "../../../test/fakes/forward-proxy.ts";
import { readOutboundProxies } from "../../model/outbound-proxy.ts";
import { createAddressPolicy } from "./address-policy.ts";
import { createHttpClient, type HttpRequest } from "./http-client.ts";

const open: { close(): void }[] = [];
afterEach(() => open.splice(0).forEach((each) => each.close()));

async function originOf(handler: http.RequestListener): Promise<number> {
  const server = http.createServer(handler);
  open.push({ close: () => void (server.close(), server.closeAllConnections()) });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return (server.address() as AddressInfo).port;
}

async function proxyTo(ports: Readonly<Record<string, number>>, authorization?: string): Promise<ForwardProxy> {
  const proxy = await startForwardProxy(ports, authorization);
  open.push(proxy);
  return proxy;
}

const get = (
  url: string,
  variables: Readonly<Record<string, string>>,
  allowed: readonly string[] = ["127.0.0.0/8"],
  more: Partial<HttpRequest> = {},
) =>
  createHttpClient({
    addresses: createAddressPolicy(allowed),
    maxRedirects: 2,
    proxies: readOutboundProxies(variables),
  }).request({ url, maxBytes: 1_000, deadline: AbortSignal.timeout(5_000), ...more });

describe("through a proxy", () => {
  it("names are reached that only it knows, with the credential it wants and those of the request", async () => {
    const seen: http.IncomingHttpHeaders[] = [];
    const port = await originOf(
      (request, response) => void (seen.push(request.headers), response.end(`here is ${request.url}`)),
    );
    const proxy = await proxyTo({ "plugins.test": port }, `Basic ${Buffer.from("me:secret").toString("base64")}`);
    const found = await get(
      "http://plugins.test/a?b#c",
      { http_proxy: `http://me:secret@127.0.0.1:${proxy.port}` },
      undefined,
      { headers: { authorization: "Bearer mine" } },
    );
    expect(found).toMatchObject({ kind: "answer", status: 200 });
    expect(found.kind === "answer" && found.bytes.toString()).toBe("here is /a?b");
    expect(proxy.asked).toEqual(["GET http://plugins.test/a?b"]);
    expect(seen[0]).toMatchObject({ host: "plugins.test", authorization: "Bearer mine" });
  });

  it("redirects are followed by it too, and leave the credential behind", async () => {
    const seen: (string | undefined)[] = [];
    const other = await originOf(
      (request, response) => void (seen.push(request.headers.authorization), response.end("x")),
    );
    const first = await originOf(
      (_, response) => void response.writeHead(302, { location: "http://other.test/" }).end(),
    );
    const proxy = await proxyTo({ "first.test": first, "other.test": other });
    await get("http://first.test/", { http_proxy: `127.0.0.1:${proxy.port}` }, undefined, {
      headers: { authorization: "Bearer mine" },
    });
    expect([proxy.asked, seen]).toEqual([["GET http://first.test/", "GET http://other.test/"], [undefined]]);
  });

  it("a tunnel is opened for https, and the server behind it has to prove itself", async () => {
    const plain = await originOf((_, response) => void response.end("not TLS"));
    const proxy = await proxyTo({ "secure.test": plain });
    expect(await get("https://secure.test/", { https_proxy: `127.0.0.1:${proxy.port}` })).toMatchObject({
      kind: "failed",
    });
    expect(proxy.asked).toEqual(["CONNECT secure.test:443"]);
  });

  it("a refusal of its own is told as such", async () => {
    const proxy = await proxyTo({}, "Basic none");
    const at = `127.0.0.1:${proxy.port}`;
    expect(await get("https://secure.test/", { https_proxy: at })).toMatchObject({
      kind: "failed",
      message: `https://secure.test/: the proxy ${at}: it answered 407: name a user and a password for it in HTTPS_PROXY`,
    });
    expect(await get("https://secure.test/", { https_proxy: "127.0.0.1:1" })).toMatchObject({
      kind: "failed",
      message: expect.stringContaining(
        "the proxy 127.0.0.1:1: nothing listens there (connect ECONNREFUSED 127.0.0.1:1)",
      ) as string,
    });
    expect(await get("https://secure.test/", { https_proxy: "socks5://127.0.0.1:1" })).toMatchObject({
      kind: "failed",
      message: expect.stringContaining("HTTPS_PROXY names no proxy that is spoken to") as string,
    });
  });

  it("nothing goes that could go elsewhere: addresses are judged, this machine is reached without it", async () => {
    const port = await originOf((_, response) => void response.end("here"));
    const proxy = await proxyTo({ "plugins.test": port, "10.0.0.1": port, "169.254.169.254": port });
    const variables = { http_proxy: `127.0.0.1:${proxy.port}`, https_proxy: `127.0.0.1:${proxy.port}` };
    expect(await get("http://plugins.test/", variables, [])).toMatchObject({
      kind: "failed",
      message: expect.stringContaining(`the proxy 127.0.0.1:${proxy.port}: 127.0.0.1 is a loopback address`) as string,
    });
    expect(await get("http://plugins.test/", { http_proxy: `localhost:${proxy.port}` }, [])).toMatchObject({
      kind: "failed",
      message: expect.stringContaining("loopback address") as string,
    });
    for (const url of [
      "http://10.0.0.1/",
      "http://169.254.169.254/",
      "http://0xa9fea9fe/",
      "http://[::ffff:10.0.0.1]/",
      "https://167772161/",
    ])
      expect(await get(url, variables)).toMatchObject({
        kind: "failed",
        message: expect.stringContaining("--allow-fetch-from") as string,
      });
    expect(await get(`http://127.0.0.1:${port}/`, variables)).toMatchObject({ kind: "answer", status: 200 });
    expect(proxy.asked).toEqual([]);
  });

  it("a proxy that is spoken to by TLS has to prove its own name, not that of the server behind it", async () => {
    const { certificate, key } = new TestIdentities().ofUri("spiffe://a/stranger");
    const names: string[] = [];
    const server = https.createServer({
      cert: certificate,
      key,
      SNICallback: (name, done) => void (names.push(name), done(null)),
    });
    open.push({ close: () => void (server.close(), server.closeAllConnections()) });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const proxy = `https://localhost:${(server.address() as AddressInfo).port}`;
    for (const url of ["http://plugins.test/", "https://plugins.test/"])
      expect(await get(url, { http_proxy: proxy, https_proxy: proxy }, ["127.0.0.0/8", "::1"])).toMatchObject({
        kind: "failed",
        message: expect.stringContaining("certificate") as string,
      });
    expect(names).toEqual(["localhost", "localhost"]);
  });

  it("an answer of the tunnel that never comes ends with the deadline", async () => {
    const silent = http.createServer();
    silent.on("connect", () => undefined);
    open.push({ close: () => void (silent.close(), silent.closeAllConnections()) });
    await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
    expect(
      await get(
        "https://secure.test/",
        { https_proxy: `127.0.0.1:${(silent.address() as AddressInfo).port}` },
        undefined,
        { deadline: AbortSignal.timeout(100) },
      ),
    ).toMatchObject({ kind: "failed", message: "https://secure.test/: no complete answer in time" });
  });
});

import http from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { parseRange } from "../../model/address-range.ts";
import { createAddressPolicy } from "./address-policy.ts";
import { download } from "./download.ts";
import { createHttpClient } from "./http-client.ts";

const servers: http.Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.close();
    server.closeAllConnections();
  }
});

async function serve(handler: http.RequestListener): Promise<string> {
  const server = http.createServer(handler);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const here = createHttpClient({ addresses: createAddressPolicy(["127.0.0.0/8"]), maxRedirects: 2 });
const get = (url: string, timeoutMs = 10_000, client = here) => download(client, url, { maxBytes: 1_000, timeoutMs });

describe("downloads", () => {
  it("follow redirects up to a number", async () => {
    const url = await serve((request, response) => {
      const left = Number(request.url?.slice(1));
      if (left === 0) response.end("here");
      else response.writeHead(302, { location: `/${left - 1}` }).end();
    });
    expect(await get(`${url}/2`)).toEqual(Buffer.from("here"));
    expect(await get(`${url}/3`)).toMatchObject({ kind: "failed", message: expect.stringContaining("redirects") });
  });

  it.each(["file:///etc/passwd", "ftp://127.0.0.1/x", "http://user:secret@127.0.0.1/"])(
    "follow no redirect to %s",
    async (location) => {
      const url = await serve((_, response) => response.writeHead(302, { location }).end());
      expect(await get(url)).toMatchObject({ kind: "failed", message: expect.stringContaining("not followed") });
    },
  );

  it.each(["http://169.254.169.254/latest/meta-data/", "http://10.0.0.1/", "http://[::ffff:169.254.169.254]/"])(
    "follow no redirect to the address of %s",
    async (location) => {
      const url = await serve((_, response) => response.writeHead(302, { location }).end());
      expect(await get(url)).toMatchObject({ kind: "failed", message: expect.stringContaining("--allow-fetch-from") });
    },
  );

  it.each([
    "http://127.0.0.1",
    "http://2130706433",
    "http://0x7f000001",
    "http://017700000001",
    "http://0177.0.0.1",
    "http://127.1",
    "http://127.0.0.1.",
    "http://%31%32%37.0.0.1",
    "http://１２７.0.0.1",
    "http://0.0.0.0",
    "http://0",
    "http://[::]",
    "http://[::1]",
    "http://[::ffff:127.0.0.1]",
    "http://[0:0:0:0:0:ffff:7f00:1]",
    "http://LOCALHOST",
    "http://localhost.",
  ])("connect to nothing at %s, however this machine is written", async (host) => {
    let connections = 0;
    const url = new URL(await serve((_, response) => void (connections++, response.end("secret"))));
    const client = createHttpClient({ addresses: createAddressPolicy([]), maxRedirects: 2 });
    expect(await get(`${host}:${url.port}/`, 10_000, client)).toMatchObject({ kind: "failed" });
    expect(connections).toBe(0);
  });

  it("judge an address when it is connected to: a name that leads to this machine is refused", async () => {
    const url = await serve((_, response) => response.end("secret"));
    const client = createHttpClient({ addresses: createAddressPolicy([]), maxRedirects: 2 });
    expect(await get(url.replace("127.0.0.1", "localhost"), 10_000, client)).toMatchObject({
      kind: "failed",
      message: expect.stringContaining("loopback"),
    });
  });

  it("end where there are too many bytes, however they come", async () => {
    const url = await serve((_, response) => {
      const more = setInterval(() => response.write("x".repeat(100)), 1);
      response.on("close", () => clearInterval(more));
    });
    expect(await get(url)).toMatchObject({
      kind: "failed",
      message: expect.stringContaining("larger than 1000 bytes"),
    });
  });

  it("end when the time is over", async () => {
    const url = await serve(() => {});
    expect(await get(url, 100)).toMatchObject({ kind: "failed", message: expect.stringContaining("100 ms") });
  });

  it("end with an answer that broke off", async () => {
    const url = await serve((_, response) => {
      response.writeHead(200, { "content-length": "100" });
      response.write("half");
      setTimeout(() => response.destroy(), 20);
    });
    expect(await get(url)).toMatchObject({ kind: "failed" });
  });

  it("give credentials to the server they are for, and to none it redirects to", async () => {
    const seen: (string | undefined)[] = [];
    const other = await serve(
      (request, response) => void (seen.push(request.headers.authorization), response.end("x")),
    );
    const url = await serve((request, response) => {
      seen.push(request.headers.authorization);
      response.writeHead(307, { location: request.url === "/a" ? "/b" : other }).end();
    });
    await here.request({
      url: `${url}/a`,
      headers: { authorization: "Bearer mine" },
      maxBytes: 10,
      deadline: AbortSignal.timeout(5_000),
    });
    expect(seen).toEqual(["Bearer mine", "Bearer mine", undefined]);
  });
});

describe("addresses", () => {
  const policy = createAddressPolicy([]);
  it.each([
    "127.0.0.1",
    "127.9.9.9",
    "0.0.0.0",
    "::1",
    "::",
    "169.254.169.254",
    "fe80::1",
    "fe80::1%eth0",
    "10.1.2.3",
    "172.31.0.1",
    "192.168.0.1",
    "100.64.0.1",
    "fd12::1",
    "168.63.129.16",
    "224.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:7f00:1",
    "::ffff:a9fe:a9fe",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "2002:7f00:1::",
    "::127.0.0.1",
    "255.255.255.255",
    "64:ff9b:1::7f00:1",
    "::ffff:0:127.0.0.1",
    "2001:0:7f00:1::1",
    "fd20:ce::254",
  ])("refuse %s", (address) => expect(policy(address)).toContain(address));
  it.each(["93.184.216.34", "172.32.0.1", "2606:2800:220:1::1", "::ffff:93.184.216.34", "64:ff9b::5db8:d822"])(
    "allow %s",
    (address) => expect(policy(address)).toBeUndefined(),
  );

  it("allow the ranges named, in every form of their addresses", () => {
    const named = createAddressPolicy(["10.0.0.0/8", "127.0.0.1", "fd00::/8"]);
    for (const address of ["10.1.2.3", "::ffff:10.1.2.3", "127.0.0.1", "fd12::1"])
      expect(named(address)).toBeUndefined();
    for (const address of ["127.0.0.2", "192.168.0.1", "fd00:ec2::254"]) expect(named(address)).toContain(address);
  });

  it("open a metadata service only to who names its very address", () => {
    expect(createAddressPolicy(["0.0.0.0/0", "169.254.0.0/16"])("169.254.169.254")).toContain("metadata");
    expect(createAddressPolicy(["169.254.169.254/32"])("169.254.169.254")).toBeUndefined();
  });

  it.each([
    ["10.0.0.0/8", "10.0.0.0/8"],
    ["10.0.0.1", "10.0.0.1/32"],
    ["fd00::/8", "fd00::/8"],
    ["::1", "::1/128"],
  ])("read the range %s", (text, range) => expect(parseRange(text)).toBe(range));
  it.each(["10.0.0.0/33", "ten", "10.0.0/8", "", "/8", "10.0.0.0/x"])("read no range in %j", (text) =>
    expect(parseRange(text)).toBeUndefined(),
  );
});

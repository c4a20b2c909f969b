import http from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { refusedAddress } from "./address-policy.ts";
import { download } from "./download.ts";

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

const limits = { maxBytes: 1_000, timeoutMs: 10_000, maxRedirects: 2, addresses: "any" } as const;

describe("downloads", () => {
  it("follow redirects up to a number", async () => {
    const url = await serve((request, response) => {
      const left = Number(request.url?.slice(1));
      if (left === 0) response.end("here");
      else response.writeHead(302, { location: `/${left - 1}` }).end();
    });
    expect(await download(`${url}/2`, limits)).toMatchObject({ ok: true });
    expect(await download(`${url}/3`, limits)).toMatchObject({ ok: false, message: expect.stringContaining("redirects") });
  });

  it("follow no redirect to another kind of URL", async () => {
    const url = await serve((_, response) => response.writeHead(302, { location: "file:///etc/passwd" }).end());
    expect(await download(url, limits)).toMatchObject({ ok: false, message: expect.stringContaining("not followed") });
  });

  it("end where there are too many bytes", async () => {
    const url = await serve((_, response) => response.end("x".repeat(1_001)));
    expect(await download(url, limits)).toMatchObject({ ok: false, message: expect.stringContaining("larger than 1000 bytes") });
  });

  it("end when the time is over", async () => {
    const url = await serve(() => {});
    expect(await download(url, { ...limits, timeoutMs: 100 })).toMatchObject({ ok: false, message: expect.stringContaining("within 100 ms") });
  });

  it("end with an answer that broke off", async () => {
    const url = await serve((_, response) => {
      response.writeHead(200, { "content-length": "100" });
      response.write("half");
      setTimeout(() => response.destroy(), 20);
    });
    expect(await download(url, limits)).toMatchObject({ ok: false });
  });
});

describe("addresses", () => {
  it.each(["127.0.0.1", "127.9.9.9", "169.254.169.254", "0.0.0.0", "::1", "::", "fe80::1", "::ffff:127.0.0.1", "::ffff:7f00:1", "::ffff:a9fe:a9fe", "64:ff9b::7f00:1"])("refuse %s", (address) => {
    expect(refusedAddress(address, "public")).toContain(address);
  });

  it.each(["10.1.2.3", "192.168.0.1", "93.184.216.34", "2606:2800:220:1::1", "::ffff:10.0.0.1"])("allow %s", (address) => {
    expect(refusedAddress(address, "public")).toBeUndefined();
  });

  it.each(["169.254.169.254", "::ffff:169.254.169.254", "fe80::1"])("refuse %s whatever was asked for", (address) => expect(refusedAddress(address, "any")).toContain("link-local"));
  it("allow this machine where that was asked for", () => expect(refusedAddress("127.0.0.1", "any")).toBeUndefined());
});

import { describe, expect, it } from "vitest";
import { readOutboundProxies, wayTo } from "./outbound-proxy.ts";

const way = (url: string, variables: Readonly<Record<string, string>>) =>
  wayTo(new URL(url), readOutboundProxies(variables));
const both = { HTTP_PROXY: "http://plain.proxy:8080", HTTPS_PROXY: "http://user:p%40ss@secure.proxy:3128" };

describe("the way out of a network", () => {
  it("is direct where no variable names a proxy", () => {
    expect(way("https://a.io/", {})).toEqual({ kind: "direct" });
    expect(way("https://a.io/", { HTTP_PROXY: "http://plain.proxy:8080", HTTPS_PROXY: "" })).toEqual({
      kind: "direct",
    });
  });

  it("leads by the proxy for the scheme", () => {
    expect(way("http://a.io/", both)).toEqual({
      kind: "proxy",
      server: { host: "plain.proxy", port: 8_080, tls: false },
    });
    expect(way("https://a.io/", both)).toEqual({
      kind: "proxy",
      server: {
        host: "secure.proxy",
        port: 3_128,
        tls: false,
        authorization: `Basic ${Buffer.from("user:p@ss").toString("base64")}`,
      },
    });
  });

  it.each([
    ["proxy:3128", { host: "proxy", port: 3_128, tls: false }],
    ["http://proxy", { host: "proxy", port: 80, tls: false }],
    ["https://proxy", { host: "proxy", port: 443, tls: true }],
    ["http://[fd00::1]:3128", { host: "fd00::1", port: 3_128, tls: false }],
  ])("may be written %s", (text, server) =>
    expect(way("https://a.io/", { https_proxy: text })).toEqual({ kind: "proxy", server }),
  );

  it.each(["socks5://user:secret@proxy:1080", "http://", "::"])(
    "cannot be %s, and its password is not shown",
    (text) => {
      const found = way("https://a.io/", { https_proxy: text });
      expect(found).toMatchObject({
        kind: "failed",
        code: "proxy-unusable",
        message: expect.stringContaining("HTTPS_PROXY names no proxy") as string,
      });
      expect(JSON.stringify(found)).not.toContain("secret");
    },
  );

  it.each([
    "https://localhost:5000/",
    "https://registry.localhost/",
    "https://127.0.0.1/",
    "https://127.1.2.3/",
    "https://[::1]/",
    "https://2130706433/",
  ])("never leads to this machine by a proxy: %s", (url) => {
    expect(way(url, both)).toEqual({ kind: "direct" });
  });

  it.each([
    ["a.io", "https://a.io/", true],
    ["a.io", "https://b.a.io/", true],
    ["a.io", "https://ba.io/", false],
    [".a.io", "https://a.io/", false],
    [".a.io", "https://b.a.io/", true],
    ["*.a.io", "https://b.a.io/", true],
    ["A.IO", "https://a.io/", true],
    ["a.io:8443", "https://a.io:8443/", true],
    ["a.io:8443", "https://a.io/", false],
    ["a.io:443", "https://a.io/", true],
    ["x, 10.0.0.0/8", "https://10.1.2.3/", true],
    ["10.0.0.0/8", "https://11.1.2.3/", false],
    ["10.1.2.3", "https://10.1.2.3:5000/", true],
    ["fd00::/8", "https://[fd00::1]/", true],
    ["[fd00::1]:5000", "https://[fd00::1]:5000/", true],
    ["*", "https://anything/", true],
    ["", "https://a.io/", false],
    [".", "https://a.io/", false],
  ])("NO_PROXY=%s excepts %s: %s", (except, url, direct) => {
    expect(way(url, { ...both, NO_PROXY: except }).kind).toBe(direct ? "direct" : "proxy");
  });
});

import { createHost, type Host } from "proxy-wasm-host";
import { describe, expect, it } from "vitest";
import { HOUR, admitted, module, send, start, type Sent } from "./testing.ts";

const mtls = (account: string) => ({
  connection: { mtls: true, uri_san_peer_certificate: `spiffe://cluster.local/ns/default/sa/${account}` },
});

describe("one bucket", () => {
  it("admits the burst, refuses with what a client needs to know, and regains", () => {
    const host = start([{ name: "n/p/l", tokens: 10, intervalMs: 1000, burst: 20 }]);
    expect(admitted(host, 30)).toBe(20);
    expect(send(host)).toEqual({ status: 429, details: "scrim_rate_limited[n/p/l]", headers: { "retry-after": "1" } });
    host.advance(500);
    expect(admitted(host, 30)).toBe(5);
    host.advance(3_600_000);
    expect(admitted(host, 30)).toBe(20);
    expect(host.metrics.counter("scrim_ratelimit_denied_total")).toBe(46);
    expect(host.logged("debug")).toContain("ratelimit: over n/p/l");
  });

  it("burst defaults to tokens; Retry-After counts seconds up", () => {
    const host = start([{ name: "l", tokens: 2, intervalMs: 10_000 }], { headers: "draft-03" });
    expect(admitted(host, 5)).toBe(2);
    expect(send(host).headers).toEqual({
      "retry-after": "5",
      "ratelimit-limit": "2",
      "ratelimit-remaining": "0",
      "ratelimit-reset": "5",
    });
    host.advance(1500);
    expect(send(host).headers["retry-after"]).toBe("4");
  });

  it("legacy headers", () => {
    const host = start([{ name: "l", tokens: 1, intervalMs: 1000 }], { headers: "legacy" });
    send(host);
    expect(send(host).headers["x-ratelimit-limit"]).toBe("1");
  });

  it("cost takes several tokens", () => {
    expect(admitted(start([{ name: "l", tokens: 10, intervalMs: HOUR, cost: 3 }]), 10)).toBe(3);
  });

  it("shadow counts, and refuses nothing", () => {
    const host = start([{ name: "l", tokens: 1, intervalMs: HOUR, shadow: true }]);
    expect(admitted(host, 5)).toBe(5);
    expect(host.metrics.counter("scrim_ratelimit_shadow_denied_total")).toBe(4);
  });
});

describe("what counts", () => {
  it("matches methods, paths, hosts", () => {
    const host = start([
      {
        name: "l",
        match: { methods: ["POST"], paths: ["/reviews/{*}", "/x*"], hosts: ["a.test"] },
        tokens: 1,
        intervalMs: HOUR,
      },
    ]);
    const post = (path: string, authority = "a.test"): Sent => ({
      headers: { ":method": "POST", ":path": path, ":authority": authority },
    });
    expect(admitted(host, 3)).toBe(3);
    expect(admitted(host, 3, () => post("/other"))).toBe(3);
    expect(admitted(host, 3, () => post("/x", "b.test"))).toBe(3);
    expect(send(host, post("/reviews/1?q")).status).toBe(200);
    expect(send(host, post("/x/y")).status).toBe(429);
    expect(send(host, post("/x/y", "A.test:80")).status).toBe(429);
  });

  it("every matching limit must admit, and a refusal costs the others nothing", () => {
    const host = start([
      { name: "wide", tokens: 10, intervalMs: HOUR },
      { name: "keyed", key: [{ header: "x-user" }], tokens: 10, intervalMs: HOUR },
      { name: "narrow", match: { paths: ["/narrow"] }, tokens: 2, intervalMs: HOUR },
    ]);
    expect(admitted(host, 6, () => ({ headers: { ":path": "/narrow" } }))).toBe(2);
    expect(send(host, { headers: { ":path": "/narrow" } }).details).toBe("scrim_rate_limited[narrow]");
    // what came back to the worker fades as a bucket refills, so it is spent at once here
    expect(admitted(host, 20)).toBe(8);
  });
});

describe("keys", () => {
  const keyed = (key: unknown[]): Host => start([{ name: "l", key, tokens: 1, intervalMs: HOUR }]);

  it("by header, all values of it", () => {
    const host = keyed([{ header: "X-User" }]);
    const user = (...values: string[]): Sent => ({ headers: values.length > 0 ? { "x-user": values } : {} });
    expect(send(host, user("a")).status).toBe(200);
    expect(send(host, user("a")).status).toBe(429);
    expect(send(host, user("b")).status).toBe(200);
    expect(send(host, user("a", "b")).status).toBe(200);
    expect(send(host, user()).status).toBe(200);
    expect(send(host, user("")).status).toBe(429); // absent counts as empty
  });

  it("by caller, who is known by certificate only", () => {
    const host = keyed([{ source: "principal" }]);
    expect(admitted(host, 2, () => ({ attributes: mtls("a") }))).toBe(1);
    expect(admitted(host, 2, () => ({ attributes: mtls("b") }))).toBe(1);
    expect(
      admitted(host, 4, (i) => ({
        attributes: { connection: { uri_san_peer_certificate: `spiffe://t/ns/n/sa/${i}` } },
      })),
    ).toBe(1);
  });

  it("by namespace, address and path", () => {
    expect(admitted(keyed([{ source: "namespace" }]), 2, (i) => ({ attributes: mtls(String(i)) }))).toBe(1);
    const byIp = keyed([{ source: "ip" }]);
    expect(admitted(byIp, 3, (i) => ({ attributes: { source: { address: `10.0.0.1:${i}` } } }))).toBe(1);
    expect(
      admitted(byIp, 3, (i) => ({
        attributes: { source: { address: `10.0.1.${i}:1` }, filter_state: { "scrim.peer_address": "192.0.2.1" } },
      })),
    ).toBe(1);
    expect(admitted(keyed([{ path: true }]), 4, (i) => ({ headers: { ":path": `/${i % 2}?x=${i}` } }))).toBe(2);
  });

  it("parts do not run together", () => {
    const host = keyed([{ header: "a" }, { header: "b" }]);
    expect(send(host, { headers: { a: "xy", b: "z" } }).status).toBe(200);
    expect(send(host, { headers: { a: "x", b: "yz" } }).status).toBe(200);
  });

  it("keeps many keys apart, in bounded shared data and memory", () => {
    const host = start([{ name: "l", key: [{ header: "x-user" }], tokens: 2, intervalMs: HOUR }]);
    host.setLogLevel("warn");
    const user = (i: number): Sent => ({ headers: { "x-user": `u${i}` } });
    expect(admitted(host, 5000, user)).toBe(5000);
    const before = host.memoryBytes();
    expect(admitted(host, 5000, user)).toBe(5000);
    expect(admitted(host, 5000, user)).toBe(0);
    expect(host.memoryBytes()).toBe(before);
    expect(host.sharedData.keys().length).toBeLessThanOrEqual(16_384);
    expect(host.metrics.counter("scrim_ratelimit_evicted_total")).toBe(0);
  }, 60_000);
});

describe("overrides", () => {
  const host = start([
    {
      name: "l",
      tokens: 2,
      intervalMs: HOUR,
      overrides: [
        { name: "orderservice", principals: ["cluster.local/ns/default/sa/order*"], tokens: 4, intervalMs: HOUR },
      ],
    },
  ]);

  it("give identities a bucket of their own, and headers do not", () => {
    expect(admitted(host, 9, () => ({ attributes: mtls("orderservice-sa") }))).toBe(4);
    expect(admitted(host, 9, () => ({ attributes: mtls("other") }))).toBe(2);
    expect(
      admitted(host, 9, () => ({
        headers: { "x-forwarded-client-cert": "URI=spiffe://cluster.local/ns/default/sa/orderservice-sa" },
      })),
    ).toBe(0);
    expect(send(host, { attributes: mtls("orderservice-sa") }).details).toBe("scrim_rate_limited[l]");
    expect(host.logged("debug")).toContain("ratelimit: over l/orderservice");
  });
});

describe("workers", () => {
  it("share one bucket exactly", () => {
    const host = start([{ name: "l", tokens: 1000, intervalMs: HOUR }], {}, 4);
    expect(admitted(host, 3000, (i) => ({ worker: (i * 7) % 4 }))).toBe(1000);
  });

  it("lease without ever admitting more than burst + rate × time", () => {
    const host = start([{ name: "l", tokens: 10_000, intervalMs: 1000, burst: 5000 }], {}, 4);
    host.setLogLevel("warn");
    let sum = 0;
    for (let step = 1; step <= 40; step++) {
      sum += admitted(host, 200, (i) => ({ worker: step % 5 === 0 ? 0 : i % 4 }));
      expect(sum).toBeLessThanOrEqual(5000 + (step - 1) * 50);
      host.advance(5);
    }
    expect(sum).toBeGreaterThanOrEqual(0.98 * (5000 + 39 * 50));
  }, 30_000);

  it(
    "a lost swap is tried again, as long as others can have taken what there is; " +
      "then it refuses this request only",
    () => {
      let lost = 511;
      const host = createHost({
        module,
        configuration: JSON.stringify({
          limits: [
            { name: "l", tokens: 5, intervalMs: HOUR },
            { name: "k", key: [{ header: "x" }], tokens: 5, intervalMs: HOUR },
          ],
        }),
        intercept: (call) => (call.name === "proxy_set_shared_data" && lost-- > 0 ? 8 : undefined),
      });
      expect(send(host).status).toBe(200);
      lost = 512;
      expect(send(host).status).toBe(429);
      expect(host.metrics.counter("scrim_ratelimit_contended_total")).toBe(1);
      expect(send(host).status).toBe(200);
    },
  );
});

describe("changes", () => {
  it("state survives a new configuration and a new module", () => {
    const limit = { name: "l", tokens: 10, intervalMs: HOUR };
    const host = start([limit, { name: "k", key: [{ header: "x" }], tokens: 10, intervalMs: HOUR }]);
    expect(admitted(host, 8)).toBe(8);
    expect(host.reconfigure(JSON.stringify({ limits: [{ ...limit, burst: 20 }] })).kind).toBe("changed");
    expect(admitted(host, 30)).toBe(12);
    expect(host.replaceModule(Buffer.from(module), JSON.stringify({ limits: [limit] })).kind).toBe("changed");
    expect(admitted(host, 30)).toBe(0);
    host.advance(HOUR / 10);
    expect(admitted(host, 30)).toBe(1);
  });
});

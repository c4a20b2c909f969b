import type { Host } from "proxy-wasm-host";
import { describe, expect, it } from "vitest";
import { mtls, node, service, start, type Tree } from "./testing.ts";

describe("connections", () => {
  const database = { scrim: { service: "db.default.svc.cluster.local;db;default", mesh: "internal" } };
  const bytes = (received: number, sent: number): Tree => ({
    request: { total_size: received },
    response: { total_size: sent },
    connection: mtls,
    xds: { node: node("db-v1"), cluster_metadata: { filter_metadata: database } },
  });
  const total = (host: Host, name: string): number =>
    host.metrics
      .names("counter")
      .filter((metric) => metric.startsWith(`${name};`))
      .reduce((sum, metric) => sum + host.metrics.counter(metric), 0);
  const all = (host: Host): number[] =>
    ["opened", "closed"]
      .map((what) => total(host, `istio_tcp_connections_${what}_total`))
      .concat(["received", "sent"].map((what) => total(host, `istio_tcp_${what}_bytes_total`)));

  it("are counted while they are open and when they close, once", () => {
    const host = start("destination", "db-v1", { protocol: "tcp" });
    const [short, long] = [
      host.connect({ attributes: bytes(5, 10) as never }),
      host.connect({ attributes: bytes(100, 200) as never }),
    ];
    expect(all(host)).toEqual([0, 0, 0, 0]);
    short.close();
    expect(all(host)).toEqual([1, 1, 5, 10]);
    host.advance(15_000);
    expect(all(host)).toEqual([2, 1, 105, 210]);
    long.close();
    host.advance(10_000);
    expect(all(host)).toEqual([2, 2, 105, 210]);
    const name =
      host.metrics.names("counter").find((metric) => metric.startsWith("istio_tcp_connections_opened_total")) ?? "";
    expect(name).toContain(";request_protocol=tcp;");
    expect(name).toContain(";connection_security_policy=mutual_tls");
    expect(name).toContain(";destination_service_name=db;");
    expect(name).not.toContain("response_code");
  });

  it("leave no memory behind", () => {
    const host = start("destination", "db-v1", { protocol: "tcp" });
    host.setLogLevel("warn");
    const round = (): void => {
      const open = Array.from({ length: 50 }, () => host.connect({ attributes: bytes(1, 1) as never }));
      host.advance(5_000);
      for (const connection of open) connection.close();
    };
    for (let i = 0; i < 20; i++) round();
    const before = host.memoryBytes();
    for (let i = 0; i < 100; i++) round();
    expect(host.memoryBytes()).toBe(before);
    expect(all(host)).toEqual([6000, 6000, 6000, 6000]);
  }, 60_000);
});

describe("tunnels at the source", () => {
  const through = (host: Host, service: Tree): void => {
    const stream = host.newStream({
      headers: { ":method": "CONNECT", ":authority": "db:5000" },
      attributes: {
        request: { size: 7 },
        response: { code: 200, size: 9, flags: 0 },
        xds: { node: node("web-v1"), cluster_metadata: { filter_metadata: service } },
      } as never,
    });
    stream.sendRequestHeaders();
    expect(stream.requestHeaders.get("x-envoy-peer-metadata")).toBeUndefined();
    stream.sendResponseHeaders();
    stream.end();
  };

  it("are connections, not requests", () => {
    const host = start("source", "web-v1", { metrics: [{ name: "istio_tcp_sent_bytes_total", disabled: true }] });
    for (let i = 0; i < 2; i++) through(host, service);
    const counters = host.metrics
      .names("counter")
      .filter((name) => name.startsWith("istio_"))
      .map((name) => [name.slice(0, name.indexOf(";")), host.metrics.counter(name)]);
    expect(counters).toEqual([
      ["istio_tcp_connections_opened_total", 2],
      ["istio_tcp_connections_closed_total", 2],
      ["istio_tcp_received_bytes_total", 14],
    ]);
    expect(host.metrics.names("counter").find((name) => name.startsWith("istio_tcp"))).toContain(
      ";request_protocol=tcp;response_flags=",
    );
  });

  it("that lead back into the proxy are not counted", () => {
    const host = start("source", "web-v1");
    through(host, {});
    expect(host.metrics.names("counter").filter((name) => name.startsWith("istio_"))).toEqual([]);
  });
});

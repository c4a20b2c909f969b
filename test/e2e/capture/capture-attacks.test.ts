// What capture adds for an attacker: ports of the sidecar itself, destinations that the kernel believes, what stands in
// the pod. Nothing of it leads anywhere.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type CapturedMesh, type CapturedPod, startCapturedMesh } from "../../support/captured-mesh.ts";
import { namespacesMissing } from "../../support/namespaces.ts";

const mesh = `
apiVersion: v1
kind: Service
metadata: {name: orders}
spec: {selector: {app: orders}, ports: [{name: http, port: 8080}]}
`;

const request = (text: string) => ({
  send: `${text} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`,
  until: "\r\n\r\n",
});
const status = (received: string): string => received.split(" ")[1] ?? received;

describe.skipIf(namespacesMissing() !== undefined)("a captured pod under attack", () => {
  let captured: CapturedMesh;
  let orders: CapturedPod;
  let neighbour: CapturedPod;

  beforeAll(async () => {
    captured = await startCapturedMesh(mesh, [
      { name: "orders-0", app: "orders", capture: "REDIRECT", serves: { 8080: "http" } },
      { name: "neighbour-0", app: "neighbour" },
    ]);
    [orders, neighbour] = [captured.pod("orders-0"), captured.pod("neighbour-0")];
    await orders.namespace.start(
      `require("node:net").createServer((s) => s.on("error", () => {}).end("for this pod alone\\n"))
        .listen(9999, "127.0.0.1", () => console.log("up"))`,
    );
  });
  afterAll(() => captured?.stop());

  describe.each(["ipv4", "ipv6"] as const)("over %s", (family) => {
    it.each([15001, 15006, 15000])("gives a neighbour nothing on port %d", async (port) => {
      const tls = { tls: { as: "neighbour", alpn: ["istio"] } };
      for (const more of [{}, tls, { tls: {} }])
        expect(neighbour.dial(orders[family], port, { ...request("GET /"), ...more }).received).toBe("");
    });

    it.each([15001, 15006])("gives its own programs nothing on port %d, whoever runs them", (port) => {
      for (const uid of [1000, 1337])
        for (const host of [orders[family], family === "ipv4" ? "127.0.0.1" : "::1"])
          expect(orders.dial(host, port, request("GET /"), uid).received).toBe("");
    });

    it.each([
      [15021, "/healthz/ready"],
      [15090, "/stats/prometheus"],
    ])("shows on port %d %s and no other page", (port, shown) => {
      const ask = (text: string) => status(neighbour.dial(orders[family], port, request(text)).received);
      expect(ask(`GET ${shown}`)).toBe("200");
      for (const path of ["/quitquitquit", "/config_dump", "/certs", `${shown}/../../quitquitquit`, "//quitquitquit"])
        for (const method of ["GET", "POST"]) expect(ask(`${method} ${path}`), `${method} ${path}`).toBe("404");
      for (const method of ["POST", "PUT", "HEAD", "get"])
        expect(ask(`${method} ${shown}`), method).toMatch(/^40[04]$/);
      expect(ask(`GET ${shown}%2f..%2f..%2fquitquitquit`)).toBe("404");
      expect(ask(`GET ${shown}?/../quitquitquit`)).toBe("200");
    });

    it("leads no connection on to where it was not made to", () => {
      const [target, via] = [family === "ipv4" ? "10.7.0.2" : "fd07::99", orders[family]];
      const version = family === "ipv4" ? "-4" : "-6";
      neighbour.namespace.run(["ip", version, "route", "add", target, "via", via]);
      const tls = { tls: {}, until: "\n", patienceMs: 3_000 };
      expect(neighbour.dial(target, 15012, tls)).toMatchObject({ received: "", peer: "" });
      neighbour.namespace.run(["ip", version, "route", "del", target, "via", via]);
    });
  });

  it("keeps what listens on its loopback to itself, though a neighbour's packets name it", () => {
    expect(orders.dial("127.0.0.1", 9999).received).toBe("for this pod alone\n");
    for (const own of ["127.0.0.1", "127.0.0.0/8"])
      neighbour.namespace.run(["ip", "route", "del", "local", own, "dev", "lo", "table", "local"]);
    neighbour.namespace.run(["sysctl", "-qw", "net.ipv4.conf.all.route_localnet=1"]);
    neighbour.namespace.run(["ip", "route", "add", "127.0.0.1", "via", orders.ipv4, "src", neighbour.ipv4]);
    for (const port of [9999, 15000, 8080])
      expect(neighbour.dial("127.0.0.1", port, { ...request("GET /"), patienceMs: 2_000 })).toMatchObject({
        received: "",
      });
    // They came, and met the rule that has the kernel drop them.
    const rules = orders.namespace.run(["iptables", "-t", "nat", "-L", "ISTIO_INBOUND", "-v", "-n", "-x"]);
    expect(rules).toMatch(/^ *[1-9]\d* +\d+ RETURN .* 127\.0\.0\.0\/8/m);
  });

  it("keeps its credential and what changes it from its application", async () => {
    const files = `${captured.directory}/orders-0`;
    expect(orders.namespace.bash(`cat ${files}/tokens/token ${files}/envoy.json 2>&1`)).toMatch(
      /^(cat: .*Permission denied\n){2}$/,
    );
    const quit = `curl -s -o /dev/null -w %{http_code} -X POST --unix-socket ${files}/admin.sock http://x/quitquitquit`;
    expect(orders.namespace.bash(quit)).toBe("000");
    expect(status(orders.dial("127.0.0.1", 15000, request("POST /quitquitquit")).received)).toBe("404");
    expect(status(orders.dial("127.0.0.1", 15000, request("POST /logging?level=trace")).received)).toBe("404");
    const { received } = orders.dial("127.0.0.1", 15000, request("GET /config_dump"));
    expect(status(received)).toBe("200");
    expect(received).not.toMatch(/token-of-|PRIVATE KEY/);
  });

  it("is as well as before", async () => {
    expect(await orders.admin("/ready")).toBe("LIVE\n");
    expect(status(neighbour.dial(orders.ipv6, 8080, request("GET /")).received)).toBe("200");
    expect(await orders.admin("/stats?filter=virtualInbound|downstream_cx_active&format=text")).not.toMatch(
      /15006\.downstream_cx_active: [1-9]\d/,
    );
  });
});

// The rules of capture in a network namespace, with small servers in the proxy's place: which connection comes to whom.
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import type { Readable } from "node:stream";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { captureRules } from "../../../controlplane/capture/rules.ts";
import { captureSettings, type CaptureSettings, PROXY_PORTS } from "../../../controlplane/capture/settings.ts";
import { TPROXY_MARK } from "../../../controlplane/model/capture-ports.ts";
import { createNamespace, joinNamespaces, namespacesMissing, type TestNamespace } from "../../support/namespaces.ts";

const POD = { ipv4: "10.0.0.1", ipv6: "fd00::1" };
const PEER = { ipv4: "10.0.0.2", ipv6: "fd00::2" };
const ELSEWHERE = { ipv4: "192.0.2.7", ipv6: "2001:db8::7" };
const PROXY = 1337;
const FAMILIES = ["ipv4", "ipv6"] as const;

/** Each answers with its name, and to whom it spoke. */
const SERVERS = (names: Readonly<Record<number, string>>) => `
  const net = require("node:net"), dgram = require("node:dgram");
  const names = ${JSON.stringify(names)};
  let left = Object.keys(names).length;
  for (const [port, name] of Object.entries(names))
    net.createServer((s) => s.on("error", () => {}).end(name + " " + s.remoteAddress.replace("::ffff:", "") + "\\n"))
      .listen(Number(port), "::", () => --left || console.log("up"));
  for (const port of Object.keys(names).filter((port) => port === "15053" || port === "53" || port === "54"))
    dgram.createSocket("udp6").on("message", function (_, from) { this.send(names[port], from.port, from.address); })
      .bind(Number(port), "::");
`;

const TRANSPARENT_PROXY = `
import socket
listener = socket.socket()
for option in (socket.SO_REUSEADDR, socket.SO_REUSEPORT): listener.setsockopt(socket.SOL_SOCKET, option, 1)
listener.setsockopt(socket.SOL_IP, 19, 1)
listener.bind(("0.0.0.0", 15016))
listener.listen()
print("up", flush=True)
while True:
    caller, _ = listener.accept()
    peer, own = caller.getpeername(), caller.getsockname()
    app = socket.socket()
    app.setsockopt(socket.SOL_IP, 19, 1)
    app.setsockopt(socket.SOL_SOCKET, 36, ${TPROXY_MARK})
    app.bind((peer[0], 0))
    app.connect((own[0], own[1]))
    caller.sendall(f"from {peer[0]} to {own[0]}:{own[1]}: ".encode() + app.recv(100))
    caller.close(); app.close()
`;

/** Who answered: what the server said first. */
const ask = (from: TestNamespace, to: string, port: number, uid = 1000) =>
  from.bash(`exec 3<>/dev/tcp/${to}/${port} && head -1 <&3`, uid).split(" ")[0];
const askUdp = (from: TestNamespace, to: string, port: number, uid = 1000, fromPort = 0) =>
  from.bash(
    `${process.execPath} -e 'const s = require("node:dgram").createSocket("${to.includes(":") ? "udp6" : "udp4"}");` +
      `s.on("message", (m) => { process.stdout.write(m); s.close(); });` +
      `s.bind(${fromPort}, () => s.send("q", ${port}, "${to}")); setTimeout(() => process.exit(), 2000).unref();'`,
    uid,
  );

describe.skipIf(namespacesMissing() !== undefined)("the rules in a network namespace", () => {
  let pod: TestNamespace;
  let peer: TestNamespace;

  beforeAll(async () => {
    [pod, peer] = await Promise.all([createNamespace(), createNamespace()]);
    joinNamespaces(pod, peer, [
      [`${POD.ipv4}/24`, `${PEER.ipv4}/24`],
      [`${POD.ipv6}/64`, `${PEER.ipv6}/64`],
    ]);
    for (const [family, of] of [["-4", "ipv4"] as const, ["-6", "ipv6"] as const]) {
      pod.run(["ip", family, "route", "add", "default", "via", PEER[of]]);
      peer.run(["ip", "address", "add", ELSEWHERE[of], "dev", "lo", ...(family === "-6" ? ["nodad"] : [])]);
    }
    await pod.start(SERVERS({ 15001: "out", 15006: "in", 15021: "page", 15090: "page", 15053: "dns" }), PROXY);
    await pod.start(SERVERS({ 8080: "app", 8081: "app" }));
    await peer.start(SERVERS({ 8080: "peer", 8081: "peer", 25: "peer", 53: "srv", 54: "srv" }), 0);
  });

  afterAll(async () => {
    await Promise.all([pod?.end(), peer?.end()]);
  });

  function restore(text: "apply" | "takeBack", changes: Partial<CaptureSettings> = {}): void {
    const { ipv4, ipv6 } = captureRules(captureSettings(changes));
    pod.run(["iptables-restore", "--noflush"], ipv4[text]);
    pod.run(["ip6tables-restore", "--noflush"], ipv6[text]);
  }
  const saved = () =>
    ["iptables-save", "ip6tables-save"].map((save) =>
      pod
        .run([save])
        .replace(/^#.*\n/gm, "")
        .replace(/\[.*\]/g, ""),
    );

  it("are the same when they are applied twice, and gone when they are taken back, once or twice", () => {
    pod.run(["iptables", "-t", "filter", "-A", "INPUT", "-p", "icmp", "-j", "ACCEPT"]);
    restore("takeBack");
    const empty = saved();
    for (const changes of [{}, { mode: "TPROXY" as const }]) {
      restore("apply", changes);
      const once = saved();
      expect(once[0]).toContain("-A ISTIO_OUTPUT");
      restore("apply", changes);
      expect(saved()).toEqual(once);
      restore("takeBack", changes);
      restore("takeBack", changes);
      expect(saved().join("")).not.toContain("ISTIO");
      expect(saved().join("")).toContain("-p icmp");
    }
    restore("takeBack");
    expect(saved()[0]?.includes("ISTIO")).toBe(empty[0]?.includes("ISTIO"));
    expect(ask(pod, PEER.ipv4, 8080)).toBe("peer");
    expect(ask(peer, POD.ipv4, 8080)).toBe("app");
  });

  describe.each(FAMILIES)("over %s", (family) => {
    const [own, neighbour, unknown] = [POD[family], PEER[family], ELSEWHERE[family]];
    const loopback = family === "ipv4" ? "127.0.0.1" : "::1";
    const fromProxy = family === "ipv4" ? "127.0.0.6" : "::6";

    beforeAll(() => restore("apply"));

    it("what a neighbour sends comes to the proxy, whatever its port, and the proxy's pages as they are", () => {
      expect(ask(peer, own, 8080)).toBe("in");
      expect(ask(peer, own, 7)).toBe("in");
      expect(ask(peer, own, 15001)).toBe("in");
      expect(ask(peer, own, 15053)).toBe("in");
      expect(ask(peer, own, 15021)).toBe("page");
      expect(ask(peer, own, 15090)).toBe("page");
    });

    it("what the application sends out comes to the proxy, known or unknown", () => {
      expect(ask(pod, neighbour, 8080)).toBe("out");
      expect(ask(pod, unknown, 4711)).toBe("out");
    });

    it("what the proxy sends out goes there", () => {
      expect(ask(pod, neighbour, 8080, PROXY)).toBe("peer");
    });

    it("a program that runs under the proxy's uid or gid is not captured", () => {
      expect(ask(pod, neighbour, 8080, PROXY)).toBe("peer");
      const asGroup = `setpriv --regid=${PROXY} --clear-groups bash -c`;
      expect(pod.bash(`${asGroup} 'exec 3<>/dev/tcp/${neighbour}/8080; head -1 <&3'`, 0)).toMatch(/^peer/);
    });

    it("the application reaches itself directly, by loopback and by its address", () => {
      expect(ask(pod, loopback, 8080)).toBe("app");
      expect(ask(pod, own, 8080)).toBe("app");
    });

    it("the proxy reaches its own pod through itself, and the application from the address that is for that", () => {
      expect(ask(pod, own, 8080, PROXY)).toBe("in");
      expect(ask(pod, loopback, 8080, PROXY)).toBe("app");
      for (const { add } of captureRules(captureSettings())[family].routes) pod.run(["ip", ...add]);
      const call =
        `require("node:net").connect({host: ${JSON.stringify(own)}, port: 8080, ` +
        `localAddress: ${JSON.stringify(fromProxy)}}).pipe(process.stdout)`;
      expect(pod.bash(`${process.execPath} -e '${call}'`, PROXY)).toBe(`app ${fromProxy}\n`);
    });

    it("questions about names come to the proxy, its own go on, and other datagrams are untouched", () => {
      expect(askUdp(pod, neighbour, 53)).toBe("dns");
      expect(askUdp(pod, unknown, 53)).toBe("dns");
      expect(askUdp(pod, neighbour, 53, PROXY)).toBe("srv");
      expect(askUdp(pod, neighbour, 54)).toBe("srv");
    });

    it("the proxy's question reaches the server even from the port that a program just asked from", () => {
      const program = askUdp(pod, neighbour, 53, 1000, 45_678);
      expect([program, askUdp(pod, neighbour, 53, PROXY, 45_678)]).toEqual(["dns", "srv"]);
    });

    it("leaves out what is excluded", () => {
      const outbound = { ranges: "all", exceptRanges: [`${unknown}`], ports: [], exceptPorts: [25] } as const;
      restore("apply", { outbound, inbound: { ports: "all", exceptPorts: [8081] }, dns: "none" });
      expect(ask(peer, own, 8081)).toBe("app");
      expect(ask(peer, own, 8080)).toBe("in");
      expect(ask(pod, neighbour, 25)).toBe("peer");
      expect(ask(pod, unknown, 8080)).toBe("peer");
      expect(ask(pod, neighbour, 8080)).toBe("out");
      restore("apply", { exceptInterfaces: ["eth0"] });
      expect(ask(peer, own, 8080)).toBe("app");
      expect(ask(pod, neighbour, 8080)).toBe("peer");
    });

    it("takes in only what is included", () => {
      const outbound = { ranges: [`${neighbour}`], exceptRanges: [], ports: [8081], exceptPorts: [] } as const;
      restore("apply", { outbound, inbound: { ports: [8081], exceptPorts: [] } });
      expect(ask(peer, own, 8081)).toBe("in");
      expect(ask(peer, own, 8080)).toBe("app");
      expect(ask(pod, neighbour, 8080)).toBe("out");
      expect(ask(pod, unknown, 8080)).toBe("peer");
      expect(ask(pod, unknown, 8081)).toBe("out");
      const nothing = { ranges: [], exceptRanges: [], ports: [], exceptPorts: [] };
      restore("apply", { outbound: nothing, inbound: { ports: [], exceptPorts: [] } });
      expect(ask(peer, own, 8081)).toBe("app");
      expect(ask(pod, neighbour, 8080)).toBe("peer");
    });
  });

  // Node cannot ask for IP_TRANSPARENT: a Python program stands in the proxy's place. It calls the application in the
  // caller's name, as the proxy does.
  it.skipIf(spawnSync("python3", ["--version"]).status !== 0)(
    "TPROXY keeps the caller's address, in both directions",
    async () => {
      const changes = { mode: "TPROXY", proxy: { ...PROXY_PORTS, inbound: 15_016 } } as const;
      restore("apply", changes);
      const { ipv4 } = captureRules(captureSettings(changes));
      for (const { add } of ipv4.routes) pod.run(["ip", ...add]);
      const child = pod.spawn(["setpriv", `--regid=${PROXY}`, "--clear-groups", "python3", "-c", TRANSPARENT_PROXY]);
      await once(child.stdout as Readable, "data");
      expect(peer.bash(`exec 3<>/dev/tcp/${POD.ipv4}/8080 && cat <&3`)).toBe(
        `from ${PEER.ipv4} to ${POD.ipv4}:8080: app ${PEER.ipv4}\n`,
      );
      expect(ask(peer, POD.ipv4, 15021)).toBe("page");
      expect(ask(pod, POD.ipv4, 8080)).toBe("app");
      expect(ask(pod, PEER.ipv4, 8080)).toBe("out");
      for (const { remove } of ipv4.routes) pod.run(["ip", ...remove]);
      restore("takeBack", changes);
      expect(ask(peer, POD.ipv4, 8080)).toBe("app");
    },
  );
});

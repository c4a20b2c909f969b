import { describe, expect, it } from "vitest";
import { captureRules } from "./rules.ts";
import { captureSettings } from "./settings.ts";

const inbound = { ports: "all", exceptPorts: [] } as const;
const outbound = { ranges: "all", exceptRanges: [], ports: [], exceptPorts: [] } as const;

function rulesIn(text: string, chain: string): readonly string[] {
  return text.split("\n").flatMap((line) => (line.startsWith(`-A ${chain} `) ? [line.slice(4 + chain.length)] : []));
}

describe("captureRules", () => {
  it("sends what comes in to 15006, except the proxy's own pages and what no neighbour can mean", () => {
    const { apply } = captureRules(captureSettings()).ipv4;
    expect(rulesIn(apply, "ISTIO_INBOUND")).toEqual([
      "! -i lo -d 127.0.0.0/8 -j RETURN",
      "-p tcp --dport 15021 -j RETURN",
      "-p tcp --dport 15090 -j RETURN",
      "-p tcp -j ISTIO_IN_REDIRECT",
    ]);
    expect(rulesIn(apply, "ISTIO_IN_REDIRECT")).toEqual(["-p tcp -j REDIRECT --to-ports 15006"]);
  });

  it("sends what goes out to 15001, except what the proxy sends and what stays in the pod", () => {
    expect(rulesIn(captureRules(captureSettings()).ipv4.apply, "ISTIO_OUTPUT")).toEqual([
      "-o lo -s 127.0.0.6/32 -j RETURN",
      "-o lo ! -d 127.0.0.1/32 -p tcp -m owner --uid-owner 1337 -j ISTIO_IN_REDIRECT",
      "-o lo ! -d 127.0.0.1/32 -p tcp -m owner --gid-owner 1337 -j ISTIO_IN_REDIRECT",
      "-m owner --uid-owner 1337 -j RETURN",
      "-m owner --gid-owner 1337 -j RETURN",
      "-p udp --dport 53 -j REDIRECT --to-ports 15053",
      "-o lo -j RETURN",
      "-p tcp -j ISTIO_REDIRECT",
    ]);
  });

  it("names only the ports and ranges that are asked for, each range in its own family", () => {
    const { ipv4, ipv6 } = captureRules(
      captureSettings({
        inbound: { ports: [80], exceptPorts: [81] },
        outbound: {
          ranges: ["10.0.0.0/8", "fd00::/8"],
          exceptRanges: ["10.1.0.0/16", "fd01::/16"],
          ports: [9000],
          exceptPorts: [25],
        },
      }),
    );
    expect(rulesIn(ipv4.apply, "ISTIO_INBOUND").at(-1)).toBe("-p tcp --dport 80 -j ISTIO_IN_REDIRECT");
    expect(rulesIn(ipv4.apply, "ISTIO_INBOUND")[1]).toBe("-p tcp --dport 81 -j RETURN");
    expect(rulesIn(ipv4.apply, "ISTIO_OUTPUT")[0]).toBe("-p tcp --dport 25 -j RETURN");
    expect(rulesIn(ipv4.apply, "ISTIO_OUTPUT").slice(-3)).toEqual([
      "-d 10.1.0.0/16 -j RETURN",
      "-p tcp --dport 9000 -j ISTIO_REDIRECT",
      "-p tcp -d 10.0.0.0/8 -j ISTIO_REDIRECT",
    ]);
    expect(rulesIn(ipv6.apply, "ISTIO_OUTPUT").slice(-3)).toEqual([
      "-d fd01::/16 -j RETURN",
      "-p tcp --dport 9000 -j ISTIO_REDIRECT",
      "-p tcp -d fd00::/8 -j ISTIO_REDIRECT",
    ]);
    expect(ipv6.apply).not.toMatch(/127\.0\.0|\b10\./);
  });

  it("asks the proxy for the names of these servers only, or of none", () => {
    const some = captureRules(captureSettings({ dns: ["10.96.0.10"] }));
    expect(some.ipv4.apply).toContain("-p udp --dport 53 -d 10.96.0.10 -j REDIRECT --to-ports 15053");
    expect(some.ipv6.apply).not.toContain("15053");
    expect(captureRules(captureSettings({ dns: "none" })).ipv4.apply).not.toMatch(/udp|\*raw/);
  });

  it("leaves interfaces alone, or takes what comes in there for what goes out", () => {
    const { apply } = captureRules(captureSettings({ exceptInterfaces: ["eth1"], outboundInterfaces: ["net1"] })).ipv4;
    expect(rulesIn(apply, "PREROUTING")).toEqual([
      "-p udp -j ISTIO_INBOUND_DNS",
      "-i eth1 -j RETURN",
      "-i net1 -p tcp -j ISTIO_REDIRECT",
      "-p tcp -j ISTIO_INBOUND",
    ]);
    expect(rulesIn(apply, "ISTIO_OUTPUT")[0]).toBe("-o eth1 -j RETURN");
  });

  it("marks what comes in under TPROXY, and needs routes for what is marked", () => {
    const { apply, routes } = captureRules(captureSettings({ mode: "TPROXY", inbound, outbound })).ipv6;
    expect(rulesIn(apply, "ISTIO_TPROXY")).toEqual([
      "! -d ::1/128 -p tcp -j TPROXY --on-port 15006 --tproxy-mark 1337/0xffffffff",
    ]);
    expect(rulesIn(apply, "ISTIO_OUTPUT")).not.toContain("ISTIO_IN_REDIRECT");
    expect(routes.map(({ add }) => add.join(" "))).toEqual([
      "-6 address replace ::6/128 dev lo nodad",
      "-6 rule add fwmark 1337 lookup 133",
      "-6 route add local default dev lo table 133",
    ]);
    expect(captureRules(captureSettings()).ipv4.routes).toEqual([]);
  });
});

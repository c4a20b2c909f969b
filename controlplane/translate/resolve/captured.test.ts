import { describe, expect, it } from "vitest";
import type { CapturedPort, CapturedWay } from "../ir/captured.ts";
import { upstreamText } from "../ir/upstream.ts";
import { resolveCaptured, resolveCapturedTraits } from "./captured.ts";
import { resolveConnectionNotes } from "./captured-ways.ts";
import { worldOf } from "./testing.ts";

const service = (name: string, clusterIP: string, ports: string, more = "") =>
  `apiVersion: v1\nkind: Service\nmetadata: {name: ${name}${more}}\nspec: {clusterIP: ${clusterIP}, ports: [${ports}]}\n---\n`;
const entry = (name: string, spec: string) =>
  `apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {name: ${name}}\nspec: ${spec}\n---\n`;
const rule = (name: string, spec: string) =>
  `apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: ${name}}\nspec: ${spec}\n---\n`;
const to = (host: string, more = "") => `{destination: {host: ${host}${more}}}`;

const waysText = ({ subnets, serverNames, targets }: CapturedWay) =>
  `${[...subnets, ...serverNames].join(" ")} > ${targets.map(({ upstream, weight }) => `${upstreamText(upstream)} ${weight}`).join(" ")}`;
const text = ({ addresses, port, routeTable, ways }: CapturedPort) =>
  [
    `${addresses.join(" ")}:${port}`,
    routeTable === undefined ? "" : ` http ${routeTable}`,
    ...ways.map((way) => `\n  ${waysText(way)}`),
  ].join("");

const traitsOf = (yaml: string, labels: Readonly<Record<string, string>> = {}) =>
  resolveCapturedTraits(worldOf(yaml), "default", labels, "wasm");
const portsOf = (yaml: string, labels?: Readonly<Record<string, string>>) => traitsOf(yaml, labels).ports.map(text);
const hostsOf = (yaml: string) =>
  resolveCaptured(worldOf(yaml), "default", {}).tables.map(
    ({ name, virtualHosts }) => `${name}: ${virtualHosts.map((host) => host.domains.join(" ")).join(", ")}`,
  );

describe("ports of captured clients", () => {
  it("are one for all HTTP of a number, and one for each address of what is not HTTP", () => {
    const yaml =
      service("a", "10.96.0.1", "{name: http, port: 80}, {name: tcp, port: 5432}") +
      service("b", "10.96.0.2", "{name: http, port: 80}, {name: tcp, port: 5432}");
    expect(portsOf(yaml)).toEqual([
      ":80 http 80",
      "10.96.0.1:5432\n   > outbound|5432||a.default.svc.cluster.local 1",
      "10.96.0.2:5432\n   > outbound|5432||b.default.svc.cluster.local 1",
    ]);
  });

  it("have a route table of their own where the first bytes say what is spoken", () => {
    const yaml = service("a", "10.96.0.1", "{port: 9000}");
    expect(portsOf(yaml)).toEqual([
      "10.96.0.1:9000 http a.default.svc.cluster.local:9000\n   > outbound|9000||a.default.svc.cluster.local 1",
    ]);
    expect(hostsOf(yaml)).toEqual(["a.default.svc.cluster.local:9000: *"]);
  });

  it("are found at made-up addresses where a host has none, TLS by its name too", () => {
    const [vip, any] = portsOf(
      entry("x", "{hosts: [x.com], resolution: DNS, ports: [{number: 443, name: tls}]}"),
    ).reverse();
    expect(vip).toMatch(/^240\.240\.\d+\.\d+ 2001:2:0:\S+:443\n {3}> outbound\|443\|\|x\.com 1$/);
    expect(any).toBe(":443\n  x.com > outbound|443||x.com 1");
  });

  it("are found by blocks of addresses, and by port alone where nothing else is known", () => {
    expect(
      portsOf(
        entry("x", "{hosts: [x.com], addresses: [192.0.2.0/24, 198.51.100.7], ports: [{number: 6379, name: tcp}]}") +
          entry("y", "{hosts: ['*.y.com'], ports: [{number: 25, name: tcp}]}"),
      ),
    ).toEqual([
      ":6379\n  192.0.2.0/24 > outbound|6379||x.com 1",
      ":25\n   > outbound|25||*.y.com 1",
      "198.51.100.7:6379\n   > outbound|6379||x.com 1",
    ]);
  });

  it("are the older one's where two say different things of one address", () => {
    const at = (host: string) => `{hosts: [${host}], addresses: [192.0.2.7], ports: [{number: 1, name: tcp}]}`;
    const both = entry("b", at("b.com")) + entry("a", at("a.com"));
    expect(portsOf(both)).toHaveLength(1);
    expect(traitsOf(both).notes).toEqual([
      expect.stringMatching(/^port 1 of .\.com: connections to 192\.0\.2\.7 go to/),
    ]);
  });

  it("cannot all be had where nothing tells their connections apart", () => {
    const any = (host: string) => `{hosts: ["*.${host}"], ports: [{number: 1, name: tcp}]}`;
    const both = entry("b", any("b.com")) + entry("a", any("a.com"));
    expect(portsOf(both)).toHaveLength(1);
    expect(traitsOf(both).notes).toEqual([expect.stringMatching(/^port 1 of \*\..\.com: connections cannot be told/)]);
  });
});

describe("hosts of captured clients", () => {
  it("are known by every spelling, with no port, in the table of their port", () => {
    expect(hostsOf(service("a", "10.96.0.1", "{name: http, port: 9080}"))).toEqual([
      "9080: a.default.svc.cluster.local a a.default a.default.svc 10.96.0.1",
    ]);
  });

  it("of headless services are also known by the names of their pods", () => {
    expect(hostsOf(service("a", "None", "{name: http, port: 9080}"))[0]).toContain(
      " *.a.default.svc.cluster.local *.a ",
    );
  });

  it("have a full name before another has it as a short one", () => {
    const yaml =
      service("b", "10.96.0.1", "{name: http, port: 9080}", ", namespace: z") +
      entry("x", "{hosts: [b.z], resolution: DNS, ports: [{number: 9080, name: http}]}");
    expect(hostsOf(yaml)[0]).toMatch(/^9080: b\.z\.svc\.cluster\.local b\.z\.svc 10\S+, b\.z 240/);
  });
});

describe("what nobody declared", () => {
  it("is let through, resolved or refused, as the mesh wants it", () => {
    const meshOf = (mode: string) =>
      `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: istio, namespace: istio-system}\ndata: {mesh: 'outboundTrafficPolicy: {mode: ${mode}}'}\n`;
    const modes = ["ALLOW_ANY", "ALLOW_ANY_DYNAMIC_DNS", "REGISTRY_ONLY"];
    expect(modes.map((mode) => traitsOf(meshOf(mode)).unknownHosts)).toEqual(["forward", "forwardByDns", "refuse"]);
  });
});

describe("names that captured clients are told", () => {
  it("are those of all hosts with an address", () => {
    const yaml =
      service("a", "10.96.0.1", "{port: 1}") + entry("w", "{hosts: ['*.w.com'], ports: [{number: 1, name: tcp}]}");
    expect(traitsOf(yaml).names).toEqual([{ name: "a.default.svc.cluster.local", addresses: ["10.96.0.1"] }]);
  });
});

describe("names of the pods of a headless service", () => {
  const headless =
    "---\napiVersion: v1\nkind: Service\nmetadata: {name: db}\nspec: {clusterIP: None, selector: {app: db}, ports: [{name: tcp, port: 5432}]}\n";
  const pod = (name: string, ip: string, annotations = "") =>
    `---\napiVersion: v1\nkind: Pod\nmetadata: {name: ${name}, labels: {app: db}, annotations: {${annotations}}}\n` +
    "spec: {containers: [{name: app}]}\n" +
    `status: {podIP: ${ip}, phase: Running, conditions: [{type: Ready, status: "True"}]}\n`;

  it("are told where they are a StatefulSet's", () => {
    const label = "statefulset.kubernetes.io/pod-name: db-0";
    const pods = pod("db-0", "10.1.0.1").replace("{app: db}", `{app: db, ${label}}`) + pod("db-x2k4z", "10.1.0.2");
    expect(traitsOf(headless + pods).names).toEqual([
      { name: "db.default.svc.cluster.local", addresses: ["10.1.0.1", "10.1.0.2"] },
      { name: "db-0.db.default.svc.cluster.local", addresses: ["10.1.0.1"] },
    ]);
    const set =
      "---\napiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: db}\n" +
      "spec: {selector: {matchLabels: {app: db}}, template: {metadata: {labels: {app: db}}, spec: {containers: [{name: app}]}}}\n";
    const local = pod("db-1", "10.1.0.1", "scrim.mesh/workload: db");
    expect(traitsOf(headless + set + local).names.map(({ name }) => name)).toContain(
      "db-1.db.default.svc.cluster.local",
    );
    expect(traitsOf(headless + local).names).toHaveLength(1);
  });
});

describe("upstreams of captured clients", () => {
  it("are where the client was going if it has chosen", () => {
    const yaml =
      service("a", "None", "{name: tcp, port: 1}") +
      service("b", "10.96.0.2", "{name: tcp, port: 1}") +
      entry("w", "{hosts: ['*.w.com'], ports: [{number: 1, name: tcp}]}");
    const kinds = resolveCaptured(worldOf(yaml), "default", {}).upstreams.map(({ discovery }) => discovery.kind);
    expect(kinds).toEqual(["original", "original", "endpoints"]);
  });
});

describe("routes of connections", () => {
  const db = service("db", "10.96.0.9", "{name: tcp, port: 5432}, {name: tls, port: 443}, {name: http, port: 80}");
  const other = service("other", "None", "{name: tcp, port: 5432}");
  const tcp = (routes: string, name = "db") => rule(name, `{hosts: [db], tcp: [${routes}]}`);
  const tls = (routes: string, name = "db") => rule(name, `{hosts: [db, '*.com'], tls: [${routes}]}`);
  const at = (yaml: string, port: number, labels?: Readonly<Record<string, string>>) =>
    portsOf(db + other + yaml, labels)
      .filter((one) => one.startsWith(`10.96.0.9:${port}`))[0]
      ?.split("\n  ")
      .slice(1);
  const own = " > outbound|5432||db.default.svc.cluster.local 1";
  const others = " > outbound|5432||other.default.svc.cluster.local 1";

  it("share connections by weight, and leave out what has none", () => {
    const shares = `{route: [{destination: {host: db}, weight: 9}, {destination: {host: other}, weight: 1}, {destination: {host: x}, weight: 0}]}`;
    expect(at(tcp(shares), 5432)).toEqual([
      " > outbound|5432||db.default.svc.cluster.local 9 outbound|5432||other.default.svc.cluster.local 1",
    ]);
  });

  it("are for some clients, ports and blocks of addresses", () => {
    const route = `route: [${to("other")}]`;
    expect(at(tcp(`{match: [{sourceLabels: {app: x}}], ${route}}`), 5432, { app: "x" })).toEqual([others]);
    expect(at(tcp(`{match: [{sourceLabels: {app: x}}], ${route}}`), 5432)).toEqual([own]);
    expect(at(tcp(`{match: [{sourceNamespace: shop}], ${route}}`), 5432)).toEqual([own]);
    expect(at(tcp(`{match: [{gateways: [some-gateway]}], ${route}}`), 5432)).toEqual([own]);
    expect(at(tcp(`{match: [{port: 1}], ${route}}`), 5432)).toEqual([own]);
    expect(at(tcp(`{match: [{destinationSubnets: [10.96.1.2/16]}], ${route}}`), 5432)).toEqual([
      `10.96.0.0/16${others}`,
      own,
    ]);
  });

  it("last, idle and go as the rule for their host says", () => {
    const policy =
      "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: db}\nspec: {host: db, trafficPolicy: " +
      "{loadBalancer: {consistentHash: {useSourceIp: true}}, connectionPool: {tcp: {idleTimeout: 9s, maxConnectionDuration: 1h}}}}\n---\n";
    const [port] = traitsOf(db + policy).ports.filter(
      ({ addresses, port: number }) => addresses.length > 0 && number === 5432,
    );
    expect(port?.ways[0]?.policy).toEqual({ idleTimeoutMs: 9_000, maxDurationMs: 3_600_000, isByClient: true });
  });

  it("end with the first that takes every connection", () => {
    expect(at(tcp(`{route: [${to("other")}]}, {route: [${to("db")}]}`), 5432)).toEqual([others]);
  });

  it("of TLS go by name; a name that stands twice is the first one's; no other is the service's", () => {
    const routes = `{match: [{sniHosts: [a.com, b.com]}], route: [${to("other")}]}, {match: [{sniHosts: [B.com, c.com]}], route: [${to("db")}]}`;
    expect(at(tls(routes), 443)).toEqual([
      "a.com b.com > outbound|443||other.default.svc.cluster.local 1".replace("|443|", "|5432|"),
      "c.com > outbound|443||db.default.svc.cluster.local 1",
    ]);
    expect(at(tls(routes), 5432)).toEqual([own]);
  });

  it("stand beside routes of requests, in rules of their own too", () => {
    const http = rule("requests", `{hosts: [db], http: [{route: [${to("db")}]}]}`);
    expect(at(http + tcp(`{route: [${to("other")}]}`), 5432)).toEqual([others]);
  });

  it("are told to whoever has no captured connections", () => {
    expect(resolveConnectionNotes(worldOf(db + tcp(`{route: [${to("db")}]}`)), "default", {})).toEqual([
      "the tcp and tls routes of VirtualService default/db need captured connections: this proxy has none",
    ]);
  });
});

import { describe, expect, it } from "vitest";
import type { ProxyClass } from "../ir/proxy-class.ts";
import { CERTIFICATE, KEY } from "../../../test/golden/tls-material.ts";
import { upstreamText } from "../ir/upstream.ts";
import { type GatewayView, resolveGateway } from "./gateway.ts";
import { inputsOf, sidecar } from "./testing.ts";

const front: ProxyClass = {
  ...sidecar(),
  kind: "router",
  namespace: "istio-system",
  workload: "istio-ingressgateway",
  labels: { istio: "ingressgateway" },
  ports: [80, 443].map((port) => ({ port, name: "", boundPort: port + 8_000, isServed: false })),
};
const gateway = (servers: string, name = "front", namespace = "default") => `---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: ${name}, namespace: ${namespace}}
spec: {selector: {istio: ingressgateway}, servers: [${servers}]}
`;
const rule = (name: string, hosts: string, paths: readonly string[], more = "", namespace = "default") => `---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: ${name}, namespace: ${namespace}}
spec: {hosts: [${hosts}], gateways: [default/front], ${more} http: [${paths
  .map(
    (path) =>
      `{name: ${name}${path.replaceAll("/", "-")}, match: [{uri: {prefix: ${path}}}], ` +
      "route: [{destination: {host: web, port: {number: 80}}}]}",
  )
  .join(", ")}]}
`;
const secret = (name: string, namespace: string, more: { readonly ca?: string } = {}) => `---
apiVersion: v1
kind: Secret
metadata: {name: ${name}, namespace: ${namespace}}
type: kubernetes.io/tls
stringData: ${JSON.stringify({ "tls.crt": CERTIFICATE, "tls.key": KEY, ...(more.ca && { [more.ca]: CERTIFICATE }) })}
`;
const http = (hosts: string, more = "") => `{port: {number: 80, name: http, protocol: HTTP}, hosts: [${hosts}]${more}}`;
const https = (hosts: string, credential: string, name = "https") =>
  `{port: {number: 443, name: ${name}, protocol: HTTPS}, hosts: [${hosts}], ` +
  `tls: {mode: SIMPLE, credentialName: ${credential}}}`;
const view = (yaml: string) => resolveGateway(inputsOf(yaml), front);
const chainsOf = ({ ports }: GatewayView) =>
  ports.flatMap(({ chains }) =>
    chains.map(({ name, serverNames, tls }) => [name, serverNames, tls?.kind === "own" ? tls.certificates : tls]),
  );
const routesByHost = (yaml: string) =>
  Object.fromEntries(
    view(yaml).tables.flatMap((table) =>
      table.virtualHosts.map((host) => [host.name, host.routes.map(({ name }) => name)]),
    ),
  );

describe("a server that is not supported yet", () => {
  it("is left out, and the others of its Gateway are opened", () => {
    const udp = http("c.com").replace("protocol: HTTP", "protocol: UDP").replace("name: http", "name: udp");
    const { ports, notes } = view(gateway(`${http("a.com")}, ${udp}`));
    expect(ports.map(({ port }) => port)).toEqual([80]);
    expect(notes).toEqual([]);
  });
});

describe("hosts of a gateway port", () => {
  it("are the narrower of server and rule; unknown ones find no route", () => {
    expect(
      routesByHost(
        gateway(http("'*.a.com', b.com")) + rule("r", "'*.com', b.org", ["/"]) + rule("s", "x.a.com", ["/"]),
      ),
    ).toEqual({
      "*:80": [],
      "*.a.com:80": ["r-"],
      "b.com:80": ["r-"],
      "x.a.com:80": ["s-"],
    });
    expect(routesByHost(gateway(http("'*'")) + rule("r", "'*'", ["/p"]))).toEqual({ "*:80": ["r-p"] });
    expect(routesByHost(gateway(http("'*'")))).toEqual({ "*:80": [] });
  });

  it("are shown to rules of the namespace that the server names", () => {
    const rules = rule("near", "a.com", ["/near"]) + rule("far", "a.com", ["/far"], "", "far");
    expect(routesByHost(gateway(http("'*/a.com'")) + rules)["a.com:80"]).toEqual(["far-far", "near-near"]);
    expect(routesByHost(gateway(http("./a.com")) + rules)["a.com:80"]).toEqual(["near-near"]);
    expect(routesByHost(gateway(http("far/a.com")) + rules)["a.com:80"]).toEqual(["far-far"]);
    expect(
      routesByHost(gateway(http("a.com")) + rule("private", "a.com", ["/p"], "exportTo: ['.'],"))["a.com:80"],
    ).toBeUndefined();
  });

  it("merge rules, oldest first, those for every request last, keys unique", () => {
    const yaml = gateway(http("a.com")) + rule("a", "a.com", ["/x", "/"]) + rule("b", "a.com", ["/y", "/"]);
    expect(routesByHost(yaml)["a.com:80"]).toEqual(["a-x", "b-y", "a-"]);
    const keys =
      view(yaml)
        .tables[0]?.virtualHosts.find((host) => host.name === "a.com:80")
        ?.routes.map(({ key }) => key) ?? [];
    expect(new Set(keys).size).toBe(3);
  });

  it("redirect to HTTPS where a server says so, with or without a rule", () => {
    const redirecting = view(gateway(http("a.com", ", tls: {httpsRedirect: true}"))).tables[0]?.virtualHosts;
    expect(redirecting?.map(({ name, requireTls }) => [name, requireTls])).toEqual([
      ["*:80", false],
      ["a.com:80", true],
    ]);
  });
});

describe("TLS that ends at the gateway", () => {
  it("is chosen by server name, with a certificate of the proxy's own namespace", () => {
    const found = view(
      gateway(`${https("a.com, '*.b.com'", "one")}, ${https("'*'", "two", "https-any")}`) +
        secret("one", "istio-system") +
        secret("two", "istio-system"),
    );
    expect(found.notes).toEqual([]);
    expect(chainsOf(found)).toEqual([
      ["https.443.https.front.default~a.com,*.b.com", ["a.com", "*.b.com"], ["kubernetes://one"]],
      ["https.443.https-any.front.default~", [], ["kubernetes://two"]],
    ]);
    expect(found.tables.map(({ name }) => name)).toEqual([
      "https.443.https.front.default",
      "https.443.https-any.front.default",
    ]);
  });

  it("does not open without its Secret, and says so; another namespace's Secret is none, also the Gateway's", () => {
    const found = view(gateway(https("a.com", "one")) + secret("one", "far") + secret("one", "default"));
    expect(found.ports).toEqual([]);
    expect(found.notes).toEqual(["Gateway default/front server https: there is no Secret one in istio-system"]);
    expect(view(gateway(https("a.com", "'kubernetes://default/one'")) + secret("one", "default")).notes).toEqual([
      "Gateway default/front server https: " +
        "the Secret default/one is not of istio-system, the gateway's own namespace",
    ]);
  });

  it("stays closed for one server alone if its Secret has no certificate, and its names are another's", () => {
    const empty = secret("empty", "istio-system")
      .replaceAll(/tls\.(crt|key)/g, "x.$1")
      .replace("kubernetes.io/tls", "Opaque");
    const found = view(
      gateway(`${https("a.com", "empty")}, ${https("a.com", "one", "https-two")}`) +
        empty +
        secret("one", "istio-system"),
    );
    expect(chainsOf(found)).toEqual([["https.443.https-two.front.default~a.com", ["a.com"], ["kubernetes://one"]]]);
    expect(found.notes).toEqual([
      "Gateway default/front server https: the Secret empty in istio-system has no certificate with its key " +
        "(tls.crt and tls.key, or cert and key)",
    ]);
  });

  it("leaves a name to the oldest server that has it", () => {
    const found = view(
      gateway(https("a.com", "one"), "a-first") +
        gateway(https("a.com, b.com", "one"), "front") +
        secret("one", "istio-system"),
    );
    expect(chainsOf(found).map(([, names]) => names)).toEqual([["a.com"], ["b.com"]]);
    expect(found.notes).toHaveLength(1);
  });

  it("asks clients for certificates: authorities by name or in files, required or not, or the mesh's", () => {
    const tls = (settings: string) => {
      const server = `{port: {number: 443, name: https, protocol: HTTPS}, hosts: [a.com], tls: {${settings}}}`;
      const found = view(
        gateway(server) + secret("one", "istio-system") + secret("two", "istio-system", { ca: "ca.crt" }),
      );
      return found.ports[0]?.chains[0]?.tls ?? found.notes;
    };
    expect(tls("mode: MUTUAL, credentialName: one")).toEqual([
      "Gateway default/front server https: the Secret one in istio-system has no certificates of authorities (ca.crt or cacert)",
    ]);
    expect(tls("mode: MUTUAL, credentialName: two, subjectAltNames: [x]")).toMatchObject({
      certificates: ["kubernetes://two"],
      clients: { required: true, authorities: "kubernetes://two-cacert", subjectAltNames: ["x"] },
    });
    expect(tls("mode: OPTIONAL_MUTUAL, credentialNames: [one, two], caCertCredentialName: two-cacert")).toMatchObject({
      certificates: ["kubernetes://one", "kubernetes://two"],
      clients: { required: false, authorities: "kubernetes://two-cacert" },
    });
    expect(tls("mode: MUTUAL, serverCertificate: /c, privateKey: /k, caCertificates: /ca, caCrl: /crl")).toMatchObject({
      certificates: ["file-cert:/c~/k"],
      clients: { authorities: "file-root:/ca~/crl" },
    });
    expect(tls("mode: SIMPLE, tlsCertificates: [{serverCertificate: /c, privateKey: /k}]")).toEqual({
      kind: "own",
      certificates: ["file-cert:/c~/k"],
      cipherSuites: [],
      curves: [],
    });
    expect(tls("mode: ISTIO_MUTUAL, subjectAltNames: ['spiffe://a/b']")).toEqual({
      kind: "mesh",
      identities: ["spiffe://a/b"],
    });
  });
});

describe("connections that are not HTTP", () => {
  const server = (protocol: string, hosts: string, tls = "", name = protocol.toLowerCase(), port = 443) =>
    `{port: {number: ${port}, name: ${name}, protocol: ${protocol}}, hosts: [${hosts}]${tls && `, tls: {${tls}}`}}`;
  const routed = (kind: "tcp" | "tls", hosts: string, routes: string, name = "r", namespace = "default") => `---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: ${name}, namespace: ${namespace}}
spec: {hosts: [${hosts}], gateways: [default/front], ${kind}: [${routes}]}
`;
  const to = (host: string) => `route: [{destination: {host: ${host}, port: {number: 5432}}}]`;
  const targetsOf = ({ ports }: GatewayView) =>
    ports.flatMap(({ chains }) =>
      chains.map(({ serverNames, to: target }) => [
        serverNames?.join() ?? "plaintext",
        target.kind === "connections"
          ? target.targets.map(({ upstream, weight }) => `${upstream.host.split(".")[0]}=${weight}`).join()
          : target.routeTable,
      ]),
    );

  it("go where the first tcp route of a rule for the server's hosts leads, in plaintext", () => {
    const yaml =
      gateway(server("MONGO", "db.com", "", "mongo", 80)) +
      routed("tcp", "other.com", `{${to("other")}}`, "a") +
      routed("tcp", "'*.com'", `{match: [{port: 99}], ${to("no")}}, {${to("db")}}, {${to("late")}}`, "b");
    expect(view(yaml).notes).toEqual([]);
    expect(targetsOf(view(yaml))).toEqual([["plaintext", "db=1"]]);
    expect(view(yaml).ports[0]?.connections?.telemetry.name).toBe("scrim.telemetry.tcp.outbound");
  });

  it("do not open a port without a route, and one port is one server's", () => {
    const first = gateway(server("TCP", "a.com", "", "tcp", 80), "a-first");
    const second = gateway(server("TCP", "b.com", "", "tcp", 80), "front");
    expect(view(first + second + routed("tcp", "b.com", `{${to("b")}}`))).toMatchObject({
      ports: [],
      notes: [
        "Gateway default/a-first server tcp: no VirtualService has a tcp route for it",
        "Gateway default/front server tcp: port 80 already speaks TCP",
      ],
    });
  });

  it("are led on after TLS, beside HTTPS and TLS that is passed on, by name", () => {
    const yaml =
      gateway(
        [
          server("TLS", "db.com", "mode: SIMPLE, credentialName: one", "tls-db"),
          https("web.com", "one"),
          server("TLS", "'*.pass.com', shared.com", "mode: PASSTHROUGH", "tls-pass"),
        ].join(),
      ) +
      secret("one", "istio-system") +
      routed("tcp", "db.com", `{${to("db")}}`, "a") +
      routed(
        "tls",
        "'*.com'",
        `{match: [{sniHosts: ['*.com', x.pass.com, web.com]}], ${to("passed")}}, {match: [{sniHosts: [shared.com]}], ${to("late")}}`,
        "b",
      );
    const found = view(yaml);
    expect(targetsOf(found)).toEqual([
      ["db.com", "db=1"],
      ["web.com", "https.443.https.front.default"],
      ["*.pass.com,x.pass.com,shared.com", "passed=1"],
    ]);
    expect(found.ports[0]?.chains.map(({ tls }) => tls?.kind)).toEqual(["own", "own", undefined]);
    expect(found.notes).toEqual([
      "Gateway default/front server tls-pass: shared.com is answered by an older server of port 443",
    ]);
  });

  it("are passed on for Gateways of several namespaces, each for rules of those that it names", () => {
    const passing = (name: string, hosts: string, namespace = "default") =>
      gateway(server("TLS", hosts, "mode: PASSTHROUGH"), name, namespace);
    const sni = (name: string, sniHost: string, namespace: string, bound = "default/front") =>
      routed("tls", "'*.a.com'", `{match: [{sniHosts: ['${sniHost}']}], ${to(name)}}`, name, namespace).replace(
        "default/front",
        bound,
      );
    const yaml =
      passing("front", "'one/*.a.com', '*/shared.a.com'") +
      passing("other", "'*.a.com'", "two") +
      sni("one", "x.a.com", "one") +
      sni("stranger", "y.a.com", "three") +
      sni("shared", "shared.a.com", "three") +
      sni("two", "y.a.com", "two", "two/other") +
      sni("late", "x.a.com", "two", "two/other");
    expect(targetsOf(view(yaml))).toEqual([
      ["x.a.com", "one=1"],
      ["shared.a.com", "shared=1"],
      ["y.a.com", "two=1"],
    ]);
    expect(view(yaml).notes).toEqual([
      "Gateway two/other server tls: x.a.com is answered by an older server of port 443",
    ]);
  });

  it("are passed on to whom sidecars ask for, and to nobody without a sidecar", () => {
    const mesh = `---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{name: http, port: 80, targetPort: 8080}]}
---
apiVersion: v1
kind: Pod
metadata: {name: web, labels: {app: web}, annotations: {scrim.mesh/proxy: sidecar}}
spec: {containers: [{name: web, ports: [{containerPort: 8080}]}]}
status: {podIP: 10.0.0.1, phase: Running}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: web}
spec: {host: web, subsets: [{name: v1, labels: {version: v1}}]}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: out}
spec: {hosts: [out.local], ports: [{number: 80, name: http, protocol: HTTP}], resolution: DNS}
`;
    const found = view(gateway(server("TLS", "'*.local'", "mode: AUTO_PASSTHROUGH")) + mesh);
    expect(found.ports[0]?.chains.map(({ serverNames, onlyFromSidecars }) => [serverNames, onlyFromSidecars])).toEqual([
      [["outbound_.80_._.web.default.svc.cluster.local"], true],
      [["outbound_.80_.v1_.web.default.svc.cluster.local"], true],
    ]);
    expect(found.upstreams.map((upstream) => [upstreamText(upstream.id), upstream.tls.mode])).toEqual([
      ["outbound_.80_._.web.default.svc.cluster.local", "none"],
      ["outbound_.80_.v1_.web.default.svc.cluster.local", "none"],
    ]);
  });
});

describe("a gateway proxy", () => {
  it("takes only Gateways that select it, on ports it listens on, one protocol each", () => {
    expect(view(gateway(http("'*'")).replace("istio: ingressgateway", "istio: other")).ports).toEqual([]);
    expect(view(gateway(http("'*'").replace("80", "81"))).notes).toEqual([
      "Gateway default/front server http: this proxy does not listen for port 81",
    ]);
    expect(
      view(
        gateway(http("'*'"), "a") +
          gateway(https("a.com", "one").replace("443", "80"), "b") +
          secret("one", "istio-system"),
      ).notes,
    ).toEqual(["Gateway default/b server https: port 80 already speaks HTTP"]);
  });

  it("is told only of upstreams its routes lead to", () => {
    const web =
      "---\napiVersion: v1\nkind: Service\nmetadata: {name: NAME}\n" +
      "spec: {selector: {app: web}, ports: [{name: http, port: 80}]}\n";
    const found = view(
      gateway(http("'*'")) + rule("r", "'*'", ["/"]) + web.replace("NAME", "web") + web.replace("NAME", "unused"),
    );
    expect(found.upstreams.map(({ id }) => id.host)).toEqual(["web.default.svc.cluster.local"]);
  });

  it("speaks HTTP/1.1 where a port says nothing, whatever its clients speak", () => {
    const protocol = (port: string) => {
      const web = `---\napiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {selector: {app: web}, ports: [${port}]}\n`;
      return view(gateway(http("'*'")) + rule("r", "'*'", ["/"]) + web).upstreams[0]?.protocol;
    };
    expect(["{port: 80}", "{name: grpc, port: 80}", "{name: http, port: 80}"].map(protocol)).toEqual([
      "http1",
      "http2",
      "http1",
    ]);
  });
});

import { describe, expect, it } from "vitest";
import type { ProxyClass } from "../ir/proxy-class.ts";
import { CERTIFICATE, KEY } from "../../../test/golden/tls-material.ts";
import { resolveGateway } from "./gateway.ts";
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
const secret = (name: string, namespace: string) => `---
apiVersion: v1
kind: Secret
metadata: {name: ${name}, namespace: ${namespace}}
type: kubernetes.io/tls
stringData: ${JSON.stringify({ "tls.crt": CERTIFICATE, "tls.key": KEY })}
`;
const http = (hosts: string, more = "") => `{port: {number: 80, name: http, protocol: HTTP}, hosts: [${hosts}]${more}}`;
const https = (hosts: string, credential: string, name = "https") =>
  `{port: {number: 443, name: ${name}, protocol: HTTPS}, hosts: [${hosts}], ` +
  `tls: {mode: SIMPLE, credentialName: ${credential}}}`;
const view = (yaml: string) => resolveGateway(inputsOf(yaml), front);
const routesByHost = (yaml: string) =>
  Object.fromEntries(
    view(yaml).tables.flatMap((table) =>
      table.virtualHosts.map((host) => [host.name, host.routes.map(({ name }) => name)]),
    ),
  );

describe("a server that is not supported yet", () => {
  it("is left out, and the others of its Gateway are opened", () => {
    const mutual = https("b.com", "c").replace("SIMPLE", "MUTUAL");
    const tcp = http("c.com").replace("protocol: HTTP", "protocol: TCP");
    const { ports, notes } = view(gateway(`${mutual}, ${http("a.com")}, ${tcp.replace("name: http", "name: tcp")}`));
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

describe("HTTPS", () => {
  it("is chosen by server name, with the certificate of the proxy's namespace or else of the Gateway's", () => {
    const found = view(
      gateway(`${https("a.com, '*.b.com'", "one")}, ${https("'*'", "two", "https-any")}`) +
        secret("one", "istio-system") +
        secret("two", "default"),
    );
    expect(found.notes).toEqual([]);
    expect(found.ports[0]?.kind).toMatchObject({
      protocol: "HTTPS",
      servers: [
        {
          serverNames: ["a.com", "*.b.com"],
          secretName: "kubernetes://one",
          routeTable: "https.443.https.front.default",
        },
        { serverNames: [], secretName: "kubernetes://default/two", routeTable: "https.443.https-any.front.default" },
      ],
    });
  });

  it("does not open without its Secret, and says so; another namespace's Secret is none", () => {
    const found = view(gateway(https("a.com", "one")) + secret("one", "far"));
    expect(found.ports).toEqual([]);
    expect(found.notes).toEqual([
      "Gateway default/front server https: " +
        "there is no Secret one with a certificate and its key in istio-system or default",
    ]);
  });

  it("leaves a name to the oldest server that has it", () => {
    const found = view(
      gateway(https("a.com", "one"), "a-first") +
        gateway(https("a.com, b.com", "one"), "front") +
        secret("one", "istio-system"),
    );
    expect(found.ports[0]?.kind).toMatchObject({ servers: [{ serverNames: ["a.com"] }, { serverNames: ["b.com"] }] });
    expect(found.notes).toHaveLength(1);
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

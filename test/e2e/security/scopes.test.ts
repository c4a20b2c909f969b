// Which rule speaks for whom: namespaces of clients, services and rules, labels of callers, wildcards, ports, and rules
// that meet.
import http from "node:http";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Mesh, startMesh } from "../../support/mesh.ts";
import { listening } from "../../support/servers.ts";
import { tunnelled } from "../../support/tunnel.ts";
import { documents, echoDeployment } from "../../support/workloads.ts";

let mesh: Mesh;
const servers: http.Server[] = [];
let outside = 0;

beforeAll(async () => {
  const services = await Promise.all([
    backed("a", "default", [80, 8080]),
    backed("b", "default", [80]),
    backed("a", "other", [80]),
    backed("only", "other", [80]),
    backed("odd", "default", [9080]),
    backed("many", "default", [9080, 9081]),
  ]);
  outside = await serving("outside.default");
  const elsewhere = externalName("elsewhere", "localhost", outside);
  const clients = [
    echoDeployment({ name: "client", app: "client" }),
    echoDeployment({ name: "canary", app: "canary", version: "v2" }),
    echoDeployment({ name: "stranger", app: "stranger" }).replaceAll("namespace: default", "namespace: other"),
  ];
  mesh = await startMesh({
    files: {
      "workloads.yaml": documents(
        ...services,
        ...clients,
        externalName("alias", "a.default.svc.cluster.local", 80),
        elsewhere,
      ),
    },
  });
}, 120_000);

afterAll(async () => {
  await mesh?.stop();
  for (const server of servers) server.close();
});

const respond = (status: number): string => `directResponse: {status: ${status}}`;
const to = (host: string): string => `route: [{destination: {host: ${host}}}]`;

describe("names", () => {
  it("mean the service of the caller's own namespace first", async () => {
    expect(await body("client", "a")).toBe("a.default");
    expect(await body("stranger", "a")).toBe("a.other");
    expect(await body("stranger", "a.default")).toBe("a.default");
    expect(await body("client", "only.other.svc")).toBe("only.other");
    expect(await status("client", "only")).toBeGreaterThanOrEqual(500);
    expect(await body("client", "a:8080")).toBe("a.default");
  });

  it("of a rule's hosts and destinations mean services of the rule's namespace", async () => {
    await applied(rule("v", "other", "only", `{${to("a")}}`));
    expect(await body("stranger", "only")).toBe("a.other");
    expect(await body("client", "only.other")).toBe("a.other");
    await applied(rule("v", "default", "only.other.svc.cluster.local", `{${to("b")}}`));
    expect(await body("client", "only.other")).toBe("b.default");
    expect(await body("stranger", "only")).toBe("b.default");
  });

  it("without a port mean port 80, or the one port of HTTP that there is", async () => {
    expect(await body("client", "odd")).toBe("odd.default");
    expect(await body("client", "odd.default:9080")).toBe("odd.default");
    expect((await tunnelled((await mesh.proxy("client")).outbound, "http://odd/")).body).toBe("odd.default");
    expect(await status("client", "many")).toBeGreaterThanOrEqual(500);
  });

  it("may be names of other places", async () => {
    expect(await body("client", "alias")).toBe("a.default");
    expect(await body("client", "alias:8080")).toBe("a.default");
    expect(await body("client", `elsewhere:${outside}`)).toBe("outside.default");
  });
});

describe("rules", () => {
  it("for all win by age, and one for the caller's namespace alone goes before them", async () => {
    const theirs = rule("theirs", "other", "b.default.svc.cluster.local", `{${respond(418)}}`);
    await applied(
      theirs,
      rule("zz", "default", "b", `{${respond(421)}}`),
      rule("aa", "default", "b", `{${respond(420)}}`),
    );
    expect(await status("client", "b")).toBe(420);
    expect(await status("stranger", "b.default")).toBe(420);
    await applied(
      theirs.replace("  hosts:", '  exportTo: ["."]\n  hosts:'),
      rule("zz", "default", "b", `{${respond(421)}}`, "2020-01-01T00:00:00Z"),
      rule("aa", "default", "b", `{${respond(420)}}`, "2021-01-01T00:00:00Z"),
    );
    expect(await status("client", "b")).toBe(421);
    expect(await status("stranger", "b.default")).toBe(418);
  });

  it("with wildcards speak for what no narrower rule names", async () => {
    await applied(
      rule("wide", "default", "'*.default.svc.cluster.local'", `{${respond(418)}}`),
      rule("narrow", "default", "b", `{${respond(420)}}`),
      rule("foreign", "default", "'*.example.com'", `{${respond(422)}}`),
    );
    expect(
      await Promise.all([
        status("client", "a"),
        status("client", "b"),
        status("client", "any.example.com"),
        status("client", "deep.any.example.com"),
      ]),
    ).toEqual([418, 420, 422, 422]);
    expect(await body("client", "only.other")).toBe("only.other");
    expect(await status("client", "example.com")).toBeGreaterThanOrEqual(500);
  });

  it("look at who asks and on which port", async () => {
    await applied(
      rule(
        "v",
        "default",
        "a",
        [
          `{match: [{sourceLabels: {app: canary, version: v2}}], ${respond(418)}}`,
          `{match: [{sourceNamespace: other}], ${respond(420)}}`,
          `{match: [{port: 8080}], ${respond(421)}}`,
          `{${to("b")}}`,
        ].join(", "),
      ),
    );
    expect(await status("canary", "a")).toBe(418);
    expect(await status("stranger", "a.default")).toBe(420);
    expect(await status("client", "a:8080")).toBe(421);
    expect(await body("client", "a")).toBe("b.default");
  });

  it("may name several hosts, and weigh as they like", async () => {
    await applied(
      rule(
        "v",
        "default",
        "a, b, new.example.com",
        "{route: [{destination: {host: a, port: {number: 80}}, weight: 3}, {destination: {host: b}, " +
          "weight: 1}, {destination: {host: only.other}, weight: 0}]}",
      ),
    );
    for (const host of ["a", "b", "new.example.com"]) {
      const seen: Record<string, number> = {};
      for (let i = 0; i < 80; i++) {
        const answer = await body("client", host);
        seen[answer] = (seen[answer] ?? 0) + 1;
      }
      expect(Object.keys(seen).sort(), host).toEqual(["a.default", "b.default"]);
      expect(seen["a.default"], host).toBeGreaterThan(44);
    }
  });

  it("whose only destination nobody declared answer 503, those without a match 404", async () => {
    await applied(
      rule(
        "v",
        "default",
        "a",
        `{match: [{uri: {prefix: /gone}}], ${to("nowhere")}}, {match: [{uri: {prefix: /b}}], ${to("b")}}`,
      ),
    );
    expect(await status("client", "a", "/gone")).toBe(503);
    expect(await status("client", "a", "/b")).toBe(200);
    expect(await status("client", "a", "/else")).toBe(404);
  });
});

describe("DestinationRules", () => {
  const policy = (
    name: string,
    namespace: string,
    host: string,
    tls: string,
    more = "",
  ): string => `apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: ${name}, namespace: ${namespace}}
spec:
  host: ${host}
  trafficPolicy: {tls: {mode: ${tls}}}
${more}`;

  it("are taken of the caller's namespace, else of the service's, else of the root's", async () => {
    // Nobody but sidecars speaks mesh TLS: a rule for it that takes effect is seen as 503.
    const broken = async (): Promise<boolean[]> => [
      (await status("client", "b")) === 503,
      (await status("stranger", "b.default")) === 503,
      (await status("stranger", "a")) === 503,
    ];
    await applied(policy("root", "istio-system", "'*.local'", "ISTIO_MUTUAL"));
    expect(await broken()).toEqual([true, true, true]);
    await applied(policy("root", "istio-system", "'*.local'", "ISTIO_MUTUAL"), policy("b", "default", "b", "DISABLE"));
    expect(await broken()).toEqual([false, false, true]);
    await applied(
      policy("root", "istio-system", "'*.local'", "ISTIO_MUTUAL"),
      policy("b", "default", "b", "DISABLE"),
      policy("mine", "other", "b.default.svc.cluster.local", "ISTIO_MUTUAL"),
      policy("star", "other", "'*.other.svc.cluster.local'", "DISABLE"),
    );
    expect(await broken()).toEqual([false, true, false]);
    await applied(policy("b", "default", "b", "ISTIO_MUTUAL", "  exportTo: [.]\n"));
    expect(await broken()).toEqual([true, false, false]);
  });

  it("for one host add up", async () => {
    const subset = (name: string): string =>
      `  subsets: [{name: ${name}, labels: {nobody: has}}, {name: all-${name}}]\n`;
    await applied(
      policy("one", "default", "b", "DISABLE", subset("x")),
      policy("two", "default", "b", "ISTIO_MUTUAL", subset("y")),
      rule(
        "v",
        "default",
        "b",
        "{match: [{uri: {prefix: /x}}], route: [{destination: {host: b, subset: all-x}}]}, {match: " +
          "[{uri: {prefix: /y}}], route: [{destination: {host: b, subset: all-y}}]}, {route: " +
          "[{destination: {host: b, subset: x}}]}",
      ),
    );
    expect([
      await status("client", "b", "/x"),
      await status("client", "b", "/y"),
      await status("client", "b", "/"),
    ]).toEqual([200, 200, 503]);
  });
});

async function status(from: string, host: string, path = "/"): Promise<number> {
  return (await mesh.from(from, `http://${host}${path}`)).status;
}

async function body(from: string, host: string): Promise<string> {
  return (await mesh.from(from, `http://${host}/`)).body;
}

const applied = (...texts: readonly string[]): Promise<void> => mesh.apply("rules.yaml", ...texts);

function rule(name: string, namespace: string, hosts: string, httpRoutes: string, created = ""): string {
  return `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: ${name}, namespace: ${namespace}${created === "" ? "" : `, creationTimestamp: "${created}"`}}
spec:
  hosts: [${hosts}]
  http: [${httpRoutes}]
`;
}

function externalName(name: string, target: string, port: number): string {
  return `apiVersion: v1
kind: Service
metadata: {name: ${name}, namespace: default}
spec: {type: ExternalName, externalName: ${target}, ports: [{name: http, port: ${port}}]}
`;
}

function serving(answer: string): Promise<number> {
  const server = http.createServer((_incoming, response) => response.end(answer));
  servers.push(server);
  return listening(server);
}

async function backed(name: string, namespace: string, ports: readonly number[]): Promise<string> {
  const port = await serving(`${name}.${namespace}`);
  const named = (number: number): string => `http-${number}`;
  return `apiVersion: v1
kind: Service
metadata: {name: ${name}, namespace: ${namespace}}
spec: {ports: [${ports.map((number) => `{name: ${named(number)}, port: ${number}}`).join(", ")}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: ${name}, namespace: ${namespace}, labels: {kubernetes.io/service-name: ${name}}}
addressType: IPv4
ports: [${ports.map((number) => `{name: ${named(number)}, port: ${port}}`).join(", ")}]
endpoints: [{addresses: [127.0.0.1]}]
`;
}

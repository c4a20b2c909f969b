// What a route says to browsers of other origins, before and behind policies; routes that another VirtualService has; and
// paths rewritten by regular expressions.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Answer, type Mesh, request } from "../../support/mesh.ts";
import { startWebMesh, virtualService } from "./web-mesh.ts";

let mesh: Mesh;
beforeAll(async () => void (mesh = await startWebMesh(edge, locked)), 120_000);
afterAll(() => mesh?.stop());

const edge = `apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: edge, namespace: default}
spec:
  selector: {istio: ingressgateway}
  servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ["*"]}]
`;
/** Nobody may ask web anything but with this header. */
const locked = `apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: locked, namespace: default}
spec:
  selector: {matchLabels: {app: web}}
  action: ALLOW
  rules: [{when: [{key: "request.headers[x-key]", values: [open]}]}]
`;
const policy = `    corsPolicy:
      allowOrigins: [{exact: "https://a.example.com"}, {regex: 'https://[a-z]+\\.shop\\.example\\.com'}]
      allowMethods: [GET, PUT]
      allowHeaders: [x-key]
      exposeHeaders: [x-pod]
      maxAge: 10m
      allowCredentials: true
`;

async function applied(...texts: readonly string[]): Promise<void> {
  await mesh.apply("traffic.yaml", ...texts);
  expect(await mesh.errorsIn("traffic.yaml")).toEqual([]);
}

const preflight = (origin: string) => ({
  method: "OPTIONS",
  headers: { origin, "access-control-request-method": "PUT", "access-control-request-headers": "x-key" },
});
const said = ({ status, headers }: Answer) => [
  status,
  ...["allow-origin", "allow-methods", "allow-headers", "max-age", "allow-credentials", "expose-headers"].map(
    (name) => headers[`access-control-${name}`],
  ),
];
const granted = (origin: string) => [200, origin, "GET,PUT", "x-key", "600", "true", "x-pod"];

/** A rule that looks at a header, and so makes the router filter decide all that follow. */
const never = "  - match: [{headers: {x-never: {exact: never}}}]\n    directResponse: {status: 500}\n";
const bound = (http: string) => virtualService(http).replace("  http:", "  gateways: [mesh, edge]\n  http:");

describe.each([
  ["routed by Envoy itself", ""],
  ["routed by the filter", never],
])("browsers of other origins, %s,", (_name, first) => {
  it("have their preflight requests answered though the workload would refuse them", async () => {
    await applied(bound(`${first}  - route: [{destination: {host: web}}]\n${policy}`));
    const ways: readonly ((path: string, options: object) => Promise<Answer>)[] = [
      (path, options) => mesh.from("client", `http://web${path}`, options),
      (path, options: { headers?: object }) =>
        request(`${mesh.gateway}${path}`, {
          ...options,
          headers: { ...options.headers, host: "web.default.svc.cluster.local" },
        }),
    ];
    for (const ask of ways) {
      for (const origin of ["https://a.example.com", "https://b.shop.example.com"])
        expect(said(await ask("/x", preflight(origin)))).toEqual(granted(origin));
      // That of another origin goes on, and the workload's policy refuses it.
      expect(said(await ask("/x", preflight("https://evil.example.com")))[0]).toBe(403);
      const answer = await ask("/x", { headers: { origin: "https://a.example.com", "x-key": "open" } });
      expect(said(answer)).toEqual([200, "https://a.example.com", undefined, undefined, undefined, "true", "x-pod"]);
      const foreign = await ask("/x", { headers: { origin: "https://evil.example.com", "x-key": "open" } });
      expect(said(foreign).slice(0, 2)).toEqual([200, undefined]);
    }
  });

  it("get an answer without any grant where preflight requests of others are ignored", async () => {
    await applied(
      bound(`${first}  - route: [{destination: {host: web}}]\n${policy}      unmatchedPreflights: IGNORE\n`),
    );
    // What is named beside counts for nothing without an origin.
    const answer = await mesh.from("client", "http://web/x", preflight("https://evil.example.com"));
    expect(said(answer).slice(0, 2)).toEqual([200, undefined]);
  });
});

describe("a policy at the gateway itself", () => {
  it("comes before the gateway's answer to preflight requests, as in Istio", async () => {
    await applied(
      bound(`  - route: [{destination: {host: web}}]\n${policy}`),
      locked
        .replace("name: locked, namespace: default", "name: at-the-edge, namespace: istio-system")
        .replace("app: web", "istio: ingressgateway"),
    );
    const asked = { ...preflight("https://a.example.com") };
    const ask = (more: object) =>
      request(`${mesh.gateway}/x`, {
        ...asked,
        headers: { ...asked.headers, host: "web.default.svc.cluster.local", ...more },
      });
    expect((await ask({})).status).toBe(403);
    expect(said(await ask({ "x-key": "open" }))).toEqual(granted("https://a.example.com"));
  });
});

describe("a route that delegates", () => {
  it("does what its delegate says, within its own match", async () => {
    const delegate = virtualService(`  - match: [{uri: {prefix: /team/a}}]
    directResponse: {status: 201}
  - match: [{uri: {prefix: /elsewhere}}]
    directResponse: {status: 202}
  - directResponse: {status: 203}
`)
      .replace("name: web,", "name: team,")
      .replace("  hosts: [web]\n", "");
    const root = virtualService(`  - match: [{uri: {prefix: /team}}]
    delegate: {name: team}
  - directResponse: {status: 204}
`);
    await applied(root, delegate);
    const statuses = async () =>
      Promise.all(
        ["/team/a", "/team/b", "/elsewhere"].map(
          async (path) => (await mesh.from("client", `http://web${path}`)).status,
        ),
      );
    expect(await statuses()).toEqual([201, 203, 204]);
    await applied(root, delegate.replace("status: 201", "status: 299"));
    expect(await statuses()).toEqual([299, 203, 204]);
    await applied(root);
    expect(await statuses()).toEqual([204, 204, 204]);
  });
});

describe.each([
  ["routed by Envoy itself", ""],
  ["routed by the filter", never],
])("paths, %s,", (_name, first) => {
  it("are rewritten by what a regular expression found, and match an empty prefix", async () => {
    await applied(
      virtualService(`${first}  - match: [{uri: {prefix: /v}}]
    rewrite: {uriRegexRewrite: {match: '^/v([0-9]+)/(\\w+)', rewrite: '/\\2/of/\\1'}}
    route: [{destination: {host: web}}]
  - match: [{uri: {prefix: ""}}]
    redirect: {uri: /v1/start, redirectCode: 307}
`),
    );
    const key = { headers: { "x-key": "open" } };
    expect(JSON.parse((await mesh.from("client", "http://web/v7/books/x?y=z", key)).body).path).toBe(
      "/books/of/7/x?y=z",
    );
    expect(JSON.parse((await mesh.from("client", "http://web/vain", key)).body).path).toBe("/vain");
    const moved = await mesh.from("client", "http://web/anything", key);
    expect([moved.status, moved.headers.location]).toEqual([307, "http://web/v1/start"]);
  });
});

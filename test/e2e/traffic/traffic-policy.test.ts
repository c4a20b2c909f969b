// What VirtualServices and DestinationRules promise, seen from outside: which route a request takes and what becomes of
// it on the way.
import { readFileSync, readdirSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Answer, type Mesh, request, type RequestOptions, startMesh } from "../../support/mesh.ts";
import { eventually } from "../../support/until.ts";
import { documents, echoDeployment, service } from "../../support/workloads.ts";

let mesh: Mesh;

beforeAll(async () => {
  const workloads = documents(
    service("web"),
    echoDeployment({ name: "web-v1", app: "web" }),
    echoDeployment({ name: "web-v2", app: "web", version: "v2" }),
    echoDeployment({ name: "client", app: "client" }),
  );
  mesh = await startMesh({ files: { "workloads.yaml": workloads } });
}, 120_000);

afterAll(async () => {
  await mesh?.stop();
});

const rule = (policy: string): string => `apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: web, namespace: default}
spec:
  host: web
  trafficPolicy: ${policy}
  subsets: [{name: v1, labels: {version: v1}}, {name: v2, labels: {version: v2}}]
`;

const virtualService = (http: string): string => `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: web, namespace: default}
spec:
  hosts: [web]
  http:
${http}`;

async function applied(...texts: readonly string[]): Promise<void> {
  await mesh.apply("traffic.yaml", ...texts);
  expect(await mesh.errorsIn("traffic.yaml")).toEqual([]);
}

const ask = (path: string, options: RequestOptions = {}): Promise<Answer> =>
  mesh.from("client", `http://web${path}`, options);

async function seenBy(workload: string, text: string): Promise<number> {
  const address = (await mesh.proxy(workload)).ports[0]?.address;
  return Number((await request(`http://${address}/seen/${text}`)).body);
}

const answering = (name: string, match: string): string =>
  `  - match: ${match}\n    directResponse: {status: 200, body: {string: ${name}}}\n`;
const matches = [
  answering("exact", "[{uri: {exact: /exact}}]"),
  answering("regex", "[{uri: {regex: '/re/[0-9]+'}}]"),
  answering("ignore-case", "[{uri: {prefix: /CaSe}, ignoreUriCase: true}]"),
  answering("post", "[{uri: {prefix: /method}, method: {exact: POST}}]"),
  answering("put-patch", "[{uri: {prefix: /method}, method: {regex: PUT|PATCH}}]"),
  answering("query-exact", "[{uri: {prefix: /query}, queryParams: {q: {exact: '1'}}}]"),
  answering("query-prefix", "[{uri: {prefix: /query}, queryParams: {q: {prefix: ab}}}]"),
  answering("query-regex", "[{uri: {prefix: /query}, queryParams: {q: {regex: 'x+'}}}]"),
  answering("query-present", "[{uri: {prefix: /query}, queryParams: {there: {}}}]"),
  answering("authority", "[{uri: {prefix: /authority}, authority: {prefix: web.default.svc}}]"),
  answering("https", "[{uri: {prefix: /scheme}, scheme: {exact: https}}]"),
  answering("http", "[{uri: {prefix: /scheme}, scheme: {exact: http}}]"),
  answering("either", "[{uri: {exact: /either/a}}, {uri: {exact: /either/b}}]"),
  answering("prefix", "[{uri: {prefix: /pre}}]"),
].join("");
const headerMatches = [
  answering("header-exact", "[{uri: {prefix: /header}, headers: {x-kind: {exact: a}}}]"),
  answering("header-prefix", "[{uri: {prefix: /header}, headers: {X-Kind: {prefix: pre}}}]"),
  answering("header-regex", "[{uri: {prefix: /header}, headers: {x-kind: {regex: '[0-9]+'}}}]"),
  answering("header-present", "[{uri: {prefix: /header}, headers: {x-there: {}}}]"),
  answering("header-and", "[{uri: {prefix: /header}, headers: {x-one: {exact: '1'}, x-two: {exact: '2'}}}]"),
  answering("without", "[{uri: {prefix: /without}, withoutHeaders: {x-internal: {}}}]"),
  answering("without-value", "[{uri: {prefix: /without}, withoutHeaders: {x-internal: {exact: 'yes'}}}]"),
].join("");
const last = answering("default", "[{uri: {prefix: /}}]");

describe.each([
  ["by Envoy's own matching", matches + last],
  ["by the router filter", headerMatches + matches + last],
])("routes are chosen %s", (_name, http) => {
  beforeAll(async () => applied(virtualService(http)));

  it.each<[string, string, RequestOptions?]>([
    ["exact", "/exact"],
    ["exact", "/exact?x=1"],
    ["default", "/exact/"],
    ["default", "/exactly"],
    ["regex", "/re/12"],
    ["regex", "/re/12?y=/z"],
    ["default", "/re/12/x"],
    ["default", "/re/"],
    ["ignore-case", "/case/x"],
    ["ignore-case", "/CASE"],
    ["post", "/method", { method: "POST" }],
    ["put-patch", "/method", { method: "PATCH" }],
    ["default", "/method", { method: "DELETE" }],
    ["query-exact", "/query?q=1"],
    ["query-exact", "/query?a=b&q=1"],
    ["default", "/query?q=12"],
    ["query-prefix", "/query?q=abc"],
    ["query-regex", "/query?q=xxx"],
    ["default", "/query?q=xxy"],
    ["query-present", "/query?there"],
    ["query-present", "/query?there=x"],
    ["default", "/query"],
    ["authority", ".default.svc.cluster.local/authority"],
    ["authority", ".default.svc:80/authority"],
    ["default", "/authority"],
    ["http", "/scheme"],
    ["either", "/either/a"],
    ["either", "/either/b"],
    ["default", "/either/c"],
    ["prefix", "/pre"],
    ["prefix", "/prefixed/by/string"],
    ["default", "/other"],
  ])("%s: %s", async (route, path, options) => {
    expect((await ask(path, options)).body).toBe(route);
  });
});

describe("routes are chosen by headers", () => {
  it.each<[string, string, Record<string, string | string[]>]>([
    ["header-exact", "/header", { "X-KIND": "a" }],
    ["default", "/header", { "x-kind": "b" }],
    ["header-prefix", "/header", { "x-kind": "prefer" }],
    ["header-regex", "/header", { "x-kind": "42" }],
    ["default", "/header", { "x-kind": "42a" }],
    ["header-present", "/header", { "x-there": "any" }],
    ["header-and", "/header", { "x-one": "1", "x-two": "2" }],
    ["default", "/header", { "x-one": "1" }],
    ["without", "/without", {}],
    ["default", "/without", { "x-internal": "yes" }],
    ["without-value", "/without", { "x-internal": "no" }],
  ])("%s: %s %j", async (route, path, headers) => {
    expect((await ask(path, { headers })).body).toBe(route);
  });
});

/** A rule that looks at a header, and so makes the router filter decide all that follow. */
const never = "  - match: [{headers: {x-never: {exact: never}}}]\n    directResponse: {status: 500}\n";

describe.each([
  ["routed by Envoy itself", ""],
  ["routed by the filter", never],
])("what becomes of a request %s", (_name, first) => {
  const routes = (http: string): string => virtualService(first + http);

  it("changes headers, the host too, on the route and on each destination", async () => {
    await applied(
      rule("{}"),
      routes(`  - match: [{uri: {prefix: /weighted}}]
    headers: {request: {set: {x-route: r}}}
    route:
    - destination: {host: web, subset: v1}
      weight: 50
      headers:
        request: {set: {":authority": one.example.com, x-to: v1}}
        response: {set: {x-from: one}, remove: [x-pod]}
    - destination: {host: web, subset: v2}
      weight: 50
      headers: {request: {set: {x-to: v2}}, response: {add: {x-from: two}}}
  - match: [{uri: {prefix: /host}}]
    headers: {request: {set: {Host: set.example.com}, add: {x-many: b}, remove: [x-gone]}}
    route: [{destination: {host: web}}]
  - match: [{uri: {prefix: /rewritten/}}]
    rewrite: {uri: /plain/, authority: rewritten.example.com}
    route: [{destination: {host: web}}]
  - match: [{uri: {regex: '/v[0-9]+/.*'}}]
    rewrite: {uri: /whole}
    route: [{destination: {host: web}}]
  - route: [{destination: {host: web}}]
`),
    );
    const seen = new Set<string>();
    for (let i = 0; i < 30; i++) {
      const answer = await ask("/weighted");
      const { version, headers } = JSON.parse(answer.body);
      seen.add(
        [
          version,
          headers.host,
          headers["x-route"],
          headers["x-to"],
          answer.headers["x-from"],
          answer.headers["x-pod"] === undefined,
        ].join(" "),
      );
    }
    expect([...seen].sort()).toEqual(["v1 one.example.com r v1 one true", "v2 web r v2 two false"]);
    const { headers } = JSON.parse((await ask("/host", { headers: { "x-many": "a", "x-gone": "g" } })).body);
    expect([headers.host, headers["x-many"], headers["x-gone"]]).toEqual(["set.example.com", "a, b", undefined]);
    const rewritten = JSON.parse((await ask("/rewritten/a?b=c")).body);
    expect([rewritten.path, rewritten.headers.host]).toEqual(["/plain/a?b=c", "rewritten.example.com"]);
    expect(JSON.parse((await ask("/v2/x/y?q=1")).body).path).toBe("/whole?q=1");
  });

  it("redirects as it is told", async () => {
    await applied(
      routes(`  - match: [{uri: {exact: /all}}]
    redirect: {uri: /there, authority: other.example.com, scheme: https, redirectCode: 308}
  - match: [{uri: {exact: /port}}]
    redirect: {port: 8443}
  - match: [{uri: {prefix: /host}}]
    redirect: {authority: other.example.com}
  - route: [{destination: {host: web}}]
`),
    );
    const location = async (path: string): Promise<unknown[]> =>
      (({ status, headers }) => [status, headers["location"]])(await ask(path));
    expect(await location("/all")).toEqual([308, "https://other.example.com/there"]);
    expect(await location("/port")).toEqual([301, "http://web:8443/port"]);
    expect(await location("/host/x?y=z")).toEqual([301, "http://other.example.com/host/x?y=z"]);
  });

  it("delays and aborts a share of the requests", async () => {
    await applied(
      routes(`  - match: [{uri: {prefix: /abort}}]
    fault: {abort: {percentage: {value: 30}, httpStatus: 555}}
    route: [{destination: {host: web}}]
  - match: [{uri: {prefix: /slow}}]
    fault: {delay: {percentage: {value: 100}, fixedDelay: 0.3s}}
    timeout: 5s
    route: [{destination: {host: web}}]
  - match: [{uri: {prefix: /never}}]
    fault: {delay: {percentage: {value: 0}, fixedDelay: 100s}, abort: {httpStatus: 500}}
    route: [{destination: {host: web}}]
  - match: [{uri: {prefix: /grpc}}]
    fault: {abort: {percentage: {value: 100}, grpcStatus: NOT_FOUND}}
    route: [{destination: {host: web}}]
  - route: [{destination: {host: web}}]
`),
    );
    const statuses = await Promise.all(Array.from({ length: 300 }, async () => (await ask("/abort")).status));
    const aborted = statuses.filter((status) => status === 555).length;
    expect(aborted).toBeGreaterThan(50);
    expect(aborted).toBeLessThan(135);
    expect(statuses.filter((status) => status === 200).length).toBe(300 - aborted);
    const slow = await ask("/slow");
    expect([slow.status, Number(JSON.parse(slow.body).headers["x-envoy-expected-rq-timeout-ms"] ?? 0) >= 0]).toEqual([
      200,
      true,
    ]);
    expect((await ask("/never")).status).toBe(200);
    expect((await ask("/grpc", { headers: { "content-type": "application/grpc" } })).headers["grpc-status"]).toBe("5");
    await eventually("the delay in the access log", () =>
      accessLog("client-")
        .split("\n")
        .some((line) => line.includes("/slow") && /\bDI\b/.test(line))
        ? true
        : undefined,
    );
  });

  it("mirrors what it is told to mirror, and keeps the mirror's answer to itself", async () => {
    await applied(
      rule("{}"),
      routes(`  - match: [{uri: {prefix: /mirrored}}]
    route: [{destination: {host: web, subset: v1}}]
    mirror: {host: web, subset: v2}
  - match: [{uri: {prefix: /none}}]
    route: [{destination: {host: web, subset: v1}}]
    mirror: {host: web, subset: v2}
    mirrorPercentage: {value: 0}
  - match: [{uri: {prefix: /several}}]
    route: [{destination: {host: web, subset: v1}}]
    mirrors: [{destination: {host: web, subset: v2}, percentage: {value: 100}}, {destination: {host: web, subset: v2}}]
  - route: [{destination: {host: web}}]
`),
    );
    const tag = first === "" ? "-native" : "-chosen";
    for (const path of [`/mirrored${tag}`, `/none${tag}`, `/several${tag}`])
      for (let i = 0; i < 5; i++) expect((await ask(path)).headers["x-version"]).toBe("v1");
    await eventually(
      "the mirrored requests",
      async () =>
        (await seenBy("web-v2", `mirrored${tag}`)) === 5 && (await seenBy("web-v2", `several${tag}`)) === 10
          ? true
          : undefined,
      5_000,
    );
    expect(await seenBy("web-v2", `none${tag}`)).toBe(0);
    expect(await seenBy("web-v1", `mirrored${tag}`)).toBe(5);
  });

  it("tries again as often as it is told, for what it is told", async () => {
    const retried = (path: string, retries: string): string =>
      `  - match: [{uri: {prefix: /fail/${path}}}, {uri: {prefix: /delay/${path}}}]\n` +
      `    retries: ${retries}\n    route: [{destination: {host: web, subset: v1}}]\n`;
    await applied(
      rule("{}"),
      routes(
        [
          retried("2/codes", "{attempts: 3, retryOn: '503,502', perTryTimeout: 2s}"),
          retried("2/few", "{attempts: 1, retryOn: 5xx}"),
          retried("1/off", "{attempts: 0}"),
          retried("1/empty", "{}"),
          retried("1/other", "{attempts: 3, retryOn: '500'}"),
          retried("1/gateway", "{attempts: 2, retryOn: gateway-error}"),
          retried("500", "{attempts: 2, perTryTimeout: 0.1s, retryOn: 5xx}"),
          "  - route: [{destination: {host: web}}]\n",
        ].join(""),
      ),
    );
    const key = first === "" ? "" : "-chosen";
    expect(JSON.parse((await ask(`/fail/2/codes${key}`)).body).attempt).toBe(3);
    expect((await ask(`/fail/2/few${key}`)).status).toBe(503);
    for (const none of ["off", "empty"]) expect((await ask(`/fail/1/${none}${key}`)).status).toBe(503);
    const sent = `by-default${key}`;
    expect((await ask(`/fail/9/${sent}`, { method: "POST" })).status).toBe(503);
    expect((await seenBy("web-v1", sent)) + (await seenBy("web-v2", sent))).toBe(1);
    expect((await ask(`/fail/1/other${key}`)).status).toBe(503);
    expect((await ask(`/fail/1/gateway${key}`)).status).toBe(200);
    const before = await seenBy("web-v1", "delay");
    expect((await ask("/delay/500")).status).toBe(504);
    expect((await seenBy("web-v1", "delay")) - before).toBe(3);
  });
});

describe("where a request goes", () => {
  it("stops sending to an endpoint that keeps failing, and to no other", async () => {
    await applied(
      rule(
        "{outlierDetection: {consecutive5xxErrors: 3, interval: 1s, baseEjectionTime: 60s, " +
          "maxEjectionPercent: 100}, loadBalancer: {simple: ROUND_ROBIN}}",
      ),
      virtualService("  - retries: {attempts: 0}\n    route: [{destination: {host: web}}]\n"),
    );
    for (let i = 0; i < 12; i++) await ask("/only/v1/500");
    const statuses = new Set<string>();
    for (let i = 0; i < 20; i++) statuses.add(String((await ask("/only/v1/500")).headers["x-version"]));
    expect([...statuses]).toEqual(["v2"]);
  });

  it("keeps a caller with the endpoint that its header, cookie or query parameter names", async () => {
    for (const [policy, path, headers] of [
      ["{httpHeaderName: x-user}", "/", (user: string) => ({ "x-user": user })],
      ["{httpQueryParameterName: user}", "?", () => ({})],
      ["{httpCookie: {name: user, ttl: 0s}}", "/", (user: string) => ({ cookie: `user=${user}` })],
    ] as const) {
      await applied(
        rule(`{loadBalancer: {consistentHash: ${policy}}}`),
        virtualService("  - route: [{destination: {host: web}}]\n"),
      );
      const homes = new Set<string>();
      for (let user = 0; user < 20; user++) {
        const seen = new Set<string>();
        for (let i = 0; i < 4; i++)
          seen.add(
            String(
              (await ask(path === "?" ? `/?user=${user}` : path, { headers: headers(String(user)) })).headers[
                "x-version"
              ],
            ),
          );
        expect(seen.size, `${policy} ${user}`).toBe(1);
        for (const version of seen) homes.add(version);
      }
      expect(homes.size, policy).toBe(2);
    }
  });

  it("refuses what would exceed a connection pool, and says so in the log", async () => {
    await applied(
      rule("{connectionPool: {tcp: {maxConnections: 1}, http: {http1MaxPendingRequests: 1, http2MaxRequests: 1}}}"),
      virtualService("  - retries: {attempts: 0}\n    route: [{destination: {host: web, subset: v1}}]\n"),
    );
    const answers = await Promise.all(Array.from({ length: 8 }, () => ask("/delay/300", { agent: undefined })));
    const refused = answers.filter(({ status }) => status === 503);
    expect(refused.length).toBeGreaterThan(3);
    expect(refused.every(({ headers }) => headers["x-envoy-overloaded"] === "true")).toBe(true);
    expect(answers.filter(({ status }) => status === 200).length).toBeGreaterThan(0);
    await eventually("UO in the access log", () => (/\bUO\b/.test(accessLog("client-")) ? true : undefined));
  });

  it("lets a port's settings replace, a subset's override", async () => {
    await applied(
      `apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: web, namespace: default}
spec:
  host: web
  trafficPolicy:
    loadBalancer: {consistentHash: {httpHeaderName: x-user}}
    portLevelSettings: [{port: {number: 80}, connectionPool: {http: {maxRequestsPerConnection: 1}}}]
  subsets:
  - {name: all, trafficPolicy: {loadBalancer: {consistentHash: {httpHeaderName: x-team}}}}
`,
      virtualService(
        "  - match: [{uri: {prefix: /subset}}]\n    route: [{destination: {host: web, subset: all}}]\n" +
          "  - route: [{destination: {host: web}}]\n",
      ),
    );
    const homes = async (path: string, headers: Record<string, string>): Promise<number> => {
      const seen = new Set<string>();
      for (let i = 0; i < 16; i++)
        seen.add(String((await ask(path, { headers: { ...headers, "x-unrelated": String(i) } })).headers["x-version"]));
      return seen.size;
    };
    expect(await homes("/", { "x-user": "a" })).toBe(2);
    expect(await homes("/subset", { "x-team": "a" })).toBe(1);
    expect(await homes("/subset", { "x-user": "a" })).toBe(2);
  });

  it("answers 503 for a subset that nobody defined or nobody runs", async () => {
    await applied(
      rule("{}").replace("{name: v2, labels: {version: v2}}", "{name: v3, labels: {version: v3}}"),
      virtualService(`  - match: [{uri: {prefix: /nobody}}]
    route: [{destination: {host: web, subset: v3}}]
  - route: [{destination: {host: web, subset: v1}}]
`),
    );
    expect((await ask("/nobody")).status).toBe(503);
    expect((await ask("/")).headers["x-version"]).toBe("v1");
  });
});

function accessLog(pods: string): string {
  const logs = `${mesh.stateDirectory}/logs`;
  return readdirSync(logs)
    .filter((pod) => pod.startsWith(pods))
    .map((pod) => readFileSync(`${logs}/${pod}/access.log`, "utf8"))
    .join("");
}

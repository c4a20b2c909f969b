// What VirtualServices and DestinationRules promise, seen from outside: which route a request takes and what becomes of
// it on the way.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Answer, type Mesh, request, type RequestOptions } from "../../support/mesh.ts";
import { eventually } from "../../support/until.ts";
import { rule, startWebMesh, virtualService } from "./web-mesh.ts";

let mesh: Mesh;
beforeAll(async () => void (mesh = await startWebMesh()), 120_000);
afterAll(() => mesh?.stop());

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
      mesh
        .accessLog("client-")
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

import { describe, expect, it } from "vitest";
import type { Route } from "../ir/routes.ts";
import { createDestinations } from "./destination.ts";
import { resolveHttpRoutes } from "./http-route.ts";
import type { RouteContext } from "./request-match.ts";
import { worldOf } from "./testing.ts";

const services = `
apiVersion: v1
kind: Service
metadata: {name: one-port}
spec: {selector: {app: a}, ports: [{name: http, port: 8080}]}
---
apiVersion: v1
kind: Service
metadata: {name: two-ports}
spec: {selector: {app: b}, ports: [{name: http, port: 80}, {name: http-admin, port: 9090}]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: r}
spec:
  hosts: [web.com]
  http:
`;
const client: RouteContext = { namespace: "default", labels: { app: "client" }, gateway: "mesh", port: 80 };

function routesOf(http: string, context: Partial<RouteContext> = {}): readonly Route[] {
  const world = worldOf(
    services +
      http
        .trim()
        .split("\n")
        .map((line) => `  ${line}`)
        .join("\n"),
  );
  const [rule] = world.list("VirtualService");
  if (rule === undefined) throw new Error("no rule");
  return resolveHttpRoutes(world, rule, { ...client, ...context }, createDestinations(world, "default", {}));
}

function forward(route: Route | undefined) {
  if (route?.action.kind !== "forward") throw new Error(`not forwarded: ${JSON.stringify(route)}`);
  return route.action;
}

describe("routes of a VirtualService", () => {
  it("end with the first that takes every request", () => {
    const to = "route: [{destination: {host: one-port}}]";
    expect(
      routesOf(
        "- {name: a, match: [{uri: {prefix: /a}}, {uri: {prefix: /}}, {uri: {exact: /never}}], " +
          `${to}}\n- {name: b, ${to}}`,
      ).map(({ key }) => key),
    ).toEqual(["0.0", "0.1"]);
    expect(routesOf(`- {match: [{uri: {regex: ".*"}}], ${to}}\n- {${to}}`)).toHaveLength(1);
    expect(routesOf(`- {match: [{uri: {prefix: /}, method: {exact: GET}}], ${to}}\n- {${to}}`)).toHaveLength(2);
    expect(routesOf(`- {match: [{sourceLabels: {app: client}}], ${to}}\n- {${to}}`)).toHaveLength(1);
  });

  it("are for this source, gateway and port; with gateways set the source does not count", () => {
    const to = "route: [{destination: {host: one-port}}]";
    const one = (match: string, context: Partial<RouteContext> = {}) =>
      routesOf(`- {match: [{uri: {prefix: /x}, ${match}}], ${to}}`, context).length;
    expect(one("sourceLabels: {app: client}")).toBe(1);
    expect(one("sourceLabels: {app: other}")).toBe(0);
    expect(one("sourceNamespace: default")).toBe(1);
    expect(one("sourceNamespace: other")).toBe(0);
    expect(one("port: 80")).toBe(1);
    expect(one("port: 81")).toBe(0);
    expect(one("gateways: [front]")).toBe(0);
    expect(one("gateways: [front]", { gateway: "default/front" })).toBe(1);
    expect(one("gateways: [mesh], sourceLabels: {app: other}, sourceNamespace: other")).toBe(1);
  });

  it("draw among destinations by weights that need not add to 100, without those of weight 0", () => {
    const destination = (subset: string, weight: number) =>
      `{destination: {host: one-port, subset: ${subset}}, weight: ${weight}}`;
    const drawn = forward(
      routesOf(`- {route: [${destination("a", 3)}, ${destination("b", 0)}, ${destination("c", 2)}]}`)[0],
    ).targets;
    expect(drawn.map(({ upstream, weight }) => [upstream.subset, weight])).toEqual([
      ["a", 3],
      ["c", 2],
    ]);
    expect(forward(routesOf(`- {route: [${destination("only", 37)}]}`)[0]).targets).toMatchObject([{ weight: 1 }]);
    expect(forward(routesOf(`- {route: [${destination("only", 0)}]}`)[0]).targets).toMatchObject([
      { upstream: { subset: "only" } },
    ]);
  });

  it("take a missing port for the service's only one, else for the one the client asked for", () => {
    const port = (destination: string, context: Partial<RouteContext> = {}) =>
      forward(routesOf(`- {route: [{destination: ${destination}}]}`, context)[0]).targets[0]?.upstream.port;
    expect(port("{host: one-port}")).toBe(8080);
    expect(port("{host: two-ports}", { port: 9090 })).toBe(9090);
    expect(port("{host: two-ports, port: {number: 80}}", { port: 9090 })).toBe(80);
    expect(port("{host: nobody}", { port: 9090 })).toBe(9090);
  });

  it("retry twice on what did not reach a server, unless told otherwise; numbers in retryOn are status codes", () => {
    const retries = (spec: string) =>
      forward(routesOf(`- {${spec} route: [{destination: {host: one-port}}]}`)[0]).retries;
    expect(retries("")).toEqual({
      attempts: 2,
      conditions: ["connect-failure", "refused-stream", "unavailable", "cancelled", "retriable-status-codes"],
      statusCodes: [],
      otherHosts: true,
    });
    for (const none of ["{attempts: 0}", "{}"]) expect(retries(`retries: ${none},`)).toBeUndefined();
    expect(retries("retries: {attempts: 1},")).toMatchObject({ attempts: 1, statusCodes: [] });
    expect(retries('retries: {attempts: 3, retryOn: "500,502, 503,504", perTryTimeout: 2s},')).toEqual({
      attempts: 3,
      conditions: ["retriable-status-codes"],
      statusCodes: [500, 502, 503, 504],
      perTryTimeoutMs: 2_000,
      otherHosts: true,
    });
    expect(retries('retries: {attempts: 1, retryOn: "5xx,reset"},')).toMatchObject({
      conditions: ["5xx", "reset"],
      statusCodes: [],
    });
  });

  it("have no timeout unless one is given", () => {
    const timeoutMs = (spec: string) =>
      forward(routesOf(`- {${spec} route: [{destination: {host: one-port}}]}`)[0]).timeoutMs;
    expect(timeoutMs("")).toBeUndefined();
    expect(timeoutMs("timeout: 0s,")).toBeUndefined();
    expect(timeoutMs("timeout: 1500ms,")).toBe(1_500);
  });

  it("mirror everything without a percentage and nothing at an explicit 0", () => {
    const mirrors = (spec: string) =>
      forward(routesOf(`- {${spec} route: [{destination: {host: one-port}}]}`)[0]).mirrors.map(
        ({ percent }) => percent,
      );
    expect(mirrors("mirror: {host: two-ports},")).toEqual([100]);
    expect(mirrors("mirror: {host: two-ports}, mirrorPercentage: {value: 0},")).toEqual([]);
    expect(mirrors("mirror: {host: two-ports}, mirrorPercentage: {},")).toEqual([]);
    expect(
      mirrors(
        "mirrors: [{destination: {host: two-ports}}, {destination: {host: one-port}, percentage: {value: 0.1}}],",
      ),
    ).toEqual([100, 0.1]);
  });

  it("inject faults for a share that is given: a missing one is none", () => {
    const fault = (spec: string) =>
      routesOf(`- {fault: {${spec}}, route: [{destination: {host: one-port}}]}`)[0]?.fault;
    expect(fault("abort: {httpStatus: 500}")).toBeUndefined();
    expect(fault("abort: {httpStatus: 500, percentage: {value: 1.5}}")).toEqual({
      abort: { httpStatus: 500, percent: 1.5 },
    });
    expect(fault("delay: {fixedDelay: 2s, percent: 10}")).toEqual({ delay: { ms: 2_000, percent: 10 } });
    expect(fault("abort: {grpcStatus: UNAVAILABLE, percentage: {value: 100}}")).toEqual({
      abort: { grpcStatus: 14, percent: 100 },
    });
  });

  it("take a host among header changes for a rewrite", () => {
    for (const name of ['":authority"', "Host", "host"]) {
      const [route] = routesOf(
        `- {headers: {request: {set: {${name}: other.com, X-A: "1"}}}, route: [{destination: {host: one-port}}]}`,
      );
      expect(forward(route).rewrite).toEqual({ authority: "other.com" });
      expect(route?.requestHeaders.set).toEqual([["x-a", "1"]]);
    }
    const [perTarget] = routesOf(
      "- {route: [{destination: {host: one-port}, headers: {request: {set: {Host: other.com}}}}]}",
    );
    expect(forward(perTarget).targets[0]?.authority).toBe("other.com");
  });

  it("redirect by 301 unless another code is given", () => {
    const action = (spec: string) => routesOf(`- {redirect: {${spec}}}`)[0]?.action;
    expect(action("uri: /new")).toEqual({ kind: "redirect", code: 301, path: "/new" });
    expect(action("authority: a.com, redirectCode: 307, derivePort: FROM_REQUEST_PORT")).toEqual({
      kind: "redirect",
      code: 307,
      authority: "a.com",
    });
    expect(action("scheme: https, derivePort: FROM_REQUEST_PORT")).toMatchObject({ scheme: "https", port: 80 });
    expect(action("authority: a.com, scheme: https, derivePort: FROM_PROTOCOL_DEFAULT")).not.toHaveProperty("port");
    expect(action("uri: /new, derivePort: FROM_PROTOCOL_DEFAULT")).not.toHaveProperty("port");
    expect(action("scheme: http, derivePort: FROM_PROTOCOL_DEFAULT")).toMatchObject({ scheme: "http", port: 80 });
    expect(action("scheme: http, authority: a.com, derivePort: FROM_REQUEST_PORT")).not.toHaveProperty("port");
    expect(action("scheme: https, derivePort: FROM_PROTOCOL_DEFAULT")).toEqual({
      kind: "redirect",
      code: 301,
      scheme: "https",
      port: 443,
    });
  });

  it("answer directly, in text or bytes", () => {
    const action = (spec: string) => routesOf(`- {directResponse: {${spec}}}`)[0]?.action;
    expect(action("status: 503, body: {string: sorry}")).toEqual({ kind: "respond", status: 503, body: "sorry" });
    expect(action("status: 200, body: {bytes: AQI=}")).toEqual({
      kind: "respond",
      status: 200,
      body: Uint8Array.of(1, 2),
    });
  });
});

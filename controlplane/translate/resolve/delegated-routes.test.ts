import { describe, expect, it } from "vitest";
import { httpRoutesOf } from "./delegated-routes.ts";
import { worldOf } from "./testing.ts";

const virtualService = (name: string, namespace: string, spec: string) => `---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: ${name}, namespace: ${namespace}}
spec: ${spec}
`;
const route = (host: string) => `route: [{destination: {host: ${host}}}]`;

/** The routes of `default/root`, which delegates for /d with these fields beside it, and of which this is the delegate. */
function routesOf(delegate: string, root = "match: [{uri: {prefix: /d}}]", namespace = "team") {
  const world = worldOf(
    virtualService("root", "default", `{hosts: [web.com], http: [{delegate: {name: d, namespace: team}, ${root}}]}`) +
      virtualService("d", namespace, `{${delegate}}`),
  );
  return httpRoutesOf(world, world.get("VirtualService", "default", "root")!);
}

describe("routes that delegate", () => {
  it("are the delegate's, each within the root's match, by names of the delegate's namespace", () => {
    const routes = routesOf(
      `http: [{name: a, match: [{uri: {exact: /d/a}, gateways: [mesh, gw]}], ${route("one")}}, {${route("two.b.com")}}]`,
    );
    expect(routes).toEqual([
      {
        name: "a",
        match: [{ uri: { exact: "/d/a" }, gateways: ["mesh", "team/gw"] }],
        route: [{ destination: { host: "one.team.svc.cluster.local" } }],
      },
      { name: "", match: [{ uri: { prefix: "/d" } }], route: [{ destination: { host: "two.b.com" } }] },
    ]);
  });

  it("lend the delegate what it does not say itself; names are joined", () => {
    const [first, second] = routesOf(
      `http: [{name: own, timeout: 2s, ${route("a")}}, {mirror: {host: own}, headers: {request: {remove: [x]}}, ${route("a")}}]`,
      "name: root, timeout: 1s, retries: {attempts: 1}, fault: {abort: {httpStatus: 500}}, mirror: {host: m}, " +
        "mirrorPercentage: {value: 5}, corsPolicy: {allowOrigins: [{exact: a}]}, headers: {request: {remove: [y]}}, " +
        "rewrite: {uri: /r}",
    );
    expect(first).toMatchObject({
      name: "root-own",
      timeout: "2s",
      retries: { attempts: 1 },
      fault: { abort: { httpStatus: 500 } },
      // The root's names are the root's.
      mirror: { host: "m.default.svc.cluster.local" },
      mirrorPercentage: { value: 5 },
      corsPolicy: { allowOrigins: [{ exact: "a" }] },
      headers: { request: { remove: ["y"] } },
      rewrite: { uri: "/r" },
    });
    expect(second).toMatchObject({
      name: "root",
      timeout: "1s",
      mirror: { host: "own.team.svc.cluster.local" },
      headers: { request: { remove: ["x"] } },
    });
    expect(first).not.toHaveProperty("delegate");
  });

  it.each([
    ["exportTo: ['.'],", "team"],
    ["hosts: [x.com],", "team"],
    ["", "elsewhere"],
  ])("are left out where the delegate cannot be had (%s %s)", (fields, namespace) => {
    expect(routesOf(`${fields} http: [{${route("a")}}]`, undefined, namespace)).toEqual([]);
  });

  it("are there for a root to whose namespace the delegate is exported", () => {
    expect(routesOf(`exportTo: [default], http: [{${route("a")}}]`)).toHaveLength(1);
  });
});

describe("the match of a delegate's route", () => {
  const merged = (root: string, own: string) =>
    routesOf(`http: [{match: [${own}], ${route("a")}}]`, `match: [${root}]`)[0]?.match;

  it("holds what both ask for", () => {
    expect(
      merged(
        "{name: r, uri: {prefix: /d}, headers: {a: {exact: '1'}}, port: 80, sourceLabels: {x: y}, method: {exact: GET}}",
        "{name: o, uri: {prefix: /d/e}, headers: {b: {prefix: '2'}}, queryParams: {q: {exact: v}}, sourceLabels: {z: w}}",
      ),
    ).toEqual([
      {
        name: "r-o",
        uri: { prefix: "/d/e" },
        headers: { a: { exact: "1" }, b: { prefix: "2" } },
        queryParams: { q: { exact: "v" } },
        port: 80,
        sourceLabels: { x: "y", z: "w" },
        method: { exact: "GET" },
      },
    ]);
  });

  it("stands within each match of the root that has room for it", () => {
    expect(merged("{uri: {prefix: /a}}, {uri: {prefix: /a/b}}, {uri: {prefix: /c}}", "{uri: {exact: /a/b/c}}")).toEqual(
      [{ uri: { exact: "/a/b/c" } }, { uri: { exact: "/a/b/c" } }],
    );
  });

  it.each([
    ["{uri: {prefix: /a}}", "{uri: {prefix: /b}}"],
    ["{uri: {prefix: /a/b}}", "{uri: {prefix: /a}}"],
    ["{uri: {exact: /a}}", "{uri: {prefix: /a}}"],
    ["{uri: {regex: /a}}", "{uri: {exact: /a}}"],
    ["{uri: {prefix: /a}}", "{uri: {regex: /a/.*}}"],
    ["{headers: {h: {exact: a}}}", "{headers: {h: {exact: b}}}"],
    ["{withoutHeaders: {h: {exact: a}}}", "{withoutHeaders: {h: {exact: b}}}"],
    ["{headers: {h: {}}}", "{headers: {h: {exact: b}}}"],
    ["{queryParams: {q: {exact: a}}}", "{queryParams: {q: {exact: b}}}"],
    ["{method: {exact: GET}}", "{method: {exact: PUT}}"],
    ["{uri: {prefix: /a}, ignoreUriCase: true}", "{uri: {prefix: /a}}"],
    ["{port: 80}", "{port: 81}"],
    ["{sourceNamespace: a}", "{uri: {prefix: /a}}"],
    ["{sourceLabels: {a: b}}", "{sourceLabels: {a: c}}"],
    ["{gateways: [mesh]}", "{gateways: [mesh, other]}"],
    ["{uri: {prefix: /a}}", "{uri: {prefix: /a/b}}, {uri: {prefix: /c}}"],
  ])("%s has no room for %s, and the route is left out", (root, own) => {
    expect(merged(root, own)).toBeUndefined();
  });
});

import { describe, expect, it } from "vitest";
import type { ConnectionRoute } from "./connection-route.ts";
import { createDestinations } from "./destination.ts";
import { resolveTcpRoutes } from "./tcp-route.ts";
import { worldOf } from "./testing.ts";
import { resolveTlsRoutes } from "./tls-route.ts";

const rule = (routes: string) => `---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: db, namespace: default}
spec: {hosts: [db.example.com], gateways: [mesh, front], ${routes}}
`;
const context = { namespace: "default", labels: { app: "web" }, gateway: "mesh", port: 5432 };
const gateway = { ...context, gateway: "default/front" };
const to = (...hosts: readonly string[]) => `route: [${hosts.map((host) => `{destination: {host: ${host}}}`).join()}]`;

function resolved(resolve: typeof resolveTcpRoutes, routes: string, where: typeof context): readonly string[] {
  const world = worldOf(rule(routes));
  const [one] = world.list("VirtualService");
  return resolve(one!, where, createDestinations(world, "default", where.labels)).map(text);
}
const text = ({ serverNames, subnets, targets }: ConnectionRoute) =>
  `${[...serverNames, ...subnets].join("+") || "any"}: ` +
  targets.map(({ upstream: { id }, weight }) => `${id.host.split(".")[0]}:${id.port}=${weight}`).join(" ");
const tcp = (routes: string, where = context) => resolved(resolveTcpRoutes, `tcp: [${routes}]`, where);
const tls = (routes: string, where = context) => resolved(resolveTlsRoutes, `tls: [${routes}]`, where);

describe("tcp routes", () => {
  it("end with the first that is for every address", () => {
    expect(
      tcp(`{match: [{destinationSubnets: [10.0.0.0/8]}, {destinationSubnets: [10.0.0.0/8, 1.2.3.4]}], ${to("a")}},
        {match: [{port: 1}], ${to("b")}}, {match: [{port: 5432}, {port: 1}], ${to("c")}}, {${to("d")}}`),
    ).toEqual(["10.0.0.0/8+1.2.3.4: a:5432=1", "any: c:5432=1"]);
  });

  it("are for clients by labels, namespaces and gateways; at a gateway only ports and gateways count", () => {
    const routes = `{match: [{sourceLabels: {app: api}}], ${to("a")}}, {match: [{sourceNamespace: far}], ${to("b")}},
      {match: [{gateways: [front], destinationSubnets: [10.0.0.0/8]}], ${to("c")}}, {${to("d")}}`;
    expect(tcp(routes)).toEqual(["any: d:5432=1"]);
    expect(tcp(routes, { ...context, labels: { app: "api" } })).toEqual(["any: a:5432=1"]);
    expect(tcp(routes, gateway)).toEqual(["any: a:5432=1"]);
    expect(tcp(`{match: [{gateways: [front], destinationSubnets: [10.0.0.0/8]}], ${to("c")}}`, gateway)).toEqual([
      "any: c:5432=1",
    ]);
  });

  it("are shared by weight: none is none, and of an only destination it does not count", () => {
    expect(
      tcp(
        "{route: [{destination: {host: a}, weight: 3}, {destination: {host: b}, weight: 0}, {destination: {host: c}, weight: 1}]}",
      ),
    ).toEqual(["any: a:5432=3 c:5432=1"]);
    expect(tcp("{route: [{destination: {host: a, port: {number: 99}}, weight: 0}]}")).toEqual(["any: a:99=1"]);
  });
});

describe("tls routes", () => {
  it("are one for each match, the first of equal ones", () => {
    const same = "{sniHosts: [DB.example.com], port: 5432}";
    expect(
      tls(`{match: [${same}, {sniHosts: [db.example.com], destinationSubnets: [1.2.3.4]}], ${to("a")}},
        {match: [{sniHosts: [db.example.com]}], ${to("b")}}`),
    ).toEqual(["db.example.com: a:5432=1", "db.example.com+1.2.3.4: a:5432=1"]);
  });
});

import { describe, expect, it } from "vitest";
import { loadText } from "../../store/load.ts";
import { resolveOutbound } from "./outbound.ts";

const service = `apiVersion: v1
kind: Service
metadata: {name: web, namespace: default}
spec: {selector: {app: web}, ports: [{name: http, port: 80}]}
`;
const weighted =
  "{route: [{destination: {host: web, subset: v1}, weight: 90}, {destination: {host: web, subset: v2}, weight: 10}]}";
const virtualService = (annotation: string, http: string = weighted): string => `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: web, namespace: default, annotations: {scrim.mesh/sticky: "${annotation}"}}
spec: {hosts: [web], http: [${http}]}
`;
const load = (...texts: readonly string[]) => loadText([service, ...texts].join("---\n"));
const hostOf = (...texts: readonly string[]) =>
  resolveOutbound(load(...texts).world, "default", {}).table.virtualHosts[0];

describe("the annotation scrim.mesh/sticky", () => {
  it("keeps requests with their share; the salt is the VirtualService unless it gives one", () => {
    expect(hostOf(virtualService("header:X-User"))).toMatchObject({
      decidedBy: "filter",
      routes: [{ sticky: { by: { header: "x-user" }, salt: "default/web" } }],
    });
    expect(hostOf(virtualService("cookie:id; salt=a"))).toMatchObject({
      routes: [{ sticky: { by: { cookie: "id" }, salt: "a" } }],
    });
  });

  it("needs several destinations", () => {
    const one = virtualService("header:x-user", "{route: [{destination: {host: web}}]}");
    expect(hostOf(one)?.routes[0]?.sticky).toBeUndefined();
    expect(load(one).violations.map(({ severity, field, message }) => [severity, field, message])).toEqual([
      [
        "warning",
        'metadata.annotations["scrim.mesh/sticky"]',
        "has no effect: no route has several destinations with weights",
      ],
    ]);
  });

  it("is refused when it says nothing that is known", () => {
    expect(load(virtualService("body:x")).violations.map(({ severity, message }) => [severity, message])).toEqual([
      ["error", 'must be header:NAME, cookie:NAME, query:NAME, claim:NAME or source:ip, not "body:x"'],
    ]);
  });
});

describe("claims among the headers of a match", () => {
  it("are claims, with their case, and make the router filter decide", () => {
    const host = hostOf(
      virtualService(
        "header:x",
        '{match: [{headers: {"@request.auth.claims.Realm.role": {exact: a}, X-B: {exact: b}}, ' +
          'withoutHeaders: {"@request.auth.claims[sub]": {}}}], ' +
          "route: [{destination: {host: web}}]}",
      ),
    );
    expect(host).toMatchObject({
      decidedBy: "filter",
      routes: [
        {
          match: {
            claims: [{ name: "[Realm][role]" }],
            withoutClaims: [{ name: "[sub]" }],
            headers: [{ name: "x-b" }],
            withoutHeaders: [],
          },
        },
      ],
    });
  });
});

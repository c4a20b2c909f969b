import { describe, expect, it } from "vitest";
import { worldOf } from "./testing.ts";
import { virtualServiceForHost, virtualServicesFor } from "./virtual-service.ts";

const rule = (name: string, namespace: string, hosts: string, more = "", created = "") => `---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: ${name}, namespace: ${namespace}${created && `, creationTimestamp: "${created}"`}}
spec: {hosts: [${hosts}], ${more} http: [{route: [{destination: {host: somewhere}}]}]}
`;
const chosen = (yaml: string, client: string, host: string) =>
  virtualServiceForHost(virtualServicesFor(worldOf(yaml), client, "mesh"), host)?.metadata.name;

describe("the VirtualService of a host at a sidecar", () => {
  it("is the oldest: by creation time, then name, then namespace", () => {
    expect(
      chosen(
        rule("a", "x", "web.com", "", "2024-02-01T00:00:00Z") + rule("b", "x", "web.com", "", "2024-01-01T00:00:00Z"),
        "x",
        "web.com",
      ),
    ).toBe("b");
    expect(
      chosen(rule("b", "x", "web.com") + rule("a", "x", "web.com", "", "2024-01-01T00:00:00Z"), "x", "web.com"),
    ).toBe("b");
    expect(chosen(rule("b", "x", "web.com") + rule("a", "y", "web.com"), "z", "web.com")).toBe("a");
  });

  it("is looked up among the private ones of the client's namespace, then those exported to it, then public ones", () => {
    const all =
      rule("public", "far", "web.com", "", "2024-01-01T00:00:00Z") +
      rule("invited", "far", "web.com", "exportTo: [client],", "2024-02-01T00:00:00Z") +
      rule("own", "client", "web.com", "exportTo: ['.'],", "2024-03-01T00:00:00Z");
    expect(chosen(all, "client", "web.com")).toBe("own");
    expect(chosen(all.replace("namespace: client", "namespace: elsewhere"), "client", "web.com")).toBe("invited");
    expect(chosen(all, "other", "web.com")).toBe("public");
  });

  it("is the oldest of the public ones, also over one of the client's own namespace", () => {
    for (const open of ["", "exportTo: ['*'],"])
      expect(
        chosen(
          rule("far", "far", "web.com", open, "2024-01-01T00:00:00Z") +
            rule("own", "client", "web.com", open, "2024-02-01T00:00:00Z"),
          "client",
          "web.com",
        ),
      ).toBe("far");
    expect(
      chosen(
        rule("far", "far", "web.com", "", "2024-01-01T00:00:00Z") +
          rule("own", "client", "web.com", "exportTo: [client],", "2024-02-01T00:00:00Z"),
        "client",
        "web.com",
      ),
    ).toBe("own");
  });

  it("is none that routes only connections", () => {
    const tls = rule("a", "x", "web.com").replace("http: [{", "tls: [{match: [{sniHosts: [web.com]}], ");
    expect(chosen(tls, "x", "web.com")).toBeUndefined();
    expect(chosen(tls + rule("b", "x", "web.com"), "x", "web.com")).toBe("b");
  });

  it("counts only if exported to the client", () => {
    expect(chosen(rule("private", "far", "web.com", "exportTo: ['.'],"), "client", "web.com")).toBeUndefined();
    expect(chosen(rule("nobody", "client", "web.com", "exportTo: ['~'],"), "client", "web.com")).toBeUndefined();
  });

  it("with a wildcard applies only if it is the most specific, whatever its age; never to its own suffix", () => {
    const rules =
      rule("wide", "x", "'*.com'", "", "2020-01-01T00:00:00Z") +
      rule("narrow", "x", "'*.web.com'", "", "2024-01-01T00:00:00Z") +
      rule("exact", "x", "a.web.com", "", "2024-02-01T00:00:00Z");
    expect(chosen(rules, "x", "a.web.com")).toBe("exact");
    expect(chosen(rules, "x", "b.web.com")).toBe("narrow");
    expect(chosen(rules, "x", "web.com")).toBe("wide");
    expect(chosen(rules, "x", "com")).toBeUndefined();
  });

  it("means short names in its own namespace", () => {
    expect(chosen(rule("r", "x", "reviews"), "y", "reviews.x.svc.cluster.local")).toBe("r");
    expect(chosen(rule("r", "x", "reviews"), "y", "reviews.y.svc.cluster.local")).toBeUndefined();
  });

  it("is bound to the mesh unless it names other gateways only", () => {
    expect(chosen(rule("r", "x", "web.com", "gateways: [front],"), "x", "web.com")).toBeUndefined();
    expect(chosen(rule("r", "x", "web.com", "gateways: [front, mesh],"), "x", "web.com")).toBe("r");
    expect(virtualServicesFor(worldOf(rule("r", "x", "web.com", "gateways: [front],")), "x", "x/front")).toHaveLength(
      1,
    );
    expect(virtualServicesFor(worldOf(rule("r", "x", "web.com", "gateways: [y/front],")), "x", "x/front")).toHaveLength(
      0,
    );
  });
});

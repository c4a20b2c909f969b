import { describe, expect, it } from "vitest";
import { destinationRuleFor, portPolicy } from "./destination-rule.ts";
import { worldOf } from "./testing.ts";

const rule = (name: string, namespace: string, host: string, spec = "", created = "") => `---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: ${name}, namespace: ${namespace}${created && `, creationTimestamp: "${created}"`}}
spec: {host: ${host}${spec && `, ${spec}`}}
`;
const HOST = "reviews.server.svc.cluster.local";
const found = (yaml: string, client = "client", labels = {}) =>
  destinationRuleFor(worldOf(yaml), client, labels, HOST, "server");

describe("the DestinationRule of a host", () => {
  it("is looked up in the client's namespace, then the service's, then the root namespace", () => {
    const all = [
      rule("own", "client", HOST),
      rule("server", "server", "reviews"),
      rule("root", "istio-system", "'*.local'"),
    ];
    expect(found(all.join(""))?.origin).toBe("client/own");
    expect(found(all.slice(1).join(""))?.origin).toBe("server/server");
    expect(found(all.slice(2).join(""))?.origin).toBe("istio-system/root");
    expect(found(rule("third", "third", HOST))).toBeUndefined();
  });

  it("must be exported to the client", () => {
    expect(found(rule("server", "server", "reviews", "exportTo: ['.']"))).toBeUndefined();
    expect(found(rule("server", "server", "reviews", "exportTo: [client]"))?.origin).toBe("server/server");
  });

  it("is of the most specific host in its namespace; rules for the same host merge, the oldest first", () => {
    const yaml =
      rule("wide", "server", "'*.svc.cluster.local'", "trafficPolicy: {loadBalancer: {simple: RANDOM}}") +
      rule(
        "second",
        "server",
        "reviews",
        "trafficPolicy: {loadBalancer: {simple: RANDOM}}, subsets: [{name: v1, " +
          "labels: {late: 'yes'}}, {name: v2, labels: {version: v2}}]",
        "2024-02-01T00:00:00Z",
      ) +
      rule("first", "server", HOST, "subsets: [{name: v1, labels: {version: v1}}]", "2024-01-01T00:00:00Z");
    expect(found(yaml)).toEqual({
      origin: "server/first",
      trafficPolicy: { loadBalancer: { simple: "RANDOM" } },
      subsets: [
        { name: "v1", labels: { version: "v1" } },
        { name: "v2", labels: { version: "v2" } },
      ],
    });
  });
});

describe("a DestinationRule for some workloads", () => {
  const simple = (algorithm: string) => `trafficPolicy: {loadBalancer: {simple: ${algorithm}}}`;
  const selector = (app: string) => `workloadSelector: {matchLabels: {app: ${app}}}`;
  const yaml =
    rule("all", "client", HOST, `${simple("RANDOM")}, subsets: [{name: v1}]`, "2024-02-01T00:00:00Z") +
    rule("some", "client", HOST, `${simple("ROUND_ROBIN")}, ${selector("a")}`, "2024-03-01T00:00:00Z") +
    rule("more", "client", HOST, `subsets: [{name: v2}], ${selector("a")}`, "2024-04-01T00:00:00Z") +
    rule("others", "client", HOST, selector("b"), "2024-01-01T00:00:00Z");
  const of = (labels: Record<string, string>) => {
    const merged = found(yaml, "client", labels);
    return [merged?.origin, merged?.trafficPolicy?.loadBalancer?.simple, merged?.subsets.map(({ name }) => name)];
  };

  it("counts for them, with what the rule for all says beside it", () => {
    expect(of({ app: "a" })).toEqual(["client/some", "ROUND_ROBIN", ["v2", "v1"]]);
    expect(of({ app: "b" })).toEqual(["client/others", "RANDOM", ["v1"]]);
    expect(of({ app: "c" })).toEqual(["client/all", "RANDOM", ["v1"]]);
  });

  it("counts in its own namespace only", () => {
    const exported =
      rule("some", "server", "reviews", selector("a")) + rule("all", "server", "reviews", simple("RANDOM"));
    expect(found(exported, "client", { app: "a" })?.origin).toBe("server/all");
    expect(found(exported, "server", { app: "a" })?.origin).toBe("server/some");
  });
});

describe("the policy of a port and subset", () => {
  const merged = found(
    rule(
      "r",
      "server",
      "reviews",
      `
    trafficPolicy: {
      loadBalancer: {simple: ROUND_ROBIN}, tls: {mode: DISABLE}, connectionPool: {tcp: {maxConnections: 1}},
      portLevelSettings: [{port: {number: 81}, loadBalancer: {simple: RANDOM}}]},
    subsets: [
      {name: plain},
      {name: own, trafficPolicy: {tls: {mode: ISTIO_MUTUAL},
        portLevelSettings: [{port: {number: 82}, connectionPool: {tcp: {maxConnections: 9}}}]}}]`,
    ),
  );
  const policy = (port: number, subset?: string) =>
    portPolicy(
      merged,
      port,
      merged?.subsets.find(({ name }) => name === subset),
    );

  it("is the rule's; a port's settings replace it wholesale", () => {
    expect(policy(80)).toEqual({
      loadBalancer: { simple: "ROUND_ROBIN" },
      tls: { mode: "DISABLE" },
      connectionPool: { tcp: { maxConnections: 1 } },
    });
    expect(policy(81)).toEqual({ loadBalancer: { simple: "RANDOM" } });
  });

  it("is overridden field by field by a subset, wholesale by a subset's port", () => {
    expect(policy(80, "plain")).toEqual(policy(80));
    expect(policy(80, "own")).toEqual({ ...policy(80), tls: { mode: "ISTIO_MUTUAL" } });
    expect(policy(81, "own")).toEqual({ loadBalancer: { simple: "RANDOM" }, tls: { mode: "ISTIO_MUTUAL" } });
    expect(policy(82, "own")).toEqual({ connectionPool: { tcp: { maxConnections: 9 } } });
  });
});

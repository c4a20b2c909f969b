import { describe, expect, it } from "vitest";
import { rateLimitConfiguration, rateLimitUpstreams, resolveRateLimits } from "./rate-limit.ts";
import { sidecar, worldOf } from "./testing.ts";

const product = sidecar({ workload: "productservice", labels: { app: "productservice" } });
const quota = `
apiVersion: networking.istio.io/v1alpha3
kind: QuotaSpec
metadata: {name: product, namespace: default}
spec:
  rules:
  - match: [{destination: {labels: {app: productservice}}}]
    quotas:
    - name: requests
      maxAmount: 100
      interval: 60s
      overrides: [{dimensions: {source: orderservice}, maxAmount: 200}]
`;
const binding = (services: string) => `
---
apiVersion: config.istio.io/v1alpha2
kind: QuotaSpecBinding
metadata: {name: product, namespace: default}
spec: {services: [${services}], quotaSpecs: [{name: product}]}
`;
const service = (name: string, app: string) =>
  `\n---\napiVersion: v1\nkind: Service\nmetadata: {name: ${name}}\n` +
  `spec: {selector: {app: ${app}}, ports: [{port: 80}]}\n`;
const deployment = (name: string, app: string, account: string) => `
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: ${name}}
spec:
  selector: {matchLabels: {app: ${app}}}
  template:
    metadata: {labels: {app: ${app}}}
    spec: {serviceAccountName: ${account}, containers: [{name: app, image: x}]}
`;

describe("quotas", () => {
  const bound = quota + binding("{name: productservice}") + service("productservice", "productservice");

  it("limit the workloads behind the bound service: one bucket of maxAmount, regained per interval", () => {
    expect(resolveRateLimits(worldOf(bound), product)).toEqual({
      headers: "none",
      limits: [
        { name: "default/product/requests", key: [], tokens: 100, intervalMs: 60_000, burst: 100, overrides: [] },
      ],
    });
  });

  it("do nothing unbound, elsewhere, or where the rule's labels are not", () => {
    expect(resolveRateLimits(worldOf(quota), product).limits).toEqual([]);
    expect(resolveRateLimits(worldOf(bound), sidecar()).limits).toEqual([]);
    expect(resolveRateLimits(worldOf(bound), { ...product, namespace: "other" }).limits).toEqual([]);
    const reviews = quota + binding("{name: reviews}") + service("reviews", "reviews");
    expect(resolveRateLimits(worldOf(reviews), sidecar()).limits).toEqual([]);
  });

  it.each([
    ["a Deployment's name", deployment("orderservice", "x", "order-sa")],
    ["an app label", deployment("orders-v1", "orderservice", "order-sa")],
    ["a Service's name", service("orderservice", "orders") + deployment("orders-v1", "orders", "order-sa")],
  ])("know the override's source by %s, and only by identity", (_, source) => {
    expect(resolveRateLimits(worldOf(bound + source), product).limits[0]?.overrides).toEqual([
      {
        name: "orderservice",
        principals: ["cluster.local/ns/default/sa/order-sa"],
        tokens: 200,
        intervalMs: 60_000,
        burst: 200,
      },
    ]);
  });

  it("know a source of another namespace when it says so", () => {
    const named = bound.replace("source: orderservice", "source: orderservice.shop");
    const there = deployment("orderservice", "x", "order-sa").replace(
      "{name: orderservice}",
      "{name: orderservice, namespace: shop}",
    );
    expect(resolveRateLimits(worldOf(named + there), product).limits[0]?.overrides[0]?.principals).toEqual([
      "cluster.local/ns/shop/sa/order-sa",
    ]);
    expect(resolveRateLimits(worldOf(bound + there), product).limits[0]?.overrides).toEqual([]);
  });

  it("count once however often they are bound", () => {
    const twice =
      bound + binding("{name: productservice}").replace("{name: product, namespace", "{name: again, namespace");
    expect(resolveRateLimits(worldOf(twice), product).limits).toHaveLength(1);
  });
});

describe("rate limit policies", () => {
  const policy = (namespace: string, name: string, spec: string) =>
    "---\napiVersion: policy.scrim.mesh/v1alpha1\nkind: RateLimitPolicy\n" +
    `metadata: {name: ${name}, namespace: ${namespace}}\nspec: ${spec}\n`;

  it("say what the filter takes", () => {
    const world = worldOf(
      policy(
        "default",
        "reviews-per-user",
        `
  selector: {matchLabels: {app: reviews}}
  headers: draft
  limits:
  - {name: per-user, match: {methods: [GET], paths: ["/reviews/{*}"]}, key: [{header: X-User}, {source: principal}],
     requests: 10, per: 1s, burst: 20}
  - {name: everyone, requests: 1000, per: 1m, shadow: true,
     overrides: [{principals: [cluster.local/ns/default/sa/a], requests: 5000}]}`,
      ),
    );
    expect(resolveRateLimits(world, sidecar())).toEqual({
      headers: "draft",
      limits: [
        {
          name: "default/reviews-per-user/per-user",
          match: { methods: ["GET"], paths: ["/reviews/{*}"] },
          key: [{ header: "x-user" }, { source: "principal" }],
          tokens: 10,
          intervalMs: 1_000,
          burst: 20,
          overrides: [],
        },
        {
          name: "default/reviews-per-user/everyone",
          key: [],
          tokens: 1_000,
          intervalMs: 60_000,
          burst: 1_000,
          shadow: true,
          overrides: [
            {
              name: "cluster.local/ns/default/sa/a",
              principals: ["cluster.local/ns/default/sa/a"],
              tokens: 5_000,
              intervalMs: 60_000,
              burst: 5_000,
            },
          ],
        },
      ],
    });
  });

  it("take every kind of key, cost and override; overrides never share a bucket", () => {
    const world = worldOf(
      policy(
        "default",
        "p",
        `
  limits:
  - name: l
    key: [{claim: [realm, tier]}, {route: true}, {pathTemplate: [/a]}, {pathCapture: "/t/{*}", as: tenant}]
    cost: {header: X-Cost, min: 0, max: 5}
    requests: 10
    per: 1s
    overrides:
    - {principals: [a], requests: 20}
    - {principals: [a], values: ["*", "*", "*", gold], perKey: true, requests: 30, per: 1m}`,
      ),
    );
    expect(resolveRateLimits(world, sidecar()).limits).toEqual([
      {
        name: "default/p/l",
        key: [
          { claim: ["realm", "tier"] },
          { route: true },
          { pathTemplate: ["/a"] },
          { pathCapture: "/t/{*}", as: "tenant" },
        ],
        tokens: 10,
        intervalMs: 1_000,
        burst: 10,
        cost: { header: "x-cost", min: 0, max: 5 },
        overrides: [
          { name: "a", principals: ["a"], tokens: 20, intervalMs: 1_000, burst: 20 },
          {
            name: "a#2",
            principals: ["a"],
            values: ["*", "*", "*", "gold"],
            perKey: true,
            tokens: 30,
            intervalMs: 60_000,
            burst: 30,
          },
        ],
      },
    ]);
  });

  describe("that a service decides", () => {
    const asking = policy(
      "default",
      "p",
      "{limits: [{name: l, key: [{header: X-User, as: user}], global: {host: ratelimit, " +
        "domain: shop, timeout: 50ms, failure: closed}}]}",
    );
    const there =
      "---\napiVersion: v1\nkind: Service\nmetadata: {name: ratelimit}\n" +
      "spec: {selector: {app: ratelimit}, ports: [{name: grpc, port: 8082}]}\n";

    it("name it by its only port, and give the proxy its upstream", () => {
      const world = worldOf(asking + there);
      const [limit] = resolveRateLimits(world, sidecar()).limits;
      const id = { direction: "outbound", port: 8082, subset: "", host: "ratelimit.default.svc.cluster.local" };
      expect(limit).toEqual({
        name: "default/p/l",
        key: [{ header: "x-user", as: "user" }],
        overrides: [],
        global: { service: id, domain: "shop", descriptor: [], timeoutMs: 50, failure: "closed" },
      });
      expect(JSON.parse(rateLimitConfiguration(resolveRateLimits(world, sidecar())))).toEqual({
        headers: "none",
        limits: [
          {
            name: "default/p/l",
            key: [{ header: "x-user", as: "user" }],
            overrides: [],
            global: {
              cluster: "outbound|8082||ratelimit.default.svc.cluster.local",
              authority: "ratelimit.default.svc.cluster.local",
              domain: "shop",
              descriptor: [],
              timeoutMs: 50,
              failure: "closed",
            },
          },
        ],
      });
      expect(
        rateLimitUpstreams(world, "default", sidecar().labels, "w").map(({ id: found, protocol }) => [found, protocol]),
      ).toEqual([[id, "http2"]]);
    });

    it("ask an upstream without addresses where nobody declared it", () => {
      expect(rateLimitUpstreams(worldOf(asking), "default", sidecar().labels, "w")).toMatchObject([
        { id: { host: "ratelimit.default.svc.cluster.local", port: 8081 }, discovery: { kind: "none" } },
      ]);
    });
  });

  it("add up: the mesh's, the namespace's, the workload's", () => {
    const limits = "{limits: [{name: l, requests: 1, per: 1s}]}";
    const world = worldOf(
      policy("istio-system", "mesh", limits) + policy("default", "ns", limits) + policy("other", "no", limits),
    );
    expect(resolveRateLimits(world, sidecar()).limits.map((limit) => limit.name)).toEqual([
      "istio-system/mesh/l",
      "default/ns/l",
    ]);
  });
});

describe("the users' own quota file", () => {
  it("takes effect as it stands", () => {
    const text = `
apiVersion: networking.istio.io/v1alpha3
kind: QuotaSpec
metadata: {name: productservice-ratelimit, namespace: default}
spec:
  rules:
  - match:
    - destination: {labels: {app: productservice}}
    quotas:
    - {name: request-count, maxAmount: 100, interval: 60s,
       overrides: [{dimensions: {source: orderservice}, maxAmount: 200, interval: 60s}]}
---
apiVersion: networking.istio.io/v1alpha3
kind: QuotaSpecBinding
metadata: {name: productservice-ratelimit-binding, namespace: default}
spec:
  services: [{name: productservice, namespace: default}]
  quotaSpecs: [{name: productservice-ratelimit}]
`;
    const { limits } = resolveRateLimits(
      worldOf(text + deployment("orderservice", "orderservice", "orderservice-sa")),
      product,
    );
    expect(limits[0]).toMatchObject({
      name: "default/productservice-ratelimit/request-count",
      tokens: 100,
      overrides: [{ tokens: 200, principals: ["cluster.local/ns/default/sa/orderservice-sa"] }],
    });
  });
});

import { describe, expect, it } from "vitest";
import { concernedBy } from "./concerns.ts";
import { inputsOf, proxyOf, sidecar } from "./resolve/testing.ts";

const inputs = inputsOf(`
apiVersion: v1
kind: Service
metadata: {name: reviews, namespace: default}
spec: {selector: {app: reviews}, ports: [{name: http, port: 9080}]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: public, namespace: default}
spec: {hosts: [reviews], http: [{route: [{destination: {host: reviews}}], timeout: 3s}]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: home, namespace: other}
spec:
  hosts: [reviews.default.svc.cluster.local]
  exportTo: ["."]
  http: [{route: [{destination: {host: reviews.default.svc.cluster.local}}], timeout: 4s}]
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: only-ratings, namespace: default}
spec: {selector: {matchLabels: {app: ratings}}, rules: [{}]}
`);
const at = (
  proxyClass: ReturnType<typeof sidecar>,
  kind: "VirtualService" | "AuthorizationPolicy",
  namespace: string,
  name: string,
) => {
  const proxy = proxyOf(proxyClass);
  return concernedBy(inputs, [proxy], { kind, namespace, name }).has(proxy);
};

describe("whom an object concerns", () => {
  it("is whose routes it makes, and not those that may not see it or obey another", () => {
    const client = sidecar(),
      neighbour = sidecar({ namespace: "other" });
    expect([
      at(client, "VirtualService", "default", "public"),
      at(neighbour, "VirtualService", "default", "public"),
    ]).toEqual([true, false]);
    expect([at(client, "VirtualService", "other", "home"), at(neighbour, "VirtualService", "other", "home")]).toEqual([
      false,
      true,
    ]);
  });

  it("is whom a policy selects", () => {
    expect(at(sidecar(), "AuthorizationPolicy", "default", "only-ratings")).toBe(false);
    expect(
      at(
        sidecar({ labels: { app: "ratings" }, workload: "ratings" }),
        "AuthorizationPolicy",
        "default",
        "only-ratings",
      ),
    ).toBe(true);
  });

  it("is nobody where there is no such object", () => {
    expect(at(sidecar(), "VirtualService", "default", "absent")).toBe(false);
  });
});

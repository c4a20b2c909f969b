import { describe, expect, it } from "vitest";
import { loadText } from "../store/load.ts";
import { fileOrigin } from "../model/origin.ts";
import type { ProxyClass } from "../translate/ir/proxy-class.ts";
import { judgeObjects, type MeshState } from "./judge-objects.ts";

const [web, api] = ["sidecar", "router"].map((kind) => ({ kind, namespace: "shop", labels: {} })) as unknown as [
  ProxyClass,
  ProxyClass,
];
const { world } = loadText(`
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: reviews, namespace: shop, generation: 3 }
spec: { hosts: [reviews], http: [{ route: [{ destination: { host: reviews } }] }] }
---
apiVersion: v1
kind: Service
metadata: { name: reviews, namespace: shop }
spec: { ports: [{ port: 80, name: http }] }
`);
const proxy = (name: string, of: ProxyClass | undefined, lacks?: string, isElsewhere = false) => ({
  ...{ name, class: of, lacks, isElsewhere },
});
const violation = (object: string, severity: "error" | "warning", message: string) => ({
  ...{ object, severity, message, field: "spec.hosts", origin: fileOrigin("x") },
});
const mesh = (more: Partial<MeshState> = {}): MeshState => ({
  ...{ world, violations: [], proxies: [], held: () => undefined },
  ...more,
});
const said = (state: MeshState) =>
  judgeObjects(state).map(
    ({ ref, status }) => `${ref.kind} ${status.conditions.map(({ type, message }) => `${type} ${message}`).join(", ")}`,
  );

describe("the status of objects", () => {
  it("counts the proxies whose class an object concerns, and those of which nothing is known", () => {
    const proxies = [
      ...[proxy("web-1.shop", web), proxy("web-2.shop", web, "has not acknowledged rds"), proxy("in-1.shop", api)],
      proxy("stranger.shop", undefined),
    ];
    expect(said(mesh({ proxies }))).toEqual([
      "VirtualService Accepted , Distributed 2 of 3 proxies; web-2.shop has not acknowledged rds",
    ]);
    expect(judgeObjects(mesh({ proxies }))[0]?.status.generation).toBe(3);
  });

  it("counts apart who is at other control planes, and does not wait for them", () => {
    const proxies = [proxy("web-1.shop", web), proxy("web-2.shop", web, "is not connected", true)];
    expect(said(mesh({ proxies }))).toEqual([
      "VirtualService Accepted , Distributed 1 of 1 proxy, 1 more at other control planes",
    ]);
  });

  it("is told of what is refused, whether or not an earlier version is in force, and of nobody else's kinds", () => {
    const violations = [
      violation("VirtualService/shop/reviews", "error", "is missing"),
      violation("VirtualService/shop/reviews", "warning", "is odd"),
      violation("Gateway/shop/edge", "error", "is missing"),
      violation("Service/shop/reviews", "error", "is missing"),
      violation("Gateway/shop/?", "error", "is missing"),
      violation("", "error", "is missing"),
    ];
    expect(said(mesh({ violations }))).toEqual([
      "VirtualService Accepted spec.hosts: is missing, Distributed concerns no proxy, of its last good version, " +
        "Rejected its last good version is served instead",
      "Gateway Accepted spec.hosts: is missing, Rejected nothing of it is in force",
    ]);
  });
});

import { describe, expect, it } from "vitest";
import { fileOrigin } from "../model/origin.ts";
import { loadText } from "../store/load.ts";
import { formatViolation } from "../validate/violation.ts";
import { createWrittenPlaces } from "./written-place.ts";

const { world } = loadText(
  `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web-v1, namespace: shop}
spec: {template: {metadata: {labels: {app: web}}}}
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: front, namespace: shop}
spec: {selector: {istio: edge}, servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ["*"]}]}
`,
  { file: "mesh/web.yaml" },
);
const told = (object: string, file = "/state/runtime/pods.yaml") => {
  const origin = fileOrigin(file);
  const violation = {
    severity: "error",
    origin,
    object,
    field: "spec.a",
    message: "is odd",
    servingLastGood: false,
  } as const;
  return formatViolation(createWrittenPlaces("/state/runtime")(world, violation));
};

describe("what is wrong with a pod that the runner describes", () => {
  it("is told of its Deployment, or of its gateway", () => {
    expect(told("Pod/shop/web-v1-0-x2b9f")).toBe(
      "mesh/web.yaml:2:1: error: Deployment/shop/web-v1: its pod web-v1-0-x2b9f: spec.a: is odd",
    );
    expect(told("Pod/istio-system/istio-edge-0-x2b9f")).toMatch(
      /^mesh\/web\.yaml:7:1: error: Gateway\/shop\/front: its pod istio-edge-0/,
    );
  });

  it("and of a Pod that people wrote, of that", () => {
    expect(told("Pod/shop/web-v1-0-x2b9f", "mesh/pods.yaml")).toMatch(/^mesh\/pods\.yaml.*Pod\/shop\/web-v1-0-x2b9f/);
  });
});

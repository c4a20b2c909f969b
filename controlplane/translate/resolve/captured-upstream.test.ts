import { describe, expect, it } from "vitest";
import { capturedUpstream } from "./captured-upstream.ts";
import { worldOf } from "./testing.ts";
import { serviceUpstreams } from "./upstream.ts";

const HOST = "web.default.svc.cluster.local";
const found = (algorithm: string) => {
  const world = worldOf(`
{apiVersion: v1, kind: Service, metadata: {name: web}, spec: {selector: {app: web}, ports: [{name: http, port: 80}]}}
---
{apiVersion: networking.istio.io/v1, kind: DestinationRule, metadata: {name: web}, spec: {host: web, trafficPolicy: {
  loadBalancer: {simple: ${algorithm}}}}}
`);
  const [upstream] = serviceUpstreams(world, "default", {}, HOST);
  if (upstream === undefined) throw new Error("no upstream");
  return [upstream.discovery.kind, capturedUpstream(world, "default", upstream).discovery.kind];
};

describe("PASSTHROUGH", () => {
  it("goes to the address that a captured client asked for; of others that name is all that is known", () => {
    expect(found("PASSTHROUGH")).toEqual(["endpoints", "original"]);
    expect(found("ROUND_ROBIN")).toEqual(["endpoints", "endpoints"]);
  });
});

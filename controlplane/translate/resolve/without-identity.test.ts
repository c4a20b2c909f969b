import { describe, expect, it } from "vitest";
import { createResourceEncoder } from "../../snapshot/encode.ts";
import type { ClassIr, InboundPort } from "../ir/proxy.ts";
import type { Upstream, UpstreamTls } from "../ir/upstream.ts";
import { emitProxy } from "../translate.ts";
import { proxyOf, sidecar } from "./testing.ts";
import { withoutIdentity } from "./without-identity.ts";

const upstream = (host: string, tls: UpstreamTls): Upstream => ({
  id: { direction: "outbound", port: 80, subset: "", host },
  discovery: {
    kind: "endpoints",
    endpoints: [{ address: "10.0.0.1", port: 80, weight: 1, meshTls: true, healthy: true }],
  },
  protocol: "http1",
  internal: true,
  anySource: false,
  loadBalancer: { kind: "roundRobin" },
  limits: { connectTimeoutMs: 1_000 },
  tls,
});
const inbound = (port: number, mtls: InboundPort["mtls"]): InboundPort => ({
  port,
  protocol: "tcp",
  mtls,
  filters: { pluginsAuthn: [], pluginsAuthz: [], pluginsStats: [], pluginsUnspecified: [] },
});
const mesh = { identities: [], sni: "" };
const ir: ClassIr = {
  upstreams: [
    upstream("auto", { mode: "auto", ...mesh }),
    upstream("mesh", { mode: "mesh", ...mesh }),
    upstream("plain", { mode: "none" }),
  ],
  routeTables: [],
  inbound: [inbound(1, "STRICT"), inbound(2, "PERMISSIVE"), inbound(3, "DISABLE")],
  gatewayPorts: [],
  trustDomains: "cluster.local",
  requestForm: { pathNormalization: "BASE", headersWithUnderscoresAction: "ALLOW" },
  detectionTimeoutMs: 1_000,
  notes: [],
};

const ports = [1, 2, 3].map((port) => ({ port, name: "", boundPort: port, isServed: true }));
const own = proxyOf(sidecar({ ports }), "10.0.0.2");

describe("a proxy without an identity", () => {
  it("is told of no secret", () => {
    const namedSecrets = (of: ClassIr) =>
      Object.values(createResourceEncoder().encodeResources("c", emitProxy({ shared: of, own })).maps)
        .flatMap((map) => [...map.values()])
        .flatMap(({ references }) => references.filter(({ kind }) => kind === "secrets"));
    expect(namedSecrets(ir)).not.toEqual([]);
    expect(namedSecrets(withoutIdentity(ir))).toEqual([]);
  });

  it("speaks plaintext where both are allowed, and reaches and serves nothing that must be encrypted", () => {
    const plain = withoutIdentity(ir);
    expect(plain.upstreams.map(({ id, tls, discovery }) => [id.host, tls.mode, discovery.kind])).toEqual([
      ["auto", "none", "endpoints"],
      ["mesh", "none", "none"],
      ["plain", "none", "endpoints"],
    ]);
    expect(plain.inbound.map(({ port, mtls }) => [port, mtls])).toEqual([
      [2, "DISABLE"],
      [3, "DISABLE"],
    ]);
  });

  it("is given the same objects for the same ones", () => {
    expect(withoutIdentity({ ...ir, routeTables: [] }).upstreams).toBe(withoutIdentity(ir).upstreams);
  });
});

// What is left for a proxy that can have no certificate: nothing that would wait for one, and nothing in plaintext that
// was to be encrypted.
import type { GatewayPort } from "../ir/gateway.ts";
import type { CapturedInbound, InboundTraffic, ClassIr } from "../ir/proxy.ts";
import type { Upstream } from "../ir/upstream.ts";
import { memoized } from "../../world/memo.ts";

/**
 * Returns the IR of proxies to which no secret is ever given. Where mutual TLS is spoken if both sides can, they speak
 * plaintext; what must be encrypted they do not reach (503) and do not serve: ports under STRICT and a gateway's
 * HTTPS ports are not there.
 */
export const withoutIdentity = memoized(
  (ir: ClassIr): ClassIr => ({
    ...ir,
    upstreams: plainUpstreams(ir.upstreams),
    inbound: plainInbound(ir.inbound),
    capturedInbound: ir.capturedInbound && plainCaptured(ir.capturedInbound),
    gatewayPorts: plainPorts(ir.gatewayPorts),
  }),
);

const plainUpstreams = memoized((upstreams: readonly Upstream[]): readonly Upstream[] => upstreams.map(plainUpstream));

const plainUpstream = memoized((upstream: Upstream): Upstream => {
  switch (upstream.tls.mode) {
    case "auto":
      return { ...upstream, tls: { mode: "none" } };
    case "mesh":
      return { ...upstream, tls: { mode: "none" }, discovery: { kind: "none" } };
    default:
      return upstream;
  }
});

const plainInbound = memoized(withoutMtls);
const plainCaptured = memoized(
  (captured: CapturedInbound): CapturedInbound => ({ ...captured, undeclared: withoutMtls(captured.undeclared) }),
);

function withoutMtls<P extends InboundTraffic>(ports: readonly P[]): readonly P[] {
  return ports.filter(({ mtls }) => mtls !== "STRICT").map((port) => ({ ...port, mtls: "DISABLE" }));
}

/** What is passed on needs no certificate of the gateway's. */
const plainPorts = memoized((ports: readonly GatewayPort[]): readonly GatewayPort[] =>
  ports
    .map((port) => ({ ...port, chains: port.chains.filter(({ tls }) => tls === undefined) }))
    .filter(({ chains }) => chains.length > 0),
);

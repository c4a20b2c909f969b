// What is left for a proxy that can have no certificate: nothing that would wait for one, and nothing in plaintext that
// was to be encrypted.
import type { GatewayPort, InboundPort, ProxyIr } from "../ir/proxy.ts";
import type { Upstream } from "../ir/upstream.ts";
import { memoized } from "../../world/memo.ts";

/**
 * Returns the IR of a proxy to which no secret is ever given. Where mutual TLS is spoken if both sides can, it speaks
 * plaintext; what must be encrypted it does not reach (503) and does not serve: ports under STRICT and a gateway's
 * HTTPS ports are not there.
 */
export const withoutIdentity = memoized(
  (ir: ProxyIr): ProxyIr => ({
    ...ir,
    upstreams: plainUpstreams(ir.upstreams),
    inbound: plainInbound(ir.inbound),
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

const plainInbound = memoized((ports: readonly InboundPort[]): readonly InboundPort[] =>
  ports.filter(({ mtls }) => mtls !== "STRICT").map((port) => ({ ...port, mtls: "DISABLE" })),
);

const plainPorts = memoized((ports: readonly GatewayPort[]): readonly GatewayPort[] =>
  ports.filter(({ kind }) => kind.protocol === "HTTP"),
);

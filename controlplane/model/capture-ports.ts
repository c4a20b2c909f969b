// The ports of a captured sidecar, Istio's numbers, and its mark: what its listeners and the rules of capture agree on.

/** What leaves the pod is led here. */
export const VIRTUAL_OUTBOUND_PORT = 15_001;
/** What comes to the pod is led here. */
export const VIRTUAL_INBOUND_PORT = 15_006;
/** Whether the sidecar is ready, for anybody to ask. */
export const READINESS_PORT = 15_021;
/** Its statistics, for Prometheus. */
export const STATISTICS_PORT = 15_090;
/** Envoy's own pages, on loopback. */
export const ENVOY_PAGES_PORT = 15_000;
/** What programs ask resolvers by UDP is led here. */
export const DNS_PORT = 15_053;

/** What is the sidecar's alone: no Service can lead to an application there. */
export const SIDECAR_PORTS: readonly number[] = [
  ENVOY_PAGES_PORT,
  VIRTUAL_OUTBOUND_PORT,
  VIRTUAL_INBOUND_PORT,
  READINESS_PORT,
  DNS_PORT,
  STATISTICS_PORT,
];

/** The mark of packets that a proxy sends in a caller's name (TPROXY): rules lead them, and what answers, to it. */
export const TPROXY_MARK = 1337;

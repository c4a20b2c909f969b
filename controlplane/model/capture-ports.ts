// The ports of a captured sidecar, Istio's numbers: where rules lead connections, and what must never be led there.

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

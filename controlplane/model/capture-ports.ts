// The ports of a captured sidecar, Istio's numbers: where rules lead connections, and what must never be led there.

/** What leaves the pod is led here. */
export const VIRTUAL_OUTBOUND_PORT = 15_001;
/** What comes to the pod is led here. */
export const VIRTUAL_INBOUND_PORT = 15_006;

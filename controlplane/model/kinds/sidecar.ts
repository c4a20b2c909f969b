// Sidecar: which part of the mesh a workload's proxy is told about.
// Field facts: https://istio.io/latest/docs/reference/config/networking/sidecar/
import { anyText, choice, fields, integer, labelMap, listOf, opt, type SpecFrom, text } from "../schema.ts";
import { connectionPool } from "./destination-rule.ts";
import { serverTls } from "./gateway.ts";
import { destination } from "./virtual-service.ts";

const listenerPort = fields({
  number: opt(integer(0, 65_535)),
  protocol: opt(anyText()),
  name: opt(anyText()),
  /** Deprecated by Istio, which refuses it. */
  targetPort: opt(integer()),
});
const captureMode = choice(["DEFAULT", "IPTABLES", "NONE"]);

const ingress = fields({
  port: listenerPort,
  /** These four: of captured pods. */
  bind: opt(anyText()),
  captureMode: opt(captureMode),
  defaultEndpoint: opt(anyText()),
  tls: opt(serverTls),
  connectionPool: opt(connectionPool),
});

const egress = fields({
  port: opt(listenerPort),
  /** These two: of captured pods. */
  bind: opt(anyText()),
  captureMode: opt(captureMode),
  hosts: listOf(text(), 1),
});

/** The schema of a Sidecar's spec. */
export const sidecarSchema = fields({
  workloadSelector: opt(fields({ labels: opt(labelMap()) })),
  ingress: opt(listOf(ingress)),
  egress: opt(listOf(egress)),
  inboundConnectionPool: opt(connectionPool),
  outboundTrafficPolicy: opt(
    fields({ mode: opt(choice(["REGISTRY_ONLY", "ALLOW_ANY"])), egressProxy: opt(destination) }),
  ),
});

export type SidecarEgressSpec = SpecFrom<typeof egress>;
export type SidecarIngressSpec = SpecFrom<typeof ingress>;
export type SidecarSpec = SpecFrom<typeof sidecarSchema>;

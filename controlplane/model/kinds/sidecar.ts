// Sidecar: which part of the mesh a workload's proxy is told about.
// Field facts: https://istio.io/latest/docs/reference/config/networking/sidecar/
import {
  anyText,
  choice,
  fields,
  integer,
  labelMap,
  listOf,
  noEffect,
  notYet,
  opt,
  type SpecFrom,
  text,
} from "../schema.ts";
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
  bind: noEffect(anyText(), "connections to any address of the pod are taken"),
  captureMode: noEffect(captureMode, "the pod says how its connections come to its sidecar"),
  /** Of captured pods. */
  defaultEndpoint: opt(anyText()),
  tls: noEffect(serverTls, "the application ends TLS by itself"),
  connectionPool: opt(connectionPool),
});

/** The schema of a Sidecar's spec. */
export const sidecarSchema = fields({
  workloadSelector: opt(fields({ labels: opt(labelMap()) })),
  ingress: opt(listOf(ingress)),
  egress: opt(
    listOf(
      fields({
        port: noEffect(listenerPort, "the hosts are known at every port"),
        bind: noEffect(anyText(), "the proxy's own address is listened on"),
        captureMode: noEffect(captureMode, "the pod says how its connections come to its sidecar"),
        hosts: listOf(text(), 1),
      }),
    ),
  ),
  inboundConnectionPool: opt(connectionPool),
  outboundTrafficPolicy: opt(
    fields({ mode: opt(choice(["REGISTRY_ONLY", "ALLOW_ANY"])), egressProxy: notYet(destination) }),
  ),
});

export type SidecarIngressSpec = SpecFrom<typeof ingress>;
export type SidecarSpec = SpecFrom<typeof sidecarSchema>;

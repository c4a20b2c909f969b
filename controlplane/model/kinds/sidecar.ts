// Sidecar: which part of the mesh a workload's proxy is told about.
// Field facts: https://istio.io/latest/docs/reference/config/networking/sidecar/
import { choice, fields, labelMap, listOf, opt, type SpecFrom, text } from "../schema.ts";

/** The schema of a Sidecar's spec. */
export const sidecarSchema = fields(
  {
    workloadSelector: opt(fields({ labels: opt(labelMap()) })),
    egress: opt(listOf(fields({ hosts: listOf(text(), 1) }, { notYet: ["port", "bind", "captureMode"] }))),
    outboundTrafficPolicy: opt(
      fields({ mode: opt(choice(["REGISTRY_ONLY", "ALLOW_ANY"])) }, { notYet: ["egressProxy"] }),
    ),
  },
  { notYet: ["ingress", "inboundConnectionPool"] },
);

export type SidecarSpec = SpecFrom<typeof sidecarSchema>;

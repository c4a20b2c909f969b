// WorkloadEntry: one workload that is no pod, such as a virtual machine. WorkloadGroup: what several of them share.
// Field facts: https://istio.io/latest/docs/reference/config/networking/workload-entry/
import {
  anyText,
  choice,
  fields,
  integer,
  labelMap,
  listOf,
  mapOf,
  noEffect,
  openFields,
  opt,
  port,
  type SpecFrom,
  text,
} from "../schema.ts";

const workloadFields = {
  /** An IP address, a name to look up, or `unix://` and the path of a socket. */
  address: opt(text()),
  /** By the names of the ports of who selects it. */
  ports: opt(mapOf(port())),
  labels: opt(labelMap()),
  weight: opt(integer()),
  serviceAccount: opt(anyText()),
  /** Reached as any other: it is a label, by which subsets choose. */
  network: opt(anyText()),
  /** `region/zone/subzone`, or less of it from the left. */
  locality: opt(anyText()),
};

/** The schema of a workload as a ServiceEntry's endpoint. */
export const workloadEndpoint = fields(workloadFields);

const status = openFields({
  conditions: opt(listOf(openFields({ type: opt(text()), status: opt(text()) }))),
});

/** The schema of a WorkloadEntry: its spec's fields and `status` beside them. */
export const workloadEntrySchema = fields({ ...workloadFields, status: opt(status) });

/** Nobody registers: a proxy that joins the mesh makes no WorkloadEntry of itself. */
const BY_HAND = "workloads do not register themselves: write a WorkloadEntry for each";

const httpHeader = fields({ name: opt(anyText()), value: opt(anyText()) });
const probe = fields(
  {
    initialDelaySeconds: opt(integer()),
    timeoutSeconds: opt(integer()),
    periodSeconds: opt(integer()),
    successThreshold: opt(integer()),
    failureThreshold: opt(integer()),
    httpGet: opt(
      fields({
        path: opt(anyText()),
        port: port(),
        host: opt(anyText()),
        scheme: opt(choice(["HTTP", "HTTPS"], { emptyIsUnset: true })),
        httpHeaders: opt(listOf(httpHeader)),
      }),
    ),
    tcpSocket: opt(fields({ host: opt(anyText()), port: port() })),
    exec: opt(fields({ command: listOf(text(), 1) })),
    grpc: opt(fields({ port: port(), service: opt(anyText()) })),
  },
  { atMostOneOf: ["httpGet", "tcpSocket", "exec", "grpc"] },
);

/** The schema of a WorkloadGroup's spec. */
export const workloadGroupSchema = fields({
  metadata: noEffect(fields({ labels: opt(labelMap()), annotations: opt(mapOf(anyText())) }), BY_HAND),
  template: noEffect(workloadEndpoint, BY_HAND),
  probe: noEffect(probe, BY_HAND),
});

export type WorkloadEndpointSpec = SpecFrom<typeof workloadEndpoint>;
export type WorkloadEntrySpec = SpecFrom<typeof workloadEntrySchema>;
export type WorkloadGroupSpec = SpecFrom<typeof workloadGroupSchema>;

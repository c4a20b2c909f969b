// ServiceEntry: a service the mesh should know that Kubernetes does not.
// Field facts: https://istio.io/latest/docs/reference/config/networking/service-entry/
import {
  anyText,
  choice,
  exportTo,
  fields,
  integer,
  ipBlock,
  labelMap,
  listOf,
  mapOf,
  noEffect,
  opt,
  port,
  type SpecFrom,
  text,
} from "../schema.ts";

const endpoint = fields({
  address: opt(text()),
  ports: opt(mapOf(port())),
  labels: opt(labelMap()),
  weight: opt(integer()),
  serviceAccount: opt(anyText()),
  network: noEffect(text()),
  /** `region/zone/subzone`, or less of it from the left. */
  locality: opt(anyText()),
});

const servicePort = fields({
  number: port(),
  name: text(),
  protocol: opt(
    choice(["HTTP", "HTTPS", "HTTP2", "GRPC", "GRPC-WEB", "TCP", "TLS", "MONGO", "MYSQL", "REDIS"], {
      anyCase: true,
      notYet: ["UDP"],
      emptyIsUnset: true,
    }),
  ),
  targetPort: opt(port()),
});

/** The schema of a ServiceEntry's spec. */
export const serviceEntrySchema = fields({
  hosts: listOf(text(), 1),
  addresses: opt(listOf(ipBlock())),
  ports: opt(listOf(servicePort)),
  location: opt(choice(["MESH_EXTERNAL", "MESH_INTERNAL"])),
  resolution: opt(choice(["NONE", "STATIC", "DNS", "DNS_ROUND_ROBIN"], { notYet: ["DYNAMIC_DNS"] })),
  endpoints: opt(listOf(endpoint)),
  exportTo: opt(exportTo()),
  workloadSelector: noEffect(
    fields({ labels: opt(labelMap()) }),
    "pods are not looked up: the hosts have no endpoints",
  ),
  subjectAltNames: noEffect(listOf(text())),
});

export type ServiceEntrySpec = SpecFrom<typeof serviceEntrySchema>;
export type ServiceEntryPortSpec = SpecFrom<typeof servicePort>;
export type ServiceEntryEndpointSpec = SpecFrom<typeof endpoint>;

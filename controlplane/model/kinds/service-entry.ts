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
  opt,
  port,
  type SpecFrom,
  text,
} from "../schema.ts";

const endpoint = fields(
  {
    address: opt(text()),
    ports: opt(mapOf(port())),
    labels: opt(labelMap()),
    weight: opt(integer()),
    serviceAccount: opt(anyText()),
    network: opt(text()),
  },
  { noEffect: ["locality"] },
);

const servicePort = fields({
  number: port(),
  name: text(),
  protocol: opt(
    choice(["HTTP", "HTTPS", "HTTP2", "GRPC", "TCP", "TLS"], {
      anyCase: true,
      notYet: ["GRPC-WEB", "MONGO", "MYSQL", "REDIS", "UDP"],
      emptyIsUnset: true,
    }),
  ),
  targetPort: opt(port()),
});

/** The schema of a ServiceEntry's spec. */
export const serviceEntrySchema = fields(
  {
    hosts: listOf(text(), 1),
    addresses: opt(listOf(ipBlock())),
    ports: opt(listOf(servicePort)),
    location: opt(choice(["MESH_EXTERNAL", "MESH_INTERNAL"])),
    resolution: opt(choice(["NONE", "STATIC", "DNS"], { notYet: ["DNS_ROUND_ROBIN", "DYNAMIC_DNS"] })),
    endpoints: opt(listOf(endpoint)),
    exportTo: opt(exportTo()),
  },
  { notYet: ["workloadSelector"], noEffect: ["subjectAltNames"] },
);

export type ServiceEntrySpec = SpecFrom<typeof serviceEntrySchema>;
export type ServiceEntryPortSpec = SpecFrom<typeof servicePort>;
export type ServiceEntryEndpointSpec = SpecFrom<typeof endpoint>;

// ServiceEntry: a service the mesh should know that Kubernetes does not.
// Field facts: https://istio.io/latest/docs/reference/config/networking/service-entry/
import { choice, exportTo, fields, ipBlock, labelMap, listOf, opt, port, type SpecFrom, text } from "../schema.ts";
import { workloadEndpoint } from "./workload-entry.ts";

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
  resolution: opt(choice(["NONE", "STATIC", "DNS", "DNS_ROUND_ROBIN", "DYNAMIC_DNS"])),
  endpoints: opt(listOf(workloadEndpoint)),
  exportTo: opt(exportTo()),
  /** Which pods and WorkloadEntries of its namespace are the endpoints. */
  workloadSelector: opt(fields({ labels: opt(labelMap()) })),
  subjectAltNames: opt(listOf(text())),
});

export type ServiceEntrySpec = SpecFrom<typeof serviceEntrySchema>;
export type ServiceEntryPortSpec = SpecFrom<typeof servicePort>;

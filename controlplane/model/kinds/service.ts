// Service and EndpointSlice: what Kubernetes knows of services. Of these kinds only what the mesh reads is described.
import {
  anyText,
  flag,
  integer,
  labelMap,
  listOf,
  openFields,
  opt,
  port,
  portOrName,
  type SpecFrom,
  text,
} from "../schema.ts";

const servicePort = openFields({
  name: opt(anyText()),
  protocol: opt(text()),
  port: port(),
  targetPort: opt(portOrName()),
  appProtocol: opt(text()),
});

/** The schema of a Service's spec. */
export const serviceSchema = openFields({
  selector: opt(labelMap()),
  ports: opt(listOf(servicePort)),
  clusterIP: opt(anyText()),
  type: opt(text()),
  externalName: opt(anyText()),
  publishNotReadyAddresses: opt(flag()),
});

const endpoint = openFields({
  addresses: listOf(text()),
  conditions: opt(openFields({ ready: opt(flag()), terminating: opt(flag()) })),
});

/** The schema of an EndpointSlice's top-level fields. Its service is the label `kubernetes.io/service-name`. */
export const endpointSliceSchema = openFields({
  addressType: opt(text()),
  endpoints: opt(listOf(endpoint)),
  ports: opt(
    listOf(
      openFields({
        name: opt(anyText()),
        port: opt(integer(1, 65_535)),
      }),
    ),
  ),
});

export type ServiceSpec = SpecFrom<typeof serviceSchema>;
export type ServicePortSpec = SpecFrom<typeof servicePort>;
export type EndpointSliceSpec = SpecFrom<typeof endpointSliceSchema>;

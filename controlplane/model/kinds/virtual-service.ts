// VirtualService: how requests to a host are routed.
// Field facts: https://istio.io/latest/docs/reference/config/networking/virtual-service/
import {
  anyText,
  choice,
  duration,
  exportTo,
  fields,
  flag,
  headerText,
  integer,
  ipBlock,
  labelMap,
  listOf,
  mapOf,
  noEffect,
  notYet,
  number,
  opt,
  port,
  presenceOrStringMatch,
  regex,
  type SpecFrom,
  stringMatch,
  text,
} from "../schema.ts";

/** Where a request goes. */
export const destination = fields({ host: text(), subset: opt(text()), port: opt(fields({ number: port() })) });

const headerOperation = fields({
  set: opt(mapOf(headerText())),
  add: opt(mapOf(headerText())),
  remove: opt(listOf(text())),
});
const headerOperations = fields({ request: opt(headerOperation), response: opt(headerOperation) });

const percentage = fields({ value: opt(number(0, 100)) });

const match = fields({
  name: opt(anyText()),
  uri: opt(stringMatch),
  scheme: opt(stringMatch),
  method: opt(stringMatch),
  authority: opt(stringMatch),
  headers: opt(mapOf(presenceOrStringMatch)),
  withoutHeaders: opt(mapOf(presenceOrStringMatch)),
  queryParams: opt(mapOf(presenceOrStringMatch)),
  port: opt(port()),
  sourceLabels: opt(labelMap()),
  sourceNamespace: opt(text()),
  gateways: opt(listOf(text())),
  ignoreUriCase: opt(flag()),
  statPrefix: opt(anyText()),
});

const routeDestination = fields({
  destination,
  weight: opt(integer(0, 2_147_483_647)),
  headers: opt(headerOperations),
});

const redirect = fields(
  {
    uri: opt(headerText(1)),
    /** In place of the prefix that the match took. */
    prefixRewrite: opt(headerText(1)),
    authority: opt(headerText(1)),
    port: opt(port()),
    derivePort: opt(choice(["FROM_PROTOCOL_DEFAULT", "FROM_REQUEST_PORT"])),
    scheme: opt(choice(["http", "https"])),
    redirectCode: opt(integer(301, 308)),
  },
  { atMostOneOf: ["port", "derivePort"] },
);

const directResponse = fields({
  status: integer(200, 599),
  body: opt(fields({ string: opt(anyText()), bytes: opt(anyText()) }, { oneOf: ["string", "bytes"] })),
});

/** How often and when a request is sent again. */
export const retries = fields({
  attempts: opt(integer(0, 1_000)),
  perTryTimeout: opt(duration(0)),
  retryOn: opt(headerText()),
  retryIgnorePreviousHosts: opt(flag()),
  backoff: opt(duration()),
  retryRemoteLocalities: opt(flag()),
});

const fault = fields({
  delay: opt(
    fields({
      fixedDelay: duration(),
      percentage: opt(percentage),
      percent: opt(integer(0, 100)),
      exponentialDelay: notYet(duration()),
    }),
  ),
  abort: opt(
    fields(
      {
        httpStatus: opt(integer(200, 600)),
        grpcStatus: opt(text()),
        http2Error: notYet(text()),
        percentage: opt(percentage),
      },
      { oneOf: ["httpStatus", "grpcStatus", "http2Error"] },
    ),
  ),
});

/** `uriRegexRewrite.rewrite` may name groups of the match: `\\1`. */
const rewrite = fields(
  {
    uri: opt(headerText(1)),
    authority: opt(headerText(1)),
    uriRegexRewrite: opt(fields({ match: regex(), rewrite: headerText(1) })),
  },
  { atMostOneOf: ["uri", "uriRegexRewrite"] },
);

const corsPolicy = fields({
  /** Deprecated by Istio in favour of allowOrigins, still served: each is exact, or `*`. */
  allowOrigin: opt(listOf(anyText())),
  allowOrigins: opt(listOf(stringMatch)),
  allowMethods: opt(listOf(text())),
  allowHeaders: opt(listOf(text())),
  exposeHeaders: opt(listOf(text())),
  maxAge: opt(duration()),
  allowCredentials: opt(flag()),
  unmatchedPreflights: opt(choice(["UNSPECIFIED", "FORWARD", "IGNORE"])),
});

const connectionMatch = {
  destinationSubnets: opt(listOf(ipBlock())),
  port: opt(port()),
  sourceLabels: opt(labelMap()),
  gateways: opt(listOf(text())),
  sourceNamespace: opt(text()),
};
const connectionDestination = fields({ destination, weight: opt(integer(0, 2_147_483_647)) });
const tlsRoute = fields({
  match: listOf(fields({ sniHosts: listOf(text(), 1), ...connectionMatch }), 1),
  route: listOf(connectionDestination, 1),
});
const tcpRoute = fields({
  match: opt(
    listOf(fields({ ...connectionMatch, sourceSubnet: noEffect(ipBlock(), "clients are told by their labels") })),
  ),
  route: listOf(connectionDestination, 1),
});

const httpRoute = fields({
  name: opt(anyText()),
  match: opt(listOf(match)),
  route: opt(listOf(routeDestination)),
  redirect: opt(redirect),
  directResponse: opt(directResponse),
  /** Whose routes stand in this one's place: a VirtualService without hosts. */
  delegate: opt(fields({ name: text(), namespace: opt(text()) })),
  rewrite: opt(rewrite),
  timeout: opt(duration(0)),
  retries: opt(retries),
  fault: opt(fault),
  mirror: opt(destination),
  mirrors: opt(listOf(fields({ destination, percentage: opt(percentage) }))),
  mirrorPercentage: opt(percentage),
  /** Deprecated by Istio in favour of mirrorPercentage, still served. */
  mirrorPercent: opt(integer(0, 100)),
  headers: opt(headerOperations),
  corsPolicy: opt(corsPolicy),
});

/** The schema of a VirtualService's spec. */
export const virtualServiceSchema = fields({
  /** None in one that others delegate to. */
  hosts: opt(listOf(text())),
  gateways: opt(listOf(text())),
  http: opt(listOf(httpRoute)),
  exportTo: opt(exportTo()),
  tls: opt(listOf(tlsRoute)),
  tcp: opt(listOf(tcpRoute)),
});

export type VirtualServiceSpec = SpecFrom<typeof virtualServiceSchema>;
export type HttpRouteSpec = SpecFrom<typeof httpRoute>;
export type HttpMatchSpec = SpecFrom<typeof match>;
export type RouteDestinationSpec = SpecFrom<typeof routeDestination>;
export type TcpRouteSpec = SpecFrom<typeof tcpRoute>;
export type ConnectionMatchSpec = NonNullable<TcpRouteSpec["match"]>[number];
export type CorsPolicySpec = SpecFrom<typeof corsPolicy>;
export type DestinationSpec = SpecFrom<typeof destination>;
export type HeaderOperationsSpec = SpecFrom<typeof headerOperations>;
export type RetriesSpec = SpecFrom<typeof retries>;
export type FaultSpec = SpecFrom<typeof fault>;

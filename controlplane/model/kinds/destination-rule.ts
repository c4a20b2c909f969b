// DestinationRule: how to talk to a host's workloads once a route has chosen it.
// Field facts: https://istio.io/latest/docs/reference/config/networking/destination-rule/
import {
  anyText,
  choice,
  duration,
  exportTo,
  fields,
  flag,
  integer,
  labelMap,
  listOf,
  opt,
  port,
  type SpecFrom,
  text,
} from "../schema.ts";

const loadBalancer = fields(
  {
    simple: opt(choice(["UNSPECIFIED", "LEAST_CONN", "RANDOM", "PASSTHROUGH", "ROUND_ROBIN", "LEAST_REQUEST"])),
    consistentHash: opt(
      fields(
        {
          httpHeaderName: opt(text()),
          httpCookie: opt(
            fields({ name: text(), path: opt(anyText()), ttl: opt(duration(0)) }, { notYet: ["attributes"] }),
          ),
          useSourceIp: opt(flag()),
          httpQueryParameterName: opt(text()),
          ringHash: opt(fields({ minimumRingSize: opt(integer(0, 8_388_608)) })),
          maglev: opt(fields({ tableSize: opt(integer(0, 5_000_011)) })),
          /** Deprecated by Istio in favour of ringHash.minimumRingSize, still served. */
          minimumRingSize: opt(integer(0, 8_388_608)),
        },
        {
          oneOf: ["httpHeaderName", "httpCookie", "useSourceIp", "httpQueryParameterName"],
          atMostOneOf: ["ringHash", "maglev"],
        },
      ),
    ),
  },
  {
    atMostOneOf: ["simple", "consistentHash"],
    noEffect: ["localityLbSetting", "zoneAwareLbSetting", "warmup", "warmupDurationSecs"],
  },
);

const connectionPool = fields(
  {
    tcp: opt(
      fields({
        maxConnections: opt(integer(0, 2_147_483_647)),
        connectTimeout: opt(duration()),
        tcpKeepalive: opt(
          fields({ probes: opt(integer()), time: opt(duration(1_000)), interval: opt(duration(1_000)) }),
        ),
        maxConnectionDuration: opt(duration()),
        idleTimeout: opt(duration(0)),
      }),
    ),
    http: opt(
      fields({
        http1MaxPendingRequests: opt(integer(0, 2_147_483_647)),
        http2MaxRequests: opt(integer(0, 2_147_483_647)),
        maxRequestsPerConnection: opt(integer(0, 2_147_483_647)),
        maxRetries: opt(integer(0, 2_147_483_647)),
        idleTimeout: opt(duration(0)),
        h2UpgradePolicy: opt(choice(["DEFAULT", "DO_NOT_UPGRADE", "UPGRADE"])),
        useClientProtocol: opt(flag()),
        maxConcurrentStreams: opt(integer(0, 2_147_483_647)),
        http2KeepAlive: opt(fields({ interval: opt(duration()), timeout: opt(duration()) })),
      }),
    ),
  },
  { notEmpty: true },
);

const outlierDetection = fields({
  /** Deprecated by Istio in favour of consecutive5xxErrors, still served (it counts gateway errors). */
  consecutiveErrors: opt(integer(0, 2_147_483_647)),
  splitExternalLocalOriginErrors: opt(flag()),
  consecutiveLocalOriginFailures: opt(integer()),
  consecutiveGatewayErrors: opt(integer()),
  consecutive5xxErrors: opt(integer()),
  interval: opt(duration()),
  baseEjectionTime: opt(duration()),
  maxEjectionPercent: opt(integer(0, 100)),
  minHealthPercent: opt(integer(0, 100)),
});

const tls = fields(
  {
    mode: opt(choice(["DISABLE", "SIMPLE", "MUTUAL", "ISTIO_MUTUAL"])),
    clientCertificate: opt(text()),
    privateKey: opt(text()),
    caCertificates: opt(text()),
    subjectAltNames: opt(listOf(text())),
    sni: opt(text()),
    insecureSkipVerify: opt(flag()),
  },
  { notYet: ["credentialName", "caCrl"] },
);

const portPolicy = fields({
  port: fields({ number: port() }),
  loadBalancer: opt(loadBalancer),
  connectionPool: opt(connectionPool),
  outlierDetection: opt(outlierDetection),
  tls: opt(tls),
});

const trafficPolicy = fields(
  {
    loadBalancer: opt(loadBalancer),
    connectionPool: opt(connectionPool),
    outlierDetection: opt(outlierDetection),
    tls: opt(tls),
    portLevelSettings: opt(listOf(portPolicy)),
  },
  { notYet: ["tunnel", "proxyProtocol"], noEffect: ["retryBudget"] },
);

const subset = fields({ name: text(), labels: opt(labelMap()), trafficPolicy: opt(trafficPolicy) });

/** The schema of a DestinationRule's spec, after the aliases of validate/aliases.ts were rewritten. */
export const destinationRuleSchema = fields(
  {
    host: text(),
    trafficPolicy: opt(trafficPolicy),
    subsets: opt(listOf(subset)),
    exportTo: opt(exportTo()),
  },
  { notYet: ["workloadSelector"] },
);

export type DestinationRuleSpec = SpecFrom<typeof destinationRuleSchema>;
export type TrafficPolicySpec = SpecFrom<typeof trafficPolicy>;
export type SubsetSpec = SpecFrom<typeof subset>;
export type LoadBalancerSpec = SpecFrom<typeof loadBalancer>;
export type ConnectionPoolSpec = SpecFrom<typeof connectionPool>;
export type OutlierDetectionSpec = SpecFrom<typeof outlierDetection>;
export type ClientTlsSpec = SpecFrom<typeof tls>;

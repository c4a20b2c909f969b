// DestinationRule: how to talk to a host's workloads once a route has chosen it.
// Field facts: https://istio.io/latest/docs/reference/config/networking/destination-rule/
import {
  anyText,
  choice,
  duration,
  exportTo,
  fields,
  flag,
  headerText,
  integer,
  labelMap,
  listOf,
  mapOf,
  matchLabelsSelector,
  noEffect,
  notYet,
  number,
  opt,
  port,
  type SpecFrom,
  text,
} from "../schema.ts";

const failover = {
  failover: opt(listOf(fields({ from: opt(anyText()), to: opt(anyText()) }))),
  failoverPriority: opt(listOf(text())),
  enabled: opt(flag()),
};

/** Which localities requests of a locality go to, and in which order. */
export const localityLbSetting = fields({
  distribute: opt(listOf(fields({ from: opt(anyText()), to: opt(mapOf(integer())) }))),
  ...failover,
});

/** How many requests stay in the zone they come from. */
export const zoneAwareLbSetting = fields({ ...failover, minClusterSize: opt(integer()) });

const loadBalancer = fields(
  {
    simple: opt(choice(["UNSPECIFIED", "LEAST_CONN", "RANDOM", "PASSTHROUGH", "ROUND_ROBIN", "LEAST_REQUEST"])),
    consistentHash: opt(
      fields(
        {
          httpHeaderName: opt(text()),
          httpCookie: opt(
            fields({
              name: text(),
              path: opt(anyText()),
              ttl: opt(duration(0)),
              attributes: opt(listOf(fields({ name: text(), value: opt(headerText()) }))),
            }),
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
    localityLbSetting: opt(localityLbSetting),
    zoneAwareLbSetting: opt(zoneAwareLbSetting),
    warmup: opt(
      fields({
        duration: duration(),
        minimumPercent: opt(number(0, 100)),
        aggression: opt(number(1, Number.MAX_SAFE_INTEGER)),
      }),
    ),
    /** Deprecated by Istio in favour of warmup, still served. */
    warmupDurationSecs: opt(duration()),
  },
  { atMostOneOf: ["simple", "consistentHash"] },
);

/** Probes of idle connections. */
export const tcpKeepalive = fields({
  probes: opt(integer()),
  time: opt(duration(1_000)),
  interval: opt(duration(1_000)),
});

/** How many connections and requests a host takes. */
export const connectionPool = fields(
  {
    tcp: opt(
      fields({
        maxConnections: opt(integer(0, 2_147_483_647)),
        connectTimeout: opt(duration()),
        tcpKeepalive: opt(tcpKeepalive),
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
        http2KeepAlive: opt(fields({ interval: duration(), timeout: duration() })),
      }),
    ),
  },
  { notEmpty: true },
);

/** When an endpoint is given a rest. */
export const outlierDetection = fields({
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
  /** Answers that count as errors, in place of all that begin with 5. */
  outlierDetectionHttpErrorCodes: opt(listOf(integer(200, 599))),
});

/** How TLS connections are begun. */
export const clientTls = fields({
  mode: opt(choice(["DISABLE", "SIMPLE", "MUTUAL", "ISTIO_MUTUAL"])),
  clientCertificate: opt(text()),
  privateKey: opt(text()),
  caCertificates: opt(text()),
  subjectAltNames: opt(listOf(text())),
  sni: opt(text()),
  insecureSkipVerify: opt(flag()),
  credentialName: opt(text()),
  caCrl: opt(text()),
});

const portPolicy = fields({
  port: fields({ number: port() }),
  loadBalancer: opt(loadBalancer),
  connectionPool: opt(connectionPool),
  outlierDetection: opt(outlierDetection),
  tls: opt(clientTls),
});

const trafficPolicy = fields({
  loadBalancer: opt(loadBalancer),
  connectionPool: opt(connectionPool),
  outlierDetection: opt(outlierDetection),
  tls: opt(clientTls),
  portLevelSettings: opt(listOf(portPolicy)),
  tunnel: notYet(fields({ protocol: opt(choice(["CONNECT", "POST"])), targetHost: text(), targetPort: port() })),
  proxyProtocol: opt(fields({ version: opt(choice(["V1", "V2"])) })),
  retryBudget: opt(
    fields({
      percent: opt(number(0, 100)),
      minRetryConcurrency: opt(integer()),
      /** This Envoy has none. */
      budgetInterval: noEffect(duration()),
    }),
  ),
});

const subset = fields({ name: text(), labels: opt(labelMap()), trafficPolicy: opt(trafficPolicy) });

/** The schema of a DestinationRule's spec, after the aliases of validate/aliases.ts were rewritten. */
export const destinationRuleSchema = fields({
  host: text(),
  trafficPolicy: opt(trafficPolicy),
  subsets: opt(listOf(subset)),
  exportTo: opt(exportTo()),
  workloadSelector: opt(matchLabelsSelector),
});

export type DestinationRuleSpec = SpecFrom<typeof destinationRuleSchema>;
export type TrafficPolicySpec = SpecFrom<typeof trafficPolicy>;
export type SubsetSpec = SpecFrom<typeof subset>;
export type LocalitySettingSpec = SpecFrom<typeof localityLbSetting>;
export type ZoneSettingSpec = SpecFrom<typeof zoneAwareLbSetting>;
export type LoadBalancerSpec = SpecFrom<typeof loadBalancer>;
export type ConnectionPoolSpec = SpecFrom<typeof connectionPool>;
export type OutlierDetectionSpec = SpecFrom<typeof outlierDetection>;
export type ClientTlsSpec = SpecFrom<typeof clientTls>;

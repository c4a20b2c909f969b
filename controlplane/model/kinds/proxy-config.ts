// ProxyConfig: settings of proxies: of all in MeshConfig's `defaultConfig`, of some in a kind of its own or an annotation.
// Field facts: https://istio.io/latest/docs/reference/config/istio.mesh.v1alpha1/#ProxyConfig
import {
  anyText,
  choice,
  duration,
  fields,
  flag,
  hostAndPort,
  integer,
  listOf,
  mapOf,
  matchLabelsSelector,
  noEffect,
  number,
  opt,
  port,
  type SpecFrom,
  struct,
  text,
} from "../schema.ts";
import { clientTls, tcpKeepalive } from "./destination-rule.ts";

/** Envoy is started by whoever runs the proxy, and told by its bootstrap. */
const BOOTSTRAP = "whoever starts Envoy says it";
/** Injection goes by it (controlplane/injector). */
const INJECTED = "it counts when a cluster's pods are injected";

const remoteService = fields({
  address: opt(hostAndPort()),
  tlsSettings: opt(clientTls),
  tcpKeepalive: opt(tcpKeepalive),
});

const collector = fields({ address: hostAndPort() });
const namedTag = fields({ name: text(), defaultValue: opt(anyText()) });

const tracing = fields(
  {
    zipkin: opt(collector),
    lightstep: opt(fields({ address: hostAndPort(), accessToken: text() })),
    datadog: opt(collector),
    stackdriver: opt(struct()),
    openCensusAgent: opt(struct()),
    customTags: opt(
      mapOf(
        fields(
          { literal: opt(fields({ value: text() })), environment: opt(namedTag), header: opt(namedTag) },
          { atMostOneOf: ["literal", "environment", "header"] },
        ),
      ),
    ),
    maxPathTagLength: opt(integer()),
    sampling: opt(number(0, 100)),
    tlsSettings: opt(clientTls),
    enableIstioTags: opt(flag()),
  },
  { atMostOneOf: ["zipkin", "lightstep", "datadog", "stackdriver", "openCensusAgent"] },
);

const FORWARDED = ["UNDEFINED", "SANITIZE", "FORWARD_ONLY", "APPEND_FORWARD", "SANITIZE_SET", "ALWAYS_FORWARD_ONLY"];
const keyProvider = fields({ pollDelay: duration(), fallback: opt(flag()) });

/** Whoever injects a pod goes by these. */
const injected = {
  discoveryAddress: hostAndPort(),
  interceptionMode: choice(["REDIRECT", "TPROXY", "NONE"]),
  holdApplicationUntilProxyStarts: flag(),
};

const settings = {
  concurrency: opt(integer(0, 1_024)),
  extraStatTags: opt(listOf(text())),
  configPath: noEffect(text(), BOOTSTRAP),
  binaryPath: noEffect(text(), BOOTSTRAP),
  serviceCluster: noEffect(text(), BOOTSTRAP),
  tracingServiceName: noEffect(
    choice(["APP_LABEL_AND_NAMESPACE", "CANONICAL_NAME_ONLY", "CANONICAL_NAME_AND_NAMESPACE"]),
  ),
  drainDuration: noEffect(duration(1_000)),
  discoveryRefreshDelay: noEffect(duration(0)),
  zipkinAddress: noEffect(anyText()),
  statsdUdpAddress: noEffect(hostAndPort()),
  envoyMetricsServiceAddress: noEffect(hostAndPort()),
  proxyAdminPort: noEffect(port(), BOOTSTRAP),
  availabilityZone: noEffect(anyText()),
  controlPlaneAuthPolicy: noEffect(
    choice(["NONE", "MUTUAL_TLS"]),
    "proxies always know the control plane by its certificate",
  ),
  customConfigFile: noEffect(anyText(), BOOTSTRAP),
  statNameLength: noEffect(integer(0, 2_147_483_647), BOOTSTRAP),
  proxyBootstrapTemplatePath: noEffect(anyText(), BOOTSTRAP),
  tracing: noEffect(tracing),
  sds: noEffect(fields({ enabled: opt(flag()), k8sSaJwtPath: opt(anyText()) })),
  envoyAccessLogService: noEffect(remoteService),
  envoyMetricsService: noEffect(remoteService),
  /** Variables of the environment. */
  proxyMetadata: opt(mapOf(anyText())),
  runtimeValues: noEffect(mapOf(anyText())),
  statusPort: noEffect(port(), BOOTSTRAP),
  gatewayTopology: noEffect(
    fields({
      numTrustedProxies: opt(integer()),
      forwardClientCertDetails: opt(choice(FORWARDED)),
      proxyProtocol: opt(fields({})),
    }),
  ),
  terminationDrainDuration: noEffect(duration(0)),
  meshId: noEffect(anyText()),
  readinessProbe: noEffect(struct()),
  proxyStatsMatcher: noEffect(
    fields({
      inclusionPrefixes: opt(listOf(text())),
      inclusionSuffixes: opt(listOf(text())),
      inclusionRegexps: opt(listOf(text())),
    }),
  ),
  caCertificatesPem: noEffect(listOf(text())),
  image: noEffect(fields({ imageType: opt(anyText()) }), BOOTSTRAP),
  privateKeyProvider: noEffect(
    fields({ cryptomb: opt(keyProvider), qat: opt(keyProvider) }, { oneOf: ["cryptomb", "qat"] }),
  ),
  proxyHeaders: noEffect(struct()),
  fileFlushInterval: noEffect(duration(0)),
  fileFlushMinSizeKb: noEffect(integer()),
  statsCompression: noEffect(flag()),
  connectionSettings: noEffect(struct()),
};
const marks = { atMostOneOf: ["serviceCluster", "tracingServiceName"] };

/** The schema of the proxies' settings. */
export const proxyConfig = fields(
  {
    ...settings,
    discoveryAddress: noEffect(injected.discoveryAddress, INJECTED),
    interceptionMode: noEffect(injected.interceptionMode, INJECTED),
    holdApplicationUntilProxyStarts: noEffect(injected.holdApplicationUntilProxyStarts, INJECTED),
  },
  marks,
);

/** The same of a pod that is being injected: what injection goes by has its effect. */
export const injectedProxyConfig = fields(
  {
    ...settings,
    discoveryAddress: opt(injected.discoveryAddress),
    interceptionMode: opt(injected.interceptionMode),
    holdApplicationUntilProxyStarts: opt(injected.holdApplicationUntilProxyStarts),
  },
  marks,
);

/** The pod template's annotation with such settings, as YAML. */
export const PROXY_CONFIG_ANNOTATION = "proxy.istio.io/config";

/** The schema of a ProxyConfig's spec: the object, not the part of MeshConfig. */
export const proxyConfigSchema = fields({
  selector: opt(matchLabelsSelector),
  concurrency: opt(integer(0, 1_024)),
  environmentVariables: opt(mapOf(anyText())),
  image: noEffect(fields({ imageType: opt(anyText()) }), BOOTSTRAP),
});

export type ProxyConfigSpec = SpecFrom<typeof proxyConfigSchema>;
export type ProxyConfigDocument = SpecFrom<typeof proxyConfig>;

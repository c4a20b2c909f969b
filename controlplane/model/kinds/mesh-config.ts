// MeshConfig: settings of the whole mesh, in ConfigMap `istio` of the root namespace, key `mesh`.
// Field facts: https://istio.io/latest/docs/reference/config/istio.mesh.v1alpha1/
import { isJsonObject } from "../json-object.ts";
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
  noEffect,
  opt,
  port,
  type SpecFrom,
  struct,
  text,
} from "../schema.ts";
import {
  clientTls,
  connectionPool,
  localityLbSetting,
  outlierDetection,
  tcpKeepalive,
  zoneAwareLbSetting,
} from "./destination-rule.ts";
import { proxyConfig } from "./proxy-config.ts";
import { retries } from "./virtual-service.ts";

const failStrategy = choice(["FAIL_CLOSE", "FAIL_OPEN"]);

const NO_CAPTURE = "no traffic is captured";

const labelSelector = fields({
  matchLabels: opt(labelMap()),
  matchExpressions: opt(listOf(fields({ key: text(), operator: opt(anyText()), values: opt(listOf(anyText())) }))),
});

const tlsConfig = fields({
  minProtocolVersion: opt(choice(["TLS_AUTO", "TLSV1_2", "TLSV1_3"])),
  ecdhCurves: opt(listOf(text())),
  cipherSuites: opt(listOf(text())),
});

/** What Istio has and Scrim does not do yet. */
const withoutEffect = {
  proxyListenPort: noEffect(port(), NO_CAPTURE),
  proxyInboundListenPort: noEffect(port(), NO_CAPTURE),
  proxyHttpPort: noEffect(integer(0, 65_535)),
  tcpKeepalive: noEffect(tcpKeepalive),
  ingressClass: noEffect(anyText()),
  ingressService: noEffect(anyText()),
  ingressControllerMode: noEffect(choice(["UNSPECIFIED", "OFF", "DEFAULT", "STRICT"])),
  ingressSelector: noEffect(anyText()),
  enableTracing: noEffect(flag()),
  enableEnvoyAccessLogService: noEffect(flag()),
  disableEnvoyListenerLog: noEffect(flag()),
  inboundTrafficPolicy: noEffect(fields({ mode: opt(choice(["PASSTHROUGH", "LOCALHOST"])) }), NO_CAPTURE),
  configSources: noEffect(
    listOf(
      fields({
        address: opt(anyText()),
        tlsSettings: opt(clientTls),
        subscribedResources: opt(listOf(choice(["SERVICE_REGISTRY"]))),
      }),
    ),
  ),
  caCertificates: noEffect(
    listOf(
      fields(
        {
          pem: opt(text()),
          spiffeBundleUrl: opt(text()),
          certSigners: opt(listOf(text())),
          trustDomains: opt(listOf(text())),
        },
        { atMostOneOf: ["pem", "spiffeBundleUrl"] },
      ),
    ),
  ),
  defaultServiceExportTo: noEffect(exportTo()),
  defaultVirtualServiceExportTo: noEffect(exportTo()),
  defaultDestinationRuleExportTo: noEffect(exportTo()),
  dnsRefreshRate: noEffect(duration()),
  h2UpgradePolicy: noEffect(choice(["DO_NOT_UPGRADE", "UPGRADE"])),
  inboundClusterStatName: noEffect(anyText()),
  outboundClusterStatName: noEffect(anyText()),
  certificates: noEffect(listOf(fields({ secretName: opt(text()), dnsNames: opt(listOf(text())) }))),
  serviceSettings: noEffect(
    listOf(fields({ settings: opt(fields({ clusterLocal: opt(flag()) })), hosts: opt(listOf(text())) })),
  ),
  enablePrometheusMerge: noEffect(flag()),
  verifyCertificateAtClient: noEffect(flag(), "certificates are always verified"),
  ca: noEffect(
    fields({
      address: opt(anyText()),
      tlsSettings: opt(clientTls),
      requestTimeout: opt(duration()),
      istiodSide: opt(flag()),
    }),
  ),
  /** A name, and one provider: of many kinds, of which none is there yet. */
  extensionProviders: noEffect(listOf(struct())),
  defaultProviders: noEffect(
    fields({
      tracing: opt(listOf(text())),
      metrics: opt(listOf(text())),
      accessLogging: opt(listOf(text())),
    }),
  ),
  /** Which namespaces of a cluster are of the mesh; see source/kubernetes/scope.ts. */
  discoverySelectors: opt(listOf(labelSelector)),
  defaultHttpRetryPolicy: noEffect(retries),
  defaultInboundHttpRetryPolicy: noEffect(retries),
  defaultTrafficPolicy: noEffect(
    fields({ connectionPool: opt(connectionPool), outlierDetection: opt(outlierDetection) }),
  ),
  meshMTLS: noEffect(tlsConfig),
  tlsDefaults: noEffect(tlsConfig),
  hboneIdleTimeout: noEffect(duration(0)),
  serviceEntryVisibility: noEffect(struct()),
  serviceScopeConfigs: noEffect(
    listOf(
      fields({
        namespaceSelector: opt(labelSelector),
        servicesSelector: opt(labelSelector),
        scope: opt(choice(["LOCAL", "GLOBAL"])),
      }),
    ),
  ),
};

/**
 * The schema of the MeshConfig document. Ours are `pluginTrust`: whose modules may run, and what they may use
 * (model/plugin-trust.ts), `engine`: whether policies run in Wasm filters or in Envoy's own, `failStrategies`: what
 * becomes of requests when a filter's module fails (functions that stand side by side share a module only where these
 * agree), and `headersWithUnderscoresAction`, as Envoy calls it, for every listener.
 */
export const meshConfigSchema = fields({
  trustDomain: opt(text()),
  trustDomainAliases: opt(listOf(text())),
  rootNamespace: opt(text()),
  outboundTrafficPolicy: opt(
    fields({
      mode: opt(choice(["ALLOW_ANY", "ALLOW_ANY_DYNAMIC_DNS", "REGISTRY_ONLY"])),
      tls: noEffect(clientTls),
    }),
  ),
  accessLogFile: opt(anyText()),
  accessLogFormat: opt(anyText()),
  accessLogEncoding: opt(choice(["TEXT", "JSON"])),
  enableAutoMtls: opt(flag()),
  connectTimeout: opt(duration()),
  /** How long a connection may be silent until it counts as none of HTTP; 0: for ever. */
  protocolDetectionTimeout: opt(duration(0)),
  localityLbSetting: opt(localityLbSetting),
  zoneAwareLbSetting: opt(zoneAwareLbSetting),
  defaultConfig: opt(proxyConfig),
  pathNormalization: opt(
    fields({
      normalization: opt(choice(["DEFAULT", "NONE", "BASE", "MERGE_SLASHES", "DECODE_AND_MERGE_SLASHES"])),
    }),
  ),
  headersWithUnderscoresAction: opt(choice(["ALLOW", "REJECT_REQUEST", "DROP_HEADER"])),
  engine: opt(choice(["wasm", "native"])),
  pluginTrust: opt(
    listOf(
      fields(
        { match: opt(listOf(text())), keys: opt(listOf(text())), capabilities: opt(listOf(text())) },
        { notEmpty: true },
      ),
    ),
  ),
  failStrategies: opt(
    fields({
      authorization: opt(failStrategy),
      rateLimit: opt(failStrategy),
      router: opt(failStrategy),
      telemetry: opt(failStrategy),
    }),
  ),
  ...withoutEffect,
});

export type MeshConfigDocument = SpecFrom<typeof meshConfigSchema>;

/**
 * Returns the fields of an access log's JSON format, each a format or an object or list of them, as Envoy writes them;
 * undefined when it is no JSON object.
 */
export function parseJsonFormat(format: string): JsonFormat | undefined {
  try {
    const parsed: unknown = JSON.parse(format);
    return isJsonObject(parsed) ? (parsed as JsonFormat) : undefined;
  } catch {
    return undefined;
  }
}

/** What JSON can hold; its texts are formats. */
export interface JsonFormat {
  readonly [field: string]: JsonFormatValue;
}
export type JsonFormatValue = null | boolean | number | string | readonly JsonFormatValue[] | JsonFormat;

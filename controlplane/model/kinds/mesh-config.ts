// MeshConfig: settings of the whole mesh, in ConfigMap `istio` of the root namespace, key `mesh`.
// Field facts: https://istio.io/latest/docs/reference/config/istio.mesh.v1alpha1/
import { anyText, choice, duration, fields, flag, integer, listOf, opt, type SpecFrom, text } from "../schema.ts";

const failStrategy = choice(["FAIL_CLOSE", "FAIL_OPEN"]);

/**
 * The schema of the MeshConfig document. Ours are `pluginTrust`: whose modules may run, and what they may use
 * (model/plugin-trust.ts), `engine`: whether policies run in Wasm filters or in Envoy's own, `failStrategies`: what
 * becomes of requests when a filter's module fails (functions that stand side by side share a module only where these
 * agree), and `headersWithUnderscoresAction`, as Envoy calls it, for every listener.
 */
export const meshConfigSchema = fields(
  {
    trustDomain: opt(text()),
    trustDomainAliases: opt(listOf(text())),
    rootNamespace: opt(text()),
    outboundTrafficPolicy: opt(fields({ mode: opt(choice(["ALLOW_ANY", "ALLOW_ANY_DYNAMIC_DNS", "REGISTRY_ONLY"])) })),
    accessLogFile: opt(anyText()),
    accessLogFormat: opt(anyText()),
    accessLogEncoding: opt(choice(["TEXT", "JSON"])),
    enableAutoMtls: opt(flag()),
    connectTimeout: opt(duration()),
    defaultConfig: opt(
      fields(
        { concurrency: opt(integer(0, 1_024)), extraStatTags: opt(listOf(text())) },
        {
          noEffect: [
            "configPath",
            "binaryPath",
            "serviceCluster",
            "drainDuration",
            "discoveryAddress",
            "zipkinAddress",
            "statsdUdpAddress",
            "proxyAdminPort",
            "controlPlaneAuthPolicy",
            "customConfigFile",
            "statNameLength",
            "proxyBootstrapTemplatePath",
            "interceptionMode",
            "tracing",
            "sds",
            "envoyAccessLogService",
            "envoyMetricsService",
            "proxyMetadata",
            "runtimeValues",
            "statusPort",
            "gatewayTopology",
            "terminationDrainDuration",
            "meshId",
            "readinessProbe",
            "proxyStatsMatcher",
            "holdApplicationUntilProxyStarts",
            "caCertificatesPem",
            "image",
            "privateKeyProvider",
            "proxyHeaders",
            "availabilityZone",
            "fileFlushInterval",
            "fileFlushMinSizeKb",
            "statsCompression",
          ],
        },
      ),
    ),
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
  },
  {
    noEffect: [
      "proxyListenPort",
      "proxyInboundListenPort",
      "proxyHttpPort",
      "tcpKeepalive",
      "ingressClass",
      "ingressService",
      "ingressControllerMode",
      "ingressSelector",
      "enableTracing",
      "enableEnvoyAccessLogService",
      "disableEnvoyListenerLog",
      "inboundTrafficPolicy",
      "configSources",
      "caCertificates",
      "defaultServiceExportTo",
      "defaultVirtualServiceExportTo",
      "defaultDestinationRuleExportTo",
      "localityLbSetting",
      "dnsRefreshRate",
      "h2UpgradePolicy",
      "inboundClusterStatName",
      "outboundClusterStatName",
      "certificates",
      "serviceSettings",
      "enablePrometheusMerge",
      "verifyCertificateAtClient",
      "ca",
      "extensionProviders",
      "defaultProviders",
      "discoverySelectors",
      "defaultHttpRetryPolicy",
      "meshMTLS",
      "tlsDefaults",
      "protocolDetectionTimeout",
      "hboneIdleTimeout",
      "serviceScopeConfigs",
    ],
  },
);

export type MeshConfigDocument = SpecFrom<typeof meshConfigSchema>;

/**
 * Returns the fields of an access log's JSON format with their formats; undefined when it is no JSON object. What is no
 * text in it is written as one.
 */
export function parseJsonFormat(format: string): Readonly<Record<string, string>> | undefined {
  try {
    const parsed: unknown = JSON.parse(format);
    if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) return undefined;
    return Object.fromEntries(Object.entries(parsed).map(([name, operator]) => [name, String(operator)]));
  } catch {
    return undefined;
  }
}

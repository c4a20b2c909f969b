// Consumes: the published state of the mesh, its snapshots and its authority.
// Produces: the xDS server, each proxy getting what the pod it proved to be needs.
// Never does: believe a node where a pod says otherwise.
import { controlPlaneIdentifier } from "../admin/debug/over-ads.ts";
import type { WorkloadSecrets } from "../ca/workload-secrets.ts";
import { locateEnvoy } from "../envoy/install.mjs";
import { spiffeId } from "../model/spiffe.ts";
import type { EnvoySearch, ServeSettings } from "../settings/settings.ts";
import { SCRIM_VERSION } from "../settings/version.ts";
import type { ClassSnapshots } from "../snapshot/class-snapshots.ts";
import { createResourceEncoder, type EncodedMap, type EncodedResources } from "../snapshot/encode.ts";
import type { World } from "../world/world.ts";
import type { Clock } from "../telemetry/clock.ts";
import type { Logger } from "../telemetry/logger.ts";
import type { XdsMetrics } from "../telemetry/xds-metrics.ts";
import { gatewayCredentials } from "./gateway-credentials.ts";
import type { ProxyClass } from "../translate/ir/proxy-class.ts";
import type { Inputs } from "../translate/resolve/modules.ts";
import { proxyClassOfNode, proxyClassOfPod, withoutIdentityOf } from "./proxy-class.ts";
import { createUndescribedProxies } from "./undescribed-proxies.ts";
import type { Authenticate } from "../xds/identities.ts";
import type { Proxy } from "../xds/node.ts";
import { createScratchEnvoy } from "../xds/rejections/scratch-envoy.ts";
import { createXdsServer, type ServerCertificate, type XdsServer, type XdsServerOptions } from "../xds/server.ts";

export interface ProxyServing {
  readonly snapshots: ClassSnapshots<Inputs, ProxyClass>;
  readonly secrets: WorkloadSecrets & { issueServerCertificate(): ServerCertificate };
  readonly authenticate: Authenticate;
  readonly published: () => World | undefined;
  /** Answers istio.io/… types. */
  readonly debug: NonNullable<XdsServerOptions["debugResources"]>;
  readonly metrics: XdsMetrics;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Serves each proxy what the pod it proved to be needs. */
export function serveProxies(
  settings: ServeSettings,
  { snapshots, secrets, authenticate, published, debug, metrics, clock, logger }: ProxyServing,
): XdsServer {
  const encoder = createResourceEncoder();
  const undescribedProxy = createUndescribedProxies((problem) => logger.warn({}, problem), clock);
  const unexpected = new WeakSet<Proxy>();
  /** Its Envoy waits: without a word nobody would know for what. */
  const noteUnexpected = (proxy: Proxy): void => {
    if (unexpected.has(proxy)) return;
    unexpected.add(proxy);
    logger.warn(
      {},
      `${proxy.node.id} is not served: the document of its pod says nothing of a proxy; add the annotation scrim.mesh/proxy: ${proxy.node.kind} to it, or take the document away.`,
    );
  };
  const podOf = ({ identity }: Proxy) => published()?.get("Pod", identity.namespace, identity.pod);
  const resourcesFor = (proxy: Proxy): EncodedResources | undefined => {
    const world = published();
    const pod = podOf(proxy);
    // Under `scrim up` every pod is described; one that is not is on its way or gone. On the plaintext port anybody may
    // come.
    const isUndescribed = pod === undefined && (settings.runtimeDir === undefined || !proxy.isProven);
    const described = isUndescribed ? undescribedProxy(proxy) : undefined;
    const proxyClass =
      world !== undefined && described !== undefined ? proxyClassOfNode(world, described) : pod && proxyClassOfPod(pod);
    if (pod !== undefined && proxyClass === undefined) noteUnexpected(proxy);
    return proxyClass && snapshots.resourcesOf(proxy.isProven ? proxyClass : withoutIdentityOf(proxyClass));
  };
  return createXdsServer({
    ...(settings.plaintextXdsPort !== undefined && {
      plaintext: { host: "127.0.0.1", port: settings.plaintextXdsPort, option: "--xds-port" },
    }),
    ...(settings.envoySearch && createScratchEnvoy({ findBinary: envoyFinder(settings.envoySearch, logger) })),
    observer: metrics,
    secure: {
      host: settings.xdsAddress.address,
      port: settings.xdsAddress.port,
      option: settings.xdsAddress.option,
      certificate: secrets.issueServerCertificate(),
      authenticate,
    },
    resourcesFor,
    revision: () => published()?.revision ?? 0,
    secretsFor(proxy) {
      const world = published();
      const { namespace, serviceAccount } = proxy.identity;
      const own = secrets.secretsFor(spiffeId(world?.mesh.trustDomain ?? "cluster.local", namespace, serviceAccount));
      const listeners = proxy.node.kind === "router" ? resourcesFor(proxy)?.maps.listeners : undefined;
      return world === undefined || listeners === undefined
        ? own
        : new Map([...gatewayCredentials(world, namespace, secretsNamedBy(listeners)), ...own]);
    },
    encoder,
    clock,
    log: {
      info: (fields, message) => logger.info(fields, message),
      warn: (fields, message) => logger.warn(fields, message),
      // What the server takes for an error is always one of its own.
      error(fields, message) {
        metrics.failed();
        logger.error(fields, message);
      },
    },
    debugResources: debug,
    controlPlane: controlPlaneIdentifier(`scrim-${process.pid}`, SCRIM_VERSION),
  });
}

/** An Envoy that is here already; nothing is fetched for an examination. */
function envoyFinder(search: EnvoySearch, logger: Logger): () => Promise<string | undefined> {
  return async () => {
    try {
      return (await locateEnvoy({ ...search, arch: process.arch, fetch: false })).path;
    } catch (error) {
      logger.warn(
        { err: error },
        "no Envoy is here to try rejected contents with; they are tried on the proxy that rejected them",
      );
      return undefined;
    }
  };
}

function secretsNamedBy(listeners: EncodedMap): readonly string[] {
  return [...listeners.values()].flatMap(({ references }) =>
    references.filter(({ kind }) => kind === "secrets").map(({ name }) => name),
  );
}

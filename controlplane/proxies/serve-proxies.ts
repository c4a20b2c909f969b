// Consumes: the published resources, the certificate authority, and what connected proxies prove and say of themselves.
// Produces: the xDS server, each proxy getting what the pod it proved to be needs; and how far all that has come.
// Never does: believe a node where a pod says otherwise.
import { join } from "node:path";
import type { AuthorityStage, Issuer } from "../ca/authority-stage.ts";
import type { Secrets } from "../ca/workload-secrets.ts";
import { locateEnvoy } from "../envoy/install.mjs";
import { spiffeId } from "../model/spiffe.ts";
import type { EnvoySearch, ServeSettings } from "../settings/settings.ts";
import { createResourceEncoder } from "../snapshot/encode.ts";
import { namesReferredTo } from "../snapshot/consistency.ts";
import type { Cell, OwnCell } from "../stages/cell.ts";
import type { Stage } from "../stages/stage.ts";
import type { Clock } from "../telemetry/clock.ts";
import type { Logger } from "../telemetry/logger.ts";
import type { Registry } from "../telemetry/metrics.ts";
import { registerXdsMetrics } from "../telemetry/xds-metrics.ts";
import type { World } from "../world/world.ts";
import type { Authenticate } from "../xds/authenticate.ts";
import type { Proxy } from "../xds/node.ts";
import type { Reach } from "../xds/reach.ts";
import type { RejectedContent } from "../xds/rejections/blame.ts";
import { CHANGE_RISK, PLUGIN_RISK, type Risk } from "../xds/rejections/canary.ts";
import { createScratchEnvoy, type ScratchEnvoy } from "../xds/rejections/scratch-envoy.ts";
import { createXdsServer, type XdsServer, type XdsServerOptions } from "../xds/server.ts";
import { namedCredentials } from "./named-credentials.ts";
import { proxyOfNode, proxyOfPod, withoutIdentityOf } from "./proxy-class.ts";
import type { PublicationStage } from "./publication.ts";
import type { FileOffers, RefusedFilesStage } from "./refused-files.ts";
import type { RefusedInTrial } from "./trial.ts";
import { createUndescribedProxies } from "./undescribed-proxies.ts";

const WEEK_MS = 7 * 24 * 3_600_000;

interface ServingDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Registry;
  readonly authenticate: Authenticate;
  /** Answers istio.io/… types. */
  readonly debug: NonNullable<XdsServerOptions["debugResources"]>;
  /** Said of ourselves in every response (control_plane.identifier). */
  readonly identifier: string;
}

interface ServedStages {
  /** Is given the contents that no Envoy loads. */
  readonly refused: OwnCell<readonly RejectedContent[]>;
  /** Those that are found before any proxy is sent them. */
  readonly refusedInTrial: Cell<readonly RefusedInTrial[]>;
  readonly scratch: ScratchEnvoy | undefined;
  readonly publication: Pick<PublicationStage, "published" | "resourcesOf">;
  readonly authority: Pick<AuthorityStage, "issuer" | "renewals">;
  readonly refusedFiles: Pick<RefusedFilesStage, "offers">;
}

type ServingSettings = Pick<ServeSettings, "runtimeDir" | "plaintextXdsPort" | "xdsAddress">;

/** Returns the stage that serves each proxy; from the opening of its ports on `reach` tells whom. */
export function createServingStage(
  settings: ServingSettings,
  deps: ServingDeps,
  stages: ServedStages,
  reach: OwnCell<Reach>,
): Stage & Pick<XdsServer, "forgetRefusal"> {
  let server: XdsServer | undefined;
  return {
    name: "xDS",
    forgetRefusal: (version) => server?.forgetRefusal(version),
    async start(signal) {
      const { issuer, renewals } = stages.authority;
      const current = (): Issuer => {
        const certificates = issuer.read();
        if (certificates === undefined) throw new RangeError("the certificate authority starts before who needs it");
        return certificates;
      };
      const isTried = (await stages.scratch?.isThere()) === true;
      const risk = isTried ? PLUGIN_RISK : CHANGE_RISK;
      const xds = (server = createServer(settings, deps, stages, { issuer: current, risk }));
      await xds.listen();
      reach.set(xds);
      stages.refusedInTrial.subscribe(xds.refuse);
      stages.publication.published.subscribe(() => xds.notify());
      renewals.subscribe(() => xds.notify());
      stages.refusedFiles.offers.subscribe(() => xds.notify());
      issuer.subscribe(() => {
        xds.setCertificate(current().issueServerCertificate());
        xds.notify();
      });
      void renewServerCertificate(xds, current, deps.clock, signal);
    },
    async stop() {
      await server?.close();
    },
  };
}

/** It holds for a year; renewed every week it is never near its end, however long the control plane runs. */
async function renewServerCertificate(
  xds: XdsServer,
  issuer: () => Issuer,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    await clock.sleep(WEEK_MS, signal).catch(() => undefined);
    if (!signal.aborted) xds.setCertificate(issuer().issueServerCertificate());
  }
}

function createServer(
  settings: ServingSettings,
  { authenticate, debug, identifier, metrics, clock, logger }: ServingDeps,
  { publication, refused, refusedFiles, scratch }: ServedStages,
  { issuer, risk }: { readonly issuer: () => Issuer; readonly risk: Risk },
): XdsServer {
  const observer = registerXdsMetrics(metrics);
  const world = (): World | undefined => publication.published.read()?.world;
  const resourcesFor = createServed(settings, { logger, clock }, publication);
  return createXdsServer({
    ...(settings.plaintextXdsPort !== undefined && {
      plaintext: { host: "127.0.0.1", port: settings.plaintextXdsPort, option: "--xds-port" },
    }),
    ...scratch,
    heldBack: refused.set,
    risk,
    observer,
    secure: {
      host: settings.xdsAddress.address,
      port: settings.xdsAddress.port,
      option: settings.xdsAddress.option,
      certificate: issuer().issueServerCertificate(),
      authenticate,
    },
    resourcesFor,
    revision: () => world()?.revision ?? 0,
    secretsFor: (proxy) => secretsOf(proxy, world(), issuer(), refusedFiles.offers.read(), resourcesFor),
    encoder: createResourceEncoder(),
    clock,
    log: {
      info: (fields, message) => logger.info(fields, message),
      warn: (fields, message) => logger.warn(fields, message),
      // What the server takes for an error is always one of its own.
      error(fields, message) {
        observer.failed();
        logger.error(fields, message);
      },
    },
    debugResources: debug,
    controlPlane: identifier,
  });
}

type ResourcesFor = XdsServerOptions["resourcesFor"];

/**
 * Returns what a proxy is served: its class's resources, by its pod's document, or by what it says where there is none.
 */
function createServed(
  { runtimeDir }: ServingSettings,
  { logger, clock }: Pick<ServingDeps, "logger" | "clock">,
  { published, resourcesOf }: ServedStages["publication"],
): ResourcesFor {
  const undescribedProxy = createUndescribedProxies((problem) => logger.warn({}, problem), clock);
  const noteUnexpected = createUnexpectedNotes(logger);
  return (proxy) => {
    const world = published.read()?.world;
    const pod = world?.get("Pod", proxy.identity.namespace, proxy.identity.pod);
    // Under `scrim up` every pod is described; one that is not is on its way or gone. On the plaintext port anybody may
    // come.
    const isUndescribed = pod === undefined && (runtimeDir === undefined || !proxy.isProven);
    const described = isUndescribed ? undescribedProxy(proxy) : undefined;
    const meshProxy =
      world && (described !== undefined ? proxyOfNode(world, described) : pod && proxyOfPod(world, pod));
    if (pod !== undefined && meshProxy === undefined) noteUnexpected(proxy);
    return meshProxy && resourcesOf(proxy.isProven ? meshProxy : withoutIdentityOf(meshProxy));
  };
}

/** Its Envoy waits: without a word nobody would know for what. */
function createUnexpectedNotes(logger: Logger): (proxy: Proxy) => void {
  const noted = new WeakSet<Proxy>();
  return (proxy) => {
    if (noted.has(proxy)) return;
    noted.add(proxy);
    logger.warn(
      {},
      `${proxy.node.id} is not served: the document of its pod says nothing of a proxy; add the annotation ` +
        `scrim.mesh/proxy: ${proxy.node.kind} to it, or take the document away.`,
    );
  };
}

/** Its identity's, and the credentials that its listeners and clusters name. */
function secretsOf(
  proxy: Proxy,
  world: World | undefined,
  issuer: Issuer,
  offers: FileOffers,
  resourcesFor: ResourcesFor,
): Secrets {
  const { namespace, serviceAccount } = proxy.identity;
  const own = issuer.secretsFor(spiffeId(world?.mesh.trustDomain ?? "cluster.local", namespace, serviceAccount));
  const maps = resourcesFor(proxy)?.maps;
  if (world === undefined || maps === undefined) return own;
  const names = [maps.listeners, maps.clusters].flatMap((resources) => namesReferredTo(resources, "secrets"));
  const named = namedCredentials(world, namespace, names, offers);
  return named.size === 0 ? own : new Map([...named, ...own]);
}

/** Returns the Envoy that serves nobody; undefined where none is to be looked for. */
export function scratchEnvoyOf(
  { envoySearch, stateDir }: Pick<ServeSettings, "envoySearch" | "stateDir">,
  logger: Logger,
): ScratchEnvoy | undefined {
  const directory = join(stateDir, "scratch-envoy");
  return envoySearch && createScratchEnvoy({ findBinary: envoyFinder(envoySearch, logger), directory });
}

/** Returns the stage in which that Envoy is ready for a question. */
export function createScratchStage(scratch: ScratchEnvoy | undefined): Stage {
  return {
    name: "scratch Envoy",
    async start() {
      scratch?.warmUp();
    },
    async stop() {
      await scratch?.close();
    },
  };
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

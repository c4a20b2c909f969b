// The control plane: its stages in the order of the data, as one list. Each is given what it needs, and what it gives
// are cells (stages/cell.ts) that the next ones read and follow.
import { randomBytes } from "node:crypto";
import { hostname } from "node:os";
import { createAdminStage } from "./admin/admin-stage.ts";
import type { ControlPlane, ControlPlaneView } from "./admin/contract.ts";
import { controlPlaneIdentifier } from "./admin/debug/over-ads.ts";
import { debugAnswers, debugSources } from "./admin/debug/sources.ts";
import { createFindingsStage } from "./admin/findings.ts";
import { createTakenUpStage } from "./admin/taken-up.ts";
import { createControlPlaneView } from "./admin/view.ts";
import { createAuthorityStage } from "./ca/authority-stage.ts";
import { createRootConfigMaps } from "./ca/root-config-maps.ts";
import { createDiskNews } from "./disk/kept-file.ts";
import { clusterIdentity, clusterLease, localIdentity } from "./identity/mesh-identity.ts";
import type { ApiClient } from "./kubernetes/api-client.ts";
import { readEnvoyPage } from "./local/envoy-page.ts";
import { ScrimError } from "./model/failure.ts";
import { createConcernedProxies } from "./proxies/concerned-proxies.ts";
import { createHeldObjects } from "./proxies/held-objects.ts";
import { createPublicationStage } from "./proxies/publication.ts";
import { createRefusedFilesStage } from "./proxies/refused-files.ts";
import { createRefusalStage } from "./proxies/refusal-stage.ts";
import { createScratchStage, createServingStage, scratchEnvoyOf } from "./proxies/serve-proxies.ts";
import { createTrial, type RefusedInTrial } from "./proxies/trial.ts";
import { createRolloutStage } from "./rollout/rollout-stage.ts";
import type { Installation } from "./settings/installation.ts";
import type { ClusterSettings, ServeSettings } from "./settings/settings.ts";
import { SCRIM_VERSION } from "./settings/version.ts";
import type { EncodedResource } from "./snapshot/encode.ts";
import { createMeshDirectory } from "./source/files/mesh-directory.ts";
import { createKubernetesSource } from "./source/kubernetes/kubernetes-source.ts";
import type { Source } from "./source/source.ts";
import { type Cell, createCell } from "./stages/cell.ts";
import { runStages, type Stage } from "./stages/stage.ts";
import { createReportStage } from "./status/report-stage.ts";
import { createStatusStage } from "./status/status-stage.ts";
import { createStoreStage } from "./store/store-stage.ts";
import type { Clock } from "./telemetry/clock.ts";
import { registerBuild, registerControlPlaneMetrics } from "./telemetry/control-plane-metrics.ts";
import type { Logger } from "./telemetry/logger.ts";
import type { Registry } from "./telemetry/metrics.ts";
import { createPluginStage } from "./wasm/plugin-stage.ts";
import { createCaBundleStage, createWebhookStage } from "./webhooks/webhook-stage.ts";
import type { World } from "./world/world.ts";
import type { RejectedContent } from "./xds/rejections/blame.ts";
import { type Reach, REACHES_NOBODY } from "./xds/reach.ts";

export interface ControlPlaneDeps {
  readonly logger: Logger;
  readonly clock: Clock;
  readonly metrics: Registry;
  readonly installation: Installation;
  /** From 0 up to 1, as Math.random: spreads renewals. */
  readonly random: () => number;
  /** Tells people what is wrong with their documents, a line each. */
  readonly complain: (line: string) => void;
  /** The API server of the cluster that the settings mean; undefined where they mean a directory. */
  readonly client?: ApiClient | undefined;
  /** Tells people what was taken up, a line each; undefined: nobody wants to know. */
  readonly tell?: ((line: string) => void) | undefined;
}

/** The control plane of one mesh directory, not yet started. */
export function createControlPlane(settings: ServeSettings, given: ControlPlaneDeps): ControlPlane {
  const { clock, logger, metrics, installation } = given;
  const deps = { ...given, news: createDiskNews(settings.stateDir, given.complain), readPage: readEnvoyPage };
  const { filtersDir } = installation;
  // What comes back from the proxies: stages before xDS go by it, too.
  const reach = createCell<Reach>(REACHES_NOBODY);
  const cluster = clusterOf(settings, deps);

  // a directory's files, or a cluster's objects → batches of documents
  const source = createMeshSource(settings, cluster, deps);
  // batches of documents → the World of what is accepted, and what is wrong with the rest
  const store = createStoreStage(settings, { ...deps, source });
  // tokens → whose they are; where the CA's key is
  const { authenticate, mayRead, signing, serverNames } =
    cluster === undefined
      ? localIdentity(settings, deps)
      : clusterIdentity(cluster, { ...deps, ...cluster }, store.world);
  // the trust domain → certificates
  const authority = createAuthorityStage(settings, { ...deps, store: signing, serverNames }, store.world);
  // of several control planes, which one leads
  const lease = cluster && clusterLease(cluster, { ...deps, ...cluster }, holder());
  // the CA's root → a ConfigMap in every namespace
  const roots = cluster && createRootConfigMaps({ ...deps, ...cluster }, authority.issuer);
  // the World → the same without what no Envoy loads
  const held = createHeldObjects(store.world, store.remembered);
  const refused = createCell<readonly RejectedContent[]>([]);
  const scratch = scratchEnvoyOf(settings, logger);
  const refusedInTrial = createCell<readonly RefusedInTrial[]>([]);
  // what nobody has had yet → an Envoy that serves nobody → what of it none loads
  const trial =
    scratch &&
    createTrial({
      scratch,
      refuse: refusedInTrial.set,
      sleep: clock.sleep,
      failed: (error) => logger.error({ err: error }, "contents could not be tried"),
    });
  // WasmPlugins → their modules, fetched and tried
  const plugins = createPluginStage(settings, deps, store.world);
  // modules, and what proxies count, refuse and log → which proxy gets which version
  const rollouts = createRolloutStage(settings, deps, { world: store.world, modules: plugins.modules, reach });
  // the World and the versions → encoded resources of every class of proxies
  const made = { world: held.world, versions: rollouts.versions };
  const publication = createPublicationStage({ clock, logger, metrics, filtersDir, trial }, made);
  // what gateways say no to → the Gateways that named it
  const refusedFiles = createRefusedFilesStage({ world: held.world, reach, clock });
  // what is wrong with documents, between objects, with plugins and rollouts → one list, and a line for people
  const findings = createFindingsStage(
    { ...deps, runtimeDir: settings.runtimeDir },
    { store, held, refusedFiles, plugins, rollouts },
  );
  const view = createControlPlaneView({ store: held, plugins, rollouts, publication, findings, reach });
  const debug = debugSources(view, reach);
  // resources and certificates → xDS, and how far it has reached
  const identifier = controlPlaneIdentifier(`scrim-${process.pid}`, SCRIM_VERSION);
  const serving = { ...deps, authenticate, debug: debugAnswers(debug, clock), identifier };
  const served = { publication, authority, refused, refusedInTrial, refusedFiles, scratch };
  const xds = createServingStage(settings, serving, served, reach);
  // what no Envoy loads → the objects that made it so, held back
  const loads = async (content: EncodedResource) => scratch?.judge(content, undefined, "control plane");
  const refusals = createRefusalStage({
    ...{ publication, held, refused, loads, logger, clock },
    tryAgain: async (content) => scratch?.tryAgain(content),
    forget: xds.forgetRefusal,
  });
  // the view of all of it → pages and metrics; what people ask for → rollouts
  const admin = createAdminStage(
    settings,
    { ...deps, token: randomBytes(32).toString("hex") },
    {
      view,
      metrics,
      debug,
      authenticate,
      ...(mayRead && { mayRead }),
      rollouts: rollouts.rollouts.status,
      rollout: rollouts.rollouts.act,
      concerned: createConcernedProxies(publication.published.read, clock),
    },
  );

  measure(deps, store.world, view);
  // the World, and how far it has come → a line for people after a change
  const takenUp =
    given.tell === undefined
      ? []
      : [createTakenUpStage({ clock, say: given.tell }, { world: store.world, view, reach })];
  // the World of what is in force → the disk, for the next start
  const kept = store.keeping(held);
  const tried = createScratchStage(scratch);
  // how it stands with each object → its status in the cluster
  const told = cluster && { ...deps, ...cluster, view, pod: hostname() };
  const status = told && createStatusStage({ ...told, inputs: publication.published.read });
  // how far its own proxies have come → where the control plane that leads reads it
  const report = told && createReportStage(told);
  const all = [
    ...[store, kept, authority, plugins, rollouts, tried, publication, refusals, xds, refusedFiles, findings, admin],
    // the World and certificates → answers to a cluster's API server
    ...(cluster ? webhookStages(cluster, given, { world: store.world, issuer: authority.issuer }) : []),
    ...[...takenUp, lease, roots, status, report].filter((stage) => stage !== undefined),
  ];
  const failed = ({ name }: Stage, fault: unknown) =>
    logger.error({ err: fault }, `a stage of the leader failed: ${name}`);
  const stages = runStages(all, lease && { leads: lease.leads, failed });
  return { view, start: stages.start, stop: stages.stop };
}

/** A cluster and how one speaks with it. */
interface MeshCluster extends ClusterSettings {
  readonly client: ApiClient;
  /** The control plane's own. */
  readonly namespace: string;
}

function clusterOf({ cluster }: ServeSettings, { client }: ControlPlaneDeps): MeshCluster | undefined {
  if (cluster === undefined) return undefined;
  if (client === undefined) throw new ScrimError("no-client", "a cluster's API server was not given");
  return { ...cluster, client, namespace: cluster.namespace ?? client.namespace };
}

function createMeshSource(settings: ServeSettings, cluster: MeshCluster | undefined, deps: ControlPlaneDeps): Source {
  if (cluster !== undefined) return createKubernetesSource({ ...deps, ...cluster });
  if (settings.cluster === undefined) return createMeshDirectory(settings, deps);
  throw new ScrimError("no-client", "a cluster's API server was not given");
}

/** The pod's name, and something that another process under this name has not. */
function holder(): string {
  return `${hostname()}_${randomBytes(4).toString("hex")}`;
}

function webhookStages(
  { webhookAddress: address, revision, namespace, client }: MeshCluster,
  deps: ControlPlaneDeps,
  sources: Parameters<typeof createWebhookStage>[2],
): readonly Stage[] {
  if (address === undefined) return [];
  const settings = { address, revision, namespace, version: SCRIM_VERSION };
  const given = { ...deps, client };
  return [createWebhookStage(settings, given, sources), createCaBundleStage(settings, given, sources)];
}

function measure({ metrics }: ControlPlaneDeps, world: Cell<World>, view: ControlPlaneView): void {
  registerBuild(metrics, SCRIM_VERSION);
  registerControlPlaneMetrics(metrics, {
    proxies: () => view.proxies(),
    services: () => world.read().list("Service").length + world.read().list("ServiceEntry").length,
    virtualServices: () => world.read().list("VirtualService").length,
    violations: () => view.violations().length,
  });
}

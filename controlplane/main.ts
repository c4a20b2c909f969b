// The control plane: its stages in the order of the data, as one list. Each is given what it needs, and what it gives
// are cells (stages/cell.ts) that the next ones read and follow.
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { createAdminStage } from "./admin/admin-stage.ts";
import type { ControlPlane, ControlPlaneView } from "./admin/contract.ts";
import { controlPlaneIdentifier } from "./admin/debug/over-ads.ts";
import { debugAnswers, debugSources } from "./admin/debug/sources.ts";
import { createFindingsStage } from "./admin/findings.ts";
import { createTakenUpStage } from "./admin/taken-up.ts";
import { createControlPlaneView } from "./admin/view.ts";
import { createAuthorityStage } from "./ca/authority-stage.ts";
import { directoryStore } from "./ca/directory-store.ts";
import { createDiskNews } from "./disk/kept-file.ts";
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
import type { ServeSettings } from "./settings/settings.ts";
import { SCRIM_VERSION } from "./settings/version.ts";
import type { EncodedResource } from "./snapshot/encode.ts";
import { createMeshDirectory } from "./source/files/mesh-directory.ts";
import { createKubernetesSource } from "./source/kubernetes/kubernetes-source.ts";
import type { Source } from "./source/source.ts";
import { type Cell, createCell } from "./stages/cell.ts";
import { runStages } from "./stages/stage.ts";
import { createStoreStage } from "./store/store-stage.ts";
import type { Clock } from "./telemetry/clock.ts";
import { registerBuild, registerControlPlaneMetrics } from "./telemetry/control-plane-metrics.ts";
import type { Logger } from "./telemetry/logger.ts";
import type { Registry } from "./telemetry/metrics.ts";
import { createPluginStage } from "./wasm/plugin-stage.ts";
import type { World } from "./world/world.ts";
import { createIdentityFile } from "./xds/identities.ts";
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

/** Those by which proxies of this machine look the control plane up. */
const LOCAL_NAMES = { dnsNames: ["istiod.istio-system.svc", "scrim.local"], ipAddresses: ["127.0.0.1"] };

/** The control plane of one mesh directory, not yet started. */
export function createControlPlane(settings: ServeSettings, given: ControlPlaneDeps): ControlPlane {
  const { clock, logger, metrics, installation } = given;
  const deps = { ...given, news: createDiskNews(settings.stateDir, given.complain), readPage: readEnvoyPage };
  const { filtersDir } = installation;
  // What comes back from the proxies: stages before xDS go by it, too.
  const reach = createCell<Reach>(REACHES_NOBODY);
  // Whose proxies come, and who reads the debug pages.
  const identities = join(settings.runtimeDir ?? settings.stateDir, "identities.json");
  const authenticate = createIdentityFile(identities, (problem) => logger.warn({}, problem));

  // a directory's files, or a cluster's objects → batches of documents
  const source = createMeshSource(settings, deps);
  // batches of documents → the World of what is accepted, and what is wrong with the rest
  const store = createStoreStage(settings, { ...deps, source });
  // the trust domain → certificates
  const signing = directoryStore(join(settings.stateDir, "ca"), clock);
  const authority = createAuthorityStage(settings, { ...deps, store: signing, serverNames: LOCAL_NAMES }, store.world);
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
  const all = [
    ...[store, kept, authority, plugins, rollouts, tried, publication, refusals, xds, refusedFiles, findings, admin],
    ...takenUp,
  ];
  const stages = runStages(all);
  return { view, start: stages.start, stop: stages.stop };
}

function createMeshSource(settings: ServeSettings, deps: ControlPlaneDeps): Source {
  if (settings.cluster === undefined) return createMeshDirectory(settings, deps);
  const { client } = deps;
  if (client === undefined) throw new ScrimError("no-client", "a cluster's API server was not given");
  const { namespace = client.namespace, revision } = settings.cluster;
  return createKubernetesSource({ ...deps, client, namespace, revision });
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

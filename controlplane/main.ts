// The control plane: its stages in the order of the data, as one list.
//   source (files) → store → wasm (plugins) → translate → snapshot → xds
// with the certificate authority and the admin pages beside them.
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { ScrimError } from "./model/failure.ts";
import { allKinds } from "./model/kinds.ts";
import type { ControlPlane, ControlPlaneView } from "./admin/contract.ts";
import { createComplaints } from "./admin/complaints.ts";
import { createAdminServer } from "./admin/server.ts";
import { createControlPlaneView, debugAnswers, debugSources } from "./admin/view.ts";
import { openAuthority } from "./ca/authority.ts";
import { createWorkloadSecrets, type WorkloadSecrets } from "./ca/workload-secrets.ts";
import { createDiskNews, createKeptFile } from "./disk/kept-file.ts";
import { createPluginRollouts, createPlugins, surroundingsOf } from "./plugin-stage.ts";
import { markOfVersion, type Rollouts } from "./rollout/rollouts.ts";
import { serveProxies } from "./proxies/serve-proxies.ts";
import { createConcernedProxies } from "./proxies/concerned-proxies.ts";
import type { Installation } from "./settings/installation.ts";
import type { ServeSettings } from "./settings/settings.ts";
import { SCRIM_VERSION } from "./settings/version.ts";
import { type ClassSnapshots, createClassSnapshots } from "./snapshot/class-snapshots.ts";
import { coalesce } from "./snapshot/coalesce.ts";
import { createResourceEncoder } from "./snapshot/encode.ts";
import { createPublisher, publishAwaited } from "./snapshot/publisher.ts";
import { createFileSource, type FileSource } from "./source/files/file-source.ts";
import type { ParseAside } from "./source/files/parse-ahead.ts";
import { createYamlThread } from "./source/files/yaml-thread.ts";
import { ACCEPTED_OBJECTS_FILE, type AcceptedObjects, createAcceptedObjects } from "./store/accepted-objects.ts";
import { createIntake } from "./store/intake.ts";
import { createStore, type Store } from "./store/store.ts";
import { createInputs } from "./world/inputs.ts";
import type { World } from "./world/world.ts";
import type { Clock } from "./telemetry/clock.ts";
import { registerBuild, registerControlPlaneMetrics, registerRootExpiry } from "./telemetry/control-plane-metrics.ts";
import type { Logger } from "./telemetry/logger.ts";
import type { Registry } from "./telemetry/metrics.ts";
import { registerPushMetrics, registerXdsMetrics } from "./telemetry/xds-metrics.ts";
import { classKeyOf, type ProxyClass } from "./translate/ir/proxy-class.ts";
import { proxyClassOfPod } from "./proxies/proxy-class.ts";
import type { Inputs } from "./translate/resolve/modules.ts";
import { emitProxy, keepOnlyWhatIsServed, resolveProxy } from "./translate/translate.ts";
import { type BuiltinModules, loadBuiltinModules } from "./wasm/builtin-modules.ts";
import { withBudget } from "./wasm/meter/metered-module.ts";
import type { PluginFetcher } from "./wasm/plugin-fetcher.ts";
import { createIdentityFile } from "./xds/identities.ts";
import type { ServerCertificate, XdsServer } from "./xds/server.ts";

export interface ControlPlaneDeps {
  readonly logger: Logger;
  readonly clock: Clock;
  readonly metrics: Registry;
  readonly installation: Installation;
  /** From 0 up to 1, as Math.random: spreads renewals. */
  readonly random: () => number;
  /** Tells people what is wrong with their documents, a line each. */
  readonly complain: (line: string) => void;
}

const SERVER_NAMES = { dnsNames: ["istiod.istio-system.svc", "scrim.local"], ipAddresses: ["127.0.0.1"] };
/** A burst of changes is published once: after this quiet time, and at the latest after the bound. */
const QUIET_MS = 10;
/** Where only addresses came or went: they make small changes, and requests fail meanwhile. */
const ENDPOINT_QUIET_MS = 2;
const PUBLISH_AT_MOST_MS = 100;
/** However often something changes, nothing is published more often than this: ten times a second. */
const PUBLISH_APART_MS = 100;
/** What people are told, and what is kept for the next start, may be a little late. */
const TELL = { quietMs: 100, atMostMs: 1_000 };
const KEEP_AFTER_MS = 1_000;
/** How long a start waits for plugins; for those that are missing then, something stands in. */
const PLUGINS_AT_START_MS = 5_000;
const WEEK_MS = 7 * 24 * 3_600_000;

/** The control plane of one mesh directory, not yet started. */
export function createControlPlane(settings: ServeSettings, deps: ControlPlaneDeps): ControlPlane {
  const { logger, clock } = deps;
  const yaml = createYamlThread({ script: deps.installation.yamlThreadScript });
  const sources = createSources(settings, clock, yaml.parse);
  const keeping = {
    news: createDiskNews(settings.stateDir, deps.complain),
    sleep: (ms: number, signal: AbortSignal) => clock.sleep(ms, signal),
  };
  const accepted = createAcceptedObjects(join(settings.stateDir, ACCEPTED_OBJECTS_FILE), ({ kind }) => kind !== "Pod", {
    ...keeping,
    quietMs: KEEP_AFTER_MS,
  });
  const store = createStore({
    strict: settings.strict,
    remembered: accepted.read(),
    ...(settings.allowEmpty ? {} : { keeps: { name: "mesh", directory: settings.directory } }),
  });
  const intake = createIntake({ store, clock });
  const plugins = createPlugins(settings, deps);
  const rollouts = createPluginRollouts(settings, deps, {
    plugins,
    news: keeping.news,
    world: () => store.world(),
    proxies: () => running.xds?.status() ?? [],
  });
  const snapshots = createSnapshots(logger);
  const ending = new AbortController();
  const running: { xds?: XdsServer; builtins?: BuiltinModules; published?: World; inputs?: Inputs } = {};

  const pushes = registerPushMetrics(deps.metrics, clock);
  const inputsWith = (builtins: BuiltinModules): Inputs =>
    createInputs(store.world(), {
      builtin: (name) => builtins[name],
      plugin: (namespace, name, proxy) =>
        withBudget(rollouts.plugin(namespace, name, proxy), (version) =>
          markOfVersion(`${namespace}/${name}`, version),
        ),
      differsByProxy: rollouts.differsByProxy,
    });
  const publisher = createPublisher<Inputs, ProxyClass>({
    snapshots,
    clock,
    inputs: () => running.builtins && inputsWith(running.builtins),
    published(inputs) {
      running.inputs = inputs;
      running.published = inputs.world;
      keepOnlyWhatIsServed(inputs);
      pushes.pushed();
      running.xds?.notify();
    },
  });
  const take = (): void => {
    pushes.began();
    publisher.publish();
  };
  const publish = coalesce(take, { quietMs: QUIET_MS, atMostMs: PUBLISH_AT_MOST_MS, apartMs: PUBLISH_APART_MS, clock });

  const publishFor = (why: string): void => {
    pushes.triggered(why);
    publish.ask(why === "endpoint" ? ENDPOINT_QUIET_MS : QUIET_MS);
  };

  const view = createControlPlaneView({
    store,
    plugins,
    rollouts,
    published: () => running.published,
    isPending: () => publish.isPending() || publisher.isBusy(),
    xds: () => running.xds,
  });
  const debug = debugSources(view, () => running.xds);
  // The tokens of proxies, and of whoever reads the debug pages.
  const authenticate = createIdentityFile(
    join(settings.runtimeDir ?? settings.stateDir, "identities.json"),
    (problem) => logger.warn({}, problem),
  );
  const changes = {
    tokenFile: join(settings.stateDir, "admin-token"),
    token: randomBytes(32).toString("hex"),
    rollout: rollouts.act,
  };
  const tokenFile = createKeptFile({
    path: changes.tokenFile,
    content: () => `${changes.token}\n`,
    ...keeping,
    quietMs: 0,
  });
  const admin = createAdminServer({
    view,
    metrics: deps.metrics,
    address: settings.adminAddress,
    runsLocally: settings.runtimeDir !== undefined,
    debug,
    authenticate,
    rollouts: rollouts.status,
    changes,
    concerned: createConcernedProxies(() => running.inputs, clock),
  });

  return {
    view,
    async start() {
      await admin.start();
      running.builtins = await loadBuiltinModules(deps.installation.filtersDir);
      for (const source of sources) await source.start(intake.take);
      await intake.settled();
      const secrets = openCa(settings, store.world().mesh.trustDomain, deps);
      tokenFile.changed();
      plugins.update(store.world().list("WasmPlugin"), surroundingsOf(store.world()));
      await rollouts.load();
      await Promise.race([plugins.settled(), clock.sleep(PLUGINS_AT_START_MS, ending.signal)]);
      rollouts.update(store.world().list("WasmPlugin"));
      running.xds = serveProxies(settings, {
        snapshots,
        secrets,
        authenticate,
        published: () => running.published,
        debug: debugAnswers(debug, clock),
        metrics: registerXdsMetrics(deps.metrics),
        clock,
        logger,
      });
      measure(deps.metrics, store, view);
      await makeShared(snapshots, inputsWith(running.builtins), clock);
      await running.xds.listen();
      followChanges({ store, view, plugins, rollouts, accepted, publish: publishFor, deps });
      publishFor("global");
      void rollouts.watch(ending.signal);
      void secrets.watch(() => running.xds?.notify(), ending.signal);
      void renewServerCertificate(running.xds, secrets, clock, ending.signal);
    },
    async stop() {
      ending.abort();
      publish.cancel();
      publisher.cancel();
      plugins.close();
      yaml.close();
      await Promise.all(sources.map((source) => source.stop()));
      await Promise.all([accepted.flush(), tokenFile.flush(), rollouts.flush()]);
      await running.xds?.close();
      await admin.stop();
    },
  };
}

/**
 * Makes what proxies of each namespace share before one of them can ask: it takes long, and then nobody is kept
 * waiting.
 */
async function makeShared(snapshots: ClassSnapshots<Inputs, ProxyClass>, inputs: Inputs, clock: Clock): Promise<void> {
  const classes = inputs.world.list("Pod").flatMap((pod) => proxyClassOfPod(pod) ?? []);
  const one = new Map(classes.map((proxyClass) => [`${proxyClass.kind} ${proxyClass.namespace}`, proxyClass]));
  await publishAwaited(snapshots.prepare(inputs, [...one.values()]), clock);
}

/** The mesh directory, and beside it what `scrim up` says of the pods it runs. */
function createSources(
  { directory, runtimeDir, allowEmpty }: ServeSettings,
  clock: Clock,
  parseAside: ParseAside,
): readonly FileSource[] {
  const mesh = createFileSource({ directory, name: "mesh", clock, allowEmpty, parseAside });
  // Pods come and go by `scrim up`'s own word: when it says that there are none, there are none.
  return runtimeDir === undefined
    ? [mesh]
    : [
        mesh,
        createFileSource({
          directory: runtimeDir,
          name: "runtime",
          clock,
          allowEmpty: true,
          parseAside,
          include: (path) => path.endsWith(".yaml"),
        }),
      ];
}

function createSnapshots(logger: Logger): ClassSnapshots<Inputs, ProxyClass> {
  return createClassSnapshots<Inputs, ProxyClass>({
    translate: (inputs, proxy) => emitProxy(resolveProxy(inputs, proxy)),
    keyOf: classKeyOf,
    encoder: createResourceEncoder(),
    isBootstrapCluster: (name) => name === "xds-grpc",
    log: logger,
  });
}

/** Without its key the mesh has no identities to give, and says so instead of making a second root. */
function openCa(
  { stateDir, workloadLifetimeMs }: ServeSettings,
  trustDomain: string,
  { clock, random, metrics }: ControlPlaneDeps,
): WorkloadSecrets & { issueServerCertificate(): ServerCertificate } {
  const opening = openAuthority({
    directory: join(stateDir, "ca"),
    trustDomain,
    clock,
    ...(workloadLifetimeMs === undefined ? {} : { workloadLifetimeMs }),
  });
  if (opening.kind === "failed")
    throw new ScrimError(opening.code, `The certificate authority cannot start: ${opening.message}`);
  const { authority } = opening;
  registerRootExpiry(metrics, authority.rootPem, clock);
  return {
    ...createWorkloadSecrets({ authority, clock, random }),
    issueServerCertificate() {
      const { chainPem, keyPem } = authority.issueServerCertificate(SERVER_NAMES);
      return { certificate: chainPem, key: keyPem };
    },
  };
}

/** It holds for a year; renewed every week it is never near its end, however long the control plane runs. */
async function renewServerCertificate(
  xds: XdsServer,
  secrets: ReturnType<typeof openCa>,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    await clock.sleep(WEEK_MS, signal).catch(() => undefined);
    if (!signal.aborted) xds.setCertificate(secrets.issueServerCertificate());
  }
}

function measure(metrics: Registry, store: Store, view: ControlPlaneView): void {
  registerBuild(metrics, SCRIM_VERSION);
  registerControlPlaneMetrics(metrics, {
    proxies: () => view.proxies(),
    services: () => store.world().list("Service").length + store.world().list("ServiceEntry").length,
    virtualServices: () => store.world().list("VirtualService").length,
    violations: () => view.violations().length,
  });
}

interface Followed {
  readonly store: Store;
  readonly view: ControlPlaneView;
  readonly plugins: PluginFetcher;
  readonly rollouts: Rollouts;
  readonly accepted: AcceptedObjects;
  /** Why, in the words of pilot_push_triggers. */
  readonly publish: (why: string) => void;
  readonly deps: ControlPlaneDeps;
}

/** From here on, what changes at one stage moves the next. */
function followChanges({ store, view, plugins, rollouts, accepted, publish, deps }: Followed): void {
  const complaints = createComplaints(deps.complain);
  const tellNow = (): void => complaints(view.violations());
  const tell = coalesce(tellNow, { ...TELL, clock: deps.clock });
  let last = store.world();
  store.subscribe(({ world, worldChanged, violations }) => {
    // Whoever just made a mistake waits for a word; what is wrong between objects may come a little later.
    if (violations.length > 0) tellNow();
    else tell.ask();
    if (!worldChanged) return;
    plugins.update(world.list("WasmPlugin"), surroundingsOf(world));
    rollouts.update(world.list("WasmPlugin"));
    accepted.keep(world);
    publish(isOnlyAddresses(last, world) ? "endpoint" : "config");
    last = world;
  });
  plugins.onChanged(() => {
    rollouts.fetched();
    tell.ask();
    publish("plugin");
  });
  rollouts.onChanged(() => {
    tell.ask();
    publish("plugin");
  });
  // The mesh may have changed while the start waited for its plugins.
  plugins.update(store.world().list("WasmPlugin"), surroundingsOf(store.world()));
  rollouts.update(store.world().list("WasmPlugin"));
  rollouts.fetched();
  tellNow();
  accepted.keep(store.world());
}

function isOnlyAddresses(before: World, after: World): boolean {
  return (
    before.mesh === after.mesh &&
    allKinds.every((kind) => kind === "EndpointSlice" || kind === "Pod" || before.list(kind) === after.list(kind))
  );
}

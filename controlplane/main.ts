// The control plane: its stages in the order of the data, as one list.
//   source (files) → store → wasm (plugins) → translate → snapshot → xds
// with the certificate authority and the admin pages beside them.
import { join } from "node:path";
import type { ControlPlane, ControlPlaneView } from "./admin/contract.ts";
import { createComplaints } from "./admin/complaints.ts";
import { createAdminServer } from "./admin/server.ts";
import { createControlPlaneView, debugSources } from "./admin/view.ts";
import { openAuthority } from "./ca/authority.ts";
import { createWorkloadSecrets, type WorkloadSecrets } from "./ca/workload-secrets.ts";
import { spiffeId } from "./model/spiffe.ts";
import type { Installation } from "./settings/installation.ts";
import type { ServeSettings } from "./settings/settings.ts";
import { StartError } from "./settings/start-error.ts";
import { type ClassSnapshots, createClassSnapshots } from "./snapshot/class-snapshots.ts";
import { coalesce } from "./snapshot/coalesce.ts";
import { createResourceEncoder, type EncodedMap, type EncodedResources } from "./snapshot/encode.ts";
import { createFileSource, type FileSource } from "./source/files/file-source.ts";
import { ACCEPTED_OBJECTS_FILE, type AcceptedObjects, createAcceptedObjects } from "./store/accepted-objects.ts";
import { createStore, type Store } from "./store/store.ts";
import type { World } from "./store/world.ts";
import type { Clock } from "./telemetry/clock.ts";
import { registerControlPlaneMetrics } from "./telemetry/control-plane-metrics.ts";
import type { Logger } from "./telemetry/logger.ts";
import type { Registry } from "./telemetry/metrics.ts";
import { gatewayCredentials } from "./translate/gateway-credentials.ts";
import type { PluginModules } from "./translate/ir/modules.ts";
import { classKeyOf, type ProxyClass } from "./translate/ir/proxy-class.ts";
import { proxyClassOfNode, proxyClassOfPod, type UndescribedProxy } from "./translate/proxy-class.ts";
import { emitProxy, resolveProxy } from "./translate/translate.ts";
import { type BuiltinModules, loadBuiltinModules } from "./wasm/builtin-modules.ts";
import { createPluginFetcher, type PluginFetcher } from "./wasm/plugin-fetcher.ts";
import type { PluginSurroundings } from "./wasm/plugin-source.ts";
import { createProcessChecker } from "./wasm/process-checker.ts";
import { createIdentityFile } from "./xds/identities.ts";
import type { Proxy } from "./xds/node.ts";
import { createXdsServer, type ServerCertificate, type XdsServer } from "./xds/server.ts";

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

/** What every resource is made from: one state of the mesh and the plugins at hand then. */
interface Inputs {
  readonly world: World;
  readonly modules: PluginModules;
}

const SERVER_NAMES = { dnsNames: ["istiod.istio-system.svc", "scrim.local"], ipAddresses: ["127.0.0.1"] };
/** A burst of changes is published once: after this quiet time, and at the latest after the bound. */
const QUIET_MS = 10;
const PUBLISH_AT_MOST_MS = 100;
/** How long a start waits for plugins; for those that are missing then, something stands in. */
const PLUGINS_AT_START_MS = 5_000;
const WEEK_MS = 7 * 24 * 3_600_000;

/** The control plane of one mesh directory, not yet started. */
export function createControlPlane(settings: ServeSettings, deps: ControlPlaneDeps): ControlPlane {
  const { logger, clock } = deps;
  const sources = createSources(settings, clock);
  const accepted = createAcceptedObjects(join(settings.stateDir, ACCEPTED_OBJECTS_FILE), ({ kind }) => kind !== "Pod");
  const store = createStore({ strict: settings.strict, remembered: accepted.read(), ...(settings.allowEmpty ? {} : { keeps: { name: "mesh", directory: settings.directory } }) });
  const plugins = createPlugins(settings, deps);
  const snapshots = createSnapshots(logger);
  const ending = new AbortController();
  const running: { xds?: XdsServer; builtins?: BuiltinModules; published?: World } = {};

  const publish = coalesce(() => {
    const { builtins } = running;
    if (builtins === undefined) return;
    running.published = store.world();
    snapshots.setInputs({ world: running.published, modules: { builtin: (name) => builtins[name], plugin: plugins.plugin } });
    running.xds?.notify();
  }, { quietMs: QUIET_MS, atMostMs: PUBLISH_AT_MOST_MS, clock });

  const view = createControlPlaneView({ store, plugins, published: () => running.published, isPending: publish.isPending, xds: () => running.xds });
  const authenticate = createIdentityFile(identitiesFile(settings), (problem) => logger.warn({}, problem));
  const admin = createAdminServer({ view, metrics: deps.metrics, address: settings.adminAddress, runsLocally: settings.runtimeDir !== undefined, debug: debugSources(view), authenticate });

  return {
    view,
    async start() {
      await admin.start();
      running.builtins = await loadBuiltinModules(deps.installation.filtersDir);
      for (const source of sources) await source.start((batch) => store.apply(batch));
      const secrets = openCa(settings, store.world().mesh.trustDomain, deps);
      plugins.update(store.world().list("WasmPlugin"), surroundingsOf(store.world()));
      await Promise.race([plugins.settled(), clock.sleep(PLUGINS_AT_START_MS, ending.signal)]);
      running.xds = createXds(settings, { snapshots, secrets, published: () => running.published, deps });
      measure(deps.metrics, store, view);
      await running.xds.listen();
      followChanges({ store, view, plugins, accepted, publish: publish.ask, deps });
      publish.ask();
      void secrets.watch(() => running.xds?.notify(), ending.signal);
      void renewServerCertificate(running.xds, secrets, clock, ending.signal);
    },
    async stop() {
      ending.abort();
      publish.cancel();
      plugins.close();
      await Promise.all(sources.map((source) => source.stop()));
      await running.xds?.close();
      await admin.stop();
    },
  };
}

/** The mesh directory, and beside it what `scrim up` says of the pods it runs. */
function createSources({ directory, runtimeDir, allowEmpty }: ServeSettings, clock: Clock): readonly FileSource[] {
  const mesh = createFileSource({ directory, name: "mesh", clock, allowEmpty });
  // Pods come and go by `scrim up`'s own word: when it says that there are none, there are none.
  return runtimeDir === undefined ? [mesh] : [mesh, createFileSource({ directory: runtimeDir, name: "runtime", clock, allowEmpty: true, include: (path) => path.endsWith(".yaml") })];
}

function createPlugins({ cacheDir, stateDir, allowFetchFrom, plainRegistries }: ServeSettings, { clock, logger, installation }: ControlPlaneDeps): PluginFetcher {
  const checker = createProcessChecker({ script: installation.pluginCheckScript });
  return createPluginFetcher({ cacheDir, stateDir, clock, log: logger, checker, allowFetchFrom, plainRegistries });
}

/** What of the mesh a plugin's module depends on beside its own object. */
function surroundingsOf(world: World): PluginSurroundings {
  return { secret: (namespace, name) => world.get("Secret", namespace, name), pluginTrust: world.mesh.pluginTrust };
}

function createSnapshots(logger: Logger): ClassSnapshots<Inputs, ProxyClass> {
  return createClassSnapshots<Inputs, ProxyClass>({
    translate: ({ world, modules }, proxy) => emitProxy(resolveProxy(world, proxy, modules)),
    keyOf: classKeyOf,
    encoder: createResourceEncoder(),
    isBootstrapCluster: (name) => name === "xds-grpc",
    log: logger,
  });
}

/** Without its key the mesh has no identities to give, and says so instead of making a second root. */
function openCa({ stateDir, workloadLifetimeMs }: ServeSettings, trustDomain: string, { clock, random }: ControlPlaneDeps): WorkloadSecrets & { issueServerCertificate(): ServerCertificate } {
  const opening = openAuthority({ directory: join(stateDir, "ca"), trustDomain, clock, ...(workloadLifetimeMs === undefined ? {} : { workloadLifetimeMs }) });
  if (opening.kind === "refused") throw new StartError(`The certificate authority cannot start: ${opening.reason}`);
  const { authority } = opening;
  return {
    ...createWorkloadSecrets({ authority, clock, random }),
    issueServerCertificate() {
      const { chainPem, keyPem } = authority.issueServerCertificate(SERVER_NAMES);
      return { certificate: chainPem, key: keyPem };
    },
  };
}

/** It holds for a year; renewed every week it is never near its end, however long the control plane runs. */
async function renewServerCertificate(xds: XdsServer, secrets: ReturnType<typeof openCa>, clock: Clock, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await clock.sleep(WEEK_MS, signal).catch(() => undefined);
    if (!signal.aborted) xds.setCertificate(secrets.issueServerCertificate());
  }
}

interface XdsParts {
  readonly snapshots: ClassSnapshots<Inputs, ProxyClass>;
  readonly secrets: ReturnType<typeof openCa>;
  readonly published: () => World | undefined;
  readonly deps: ControlPlaneDeps;
}

/** Where the tokens of proxies and of whoever reads the debug pages are known. */
function identitiesFile({ runtimeDir, stateDir }: ServeSettings): string {
  return join(runtimeDir ?? stateDir, "identities.json");
}

/** Serves each proxy what the pod it proved to be needs. */
function createXds(settings: ServeSettings, { snapshots, secrets, published, deps }: XdsParts): XdsServer {
  const encoder = createResourceEncoder();
  const podOf = ({ identity }: Proxy) => published()?.get("Pod", identity.namespace, identity.pod);
  const resourcesFor = (proxy: Proxy): EncodedResources | undefined => {
    const world = published();
    const pod = podOf(proxy);
    // Under `scrim up` every pod is described; one that is not is on its way or gone.
    const undescribed = world !== undefined && pod === undefined && settings.runtimeDir === undefined;
    const proxyClass = undescribed ? proxyClassOfNode(world, undescribedProxy(proxy)) : pod && proxyClassOfPod(pod);
    return proxyClass && snapshots.resourcesOf(proxyClass);
  };
  return createXdsServer({
    secure: {
      host: settings.xdsAddress.address,
      port: settings.xdsAddress.port,
      certificate: secrets.issueServerCertificate(),
      authenticate: createIdentityFile(identitiesFile(settings), (problem) => deps.logger.warn({}, problem)),
    },
    resourcesFor,
    revision: () => published()?.revision ?? 0,
    secretsFor(proxy) {
      const world = published();
      const { namespace, serviceAccount } = proxy.identity;
      const own = secrets.secretsFor(spiffeId(world?.mesh.trustDomain ?? "cluster.local", namespace, serviceAccount));
      const listeners = proxy.node.kind === "router" ? resourcesFor(proxy)?.maps.listeners : undefined;
      return world === undefined || listeners === undefined ? own : new Map([...gatewayCredentials(world, namespace, secretsNamedBy(listeners)), ...own]);
    },
    encoder,
    clock: deps.clock,
    log: deps.logger,
  });
}

function undescribedProxy({ identity, node }: Proxy): UndescribedProxy {
  const { namespace, serviceAccount, pod } = identity;
  const said = node.metadata["LABELS"];
  const labels = typeof said === "object" && said !== null ? Object.entries(said).filter((entry): entry is [string, string] => typeof entry[1] === "string") : [];
  const workload = node.metadata["WORKLOAD_NAME"];
  return { kind: node.kind, namespace, serviceAccount, workload: typeof workload === "string" ? workload : pod, labels: Object.fromEntries(labels), ip: node.ip };
}

function secretsNamedBy(listeners: EncodedMap): readonly string[] {
  return [...listeners.values()].flatMap(({ references }) => references.filter(({ kind }) => kind === "secrets").map(({ name }) => name));
}

function measure(metrics: Registry, store: Store, view: ControlPlaneView): void {
  registerControlPlaneMetrics(metrics, {
    proxies: () => ({ connected: view.proxies().length, rejecting: view.proxies().filter(({ rejections }) => rejections.length > 0).length }),
    services: () => store.world().list("Service").length + store.world().list("ServiceEntry").length,
    virtualServices: () => store.world().list("VirtualService").length,
    violations: () => view.violations().length,
  });
}

interface Followed {
  readonly store: Store;
  readonly view: ControlPlaneView;
  readonly plugins: PluginFetcher;
  readonly accepted: AcceptedObjects;
  readonly publish: () => void;
  readonly deps: ControlPlaneDeps;
}

/** From here on, what changes at one stage moves the next. */
function followChanges({ store, view, plugins, accepted, publish, deps }: Followed): void {
  const keep = (world: World): void => void accepted.keep(world).catch((error: unknown) => deps.logger.error({ err: error }, "the accepted objects cannot be kept for the next start"));
  const complaints = createComplaints(deps.complain);
  const tell = (): void => complaints(view.violations());
  store.subscribe(({ world, worldChanged }) => {
    tell();
    if (!worldChanged) return;
    plugins.update(world.list("WasmPlugin"), surroundingsOf(world));
    keep(world);
    publish();
  });
  plugins.onChanged(() => {
    tell();
    publish();
  });
  // The mesh may have changed while the start waited for its plugins.
  plugins.update(store.world().list("WasmPlugin"), surroundingsOf(store.world()));
  tell();
  keep(store.world());
}

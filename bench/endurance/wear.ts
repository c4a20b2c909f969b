// consumes: how many changes, and over how long
// produces: samples of what the control plane and the Envoys hold while a day's changes, reconnects, rejections, plugin
// versions, pods and page reads pass
// never does: let names come back: what is kept by name shows
import { residentBytesOf } from "../process-cost.ts";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { freePorts } from "../../test/support/serve-settings.ts";
import { type RunningControlPlane, startControlPlane } from "./control-plane.ts";
import { DeltaProxy, type DeltaProxyCounts } from "../../test/support/delta-proxy.ts";
import type { ProcessSample } from "./messages.ts";
import { arrived } from "./arrival.ts";
import { startTraffic, type Traffic } from "./traffic.ts";
import { createWorld, type World } from "./world.ts";

/** A mesh publishes ten times a second at most: changes that come faster are one. */
const APART_MS = 100;
const SAMPLES = 40;
const SIMULATED = 20;
const REQUESTS_PER_SECOND = 5;
/** Renewed at half of it: some hundred renewals in twenty minutes. */
const CERTIFICATE_LIFETIME_MS = 120_000;
const PAGES = [
  "/metrics",
  "/debug/syncz",
  "/debug/adsz",
  "/debug/config_dump?proxyID=web-v1-0.default",
  "/debug/configz",
  "/debug/endpointz",
  "/debug/registryz",
  "/debug/push_status",
  "/synced",
  "/debug/proxies",
  "/debug/rollouts",
  "/debug/violations",
];

/** What happens every so many changes, beside a flapping endpoint. */
const EVERY = {
  route: 10,
  service: 20,
  plugin: 100,
  brokenFile: 200,
  badPlugin: 500,
  pod: 50,
  reconnect: 4,
  rejection: 25,
  page: 10,
} as const;

export interface WearSample extends ProcessSample {
  readonly changes: number;
  readonly envoyBytes: readonly number[];
  readonly envoyResidentBytes: readonly number[];
  readonly files: number;
  readonly fileBytes: number;
  readonly metricsBytes: number;
}

export interface WearResult {
  readonly changes: number;
  readonly seconds: number;
  readonly happened: Readonly<Record<string, number>>;
  readonly requests: number;
  readonly failures: readonly string[];
  readonly samples: readonly WearSample[];
  /** Lines of the control plane's log, by message. */
  readonly logged: Readonly<Record<string, number>>;
}

interface Stage {
  readonly world: World;
  readonly controlPlane: RunningControlPlane;
  readonly proxies: DeltaProxy[];
  readonly counts: DeltaProxyCounts;
  readonly happened: Record<string, number>;
  readonly open: (index: number) => DeltaProxy;
}

/** Lets it happen: as fast as a mesh publishes, or spread over so many hours. */
export async function wear(changes: number, hours: number, print: (line: string) => void): Promise<WearResult> {
  const world = await createWorld(SIMULATED);
  const ports = await freePorts();
  const controlPlane = await startControlPlane(world, ports, CERTIFICATE_LIFETIME_MS);
  const counts: DeltaProxyCounts = { connects: 0, losses: 0, responses: 0, resources: 0, rejections: 0, bytes: 0 };
  const where = {
    port: ports.xds,
    rootPem: readFileSync(join(world.directories.state, "ca", "root-cert.pem"), "utf8"),
  };
  const open = (index: number): DeltaProxy => {
    const pod = world.guests()[index];
    if (pod === undefined) throw new Error(`there is no guest ${index}`);
    const proxy = new DeltaProxy(pod, where, counts);
    proxy.connect();
    return proxy;
  };
  const stage: Stage = { world, controlPlane, counts, happened: {}, open, proxies: [] };
  let traffic: Traffic | undefined;
  try {
    await world.startEnvoys(ports.xds);
    await arrived(world);
    for (let index = 0; index < SIMULATED; index++) stage.proxies.push(open(index));
    traffic = startTraffic(world.outbound, () => ["web", "outside"], REQUESTS_PER_SECOND);
    const started = performance.now();
    const samples = await passTime(changes, Math.max(APART_MS, (hours * 3_600_000) / changes), stage, print);
    await arrived(world);
    const seconds = (performance.now() - started) / 1000;
    await traffic.stop();
    const { sent, failures } = traffic.totals();
    return {
      changes,
      seconds,
      happened: { ...stage.happened, ...counts },
      requests: sent,
      failures,
      samples,
      logged: loggedBy(controlPlane),
    };
  } finally {
    await traffic?.stop();
    for (const proxy of stage.proxies) proxy.disconnect();
    await world.close();
    await controlPlane.kill();
  }
}

async function passTime(
  changes: number,
  apartMs: number,
  stage: Stage,
  print: (line: string) => void,
): Promise<readonly WearSample[]> {
  const samples = [await sampleOf(stage, 0)];
  const each = Math.max(1, Math.floor(changes / SAMPLES));
  for (let change = 1; change <= changes; change++) {
    const started = performance.now();
    await happen(change, stage);
    if (change % each === 0) {
      const sample = await sampleOf(stage, change);
      samples.push(sample);
      print(
        `${new Date().toISOString()} ${change} changes: heap ${(sample.heapBytes / 1e6).toFixed(2)} ` +
          `MB, resident ${(sample.residentBytes / 1e6).toFixed(0)} MB, ${sample.fileDescriptors} ` +
          `descriptors, Envoys ${sample.envoyBytes.map((bytes) => (bytes / 1e6).toFixed(2)).join(" ")} ` +
          "MB",
      );
    }
    await delay(Math.max(0, apartMs - (performance.now() - started)));
  }
  return samples;
}

/** One change, and what else its number says. */
async function happen(change: number, stage: Stage): Promise<void> {
  const { world, happened } = stage;
  const isDue = (what: keyof typeof EVERY): boolean => {
    if (change % EVERY[what] !== 0) return false;
    happened[what] = (happened[what] ?? 0) + 1;
    return true;
  };
  const { route, plugin, services, endpoint } = world.state();
  world.change({ endpoint: endpoint === 0 ? 1 : 0 });
  if (isDue("route")) world.change({ route: route + 1 });
  if (isDue("plugin")) world.change({ plugin: plugin + 1 });
  if (isDue("service")) world.change({ services: services + 1 });
  if (isDue("brokenFile"))
    world.write(
      "broken.yaml",
      "apiVersion: networking.istio.io/v1\nkind: VirtualService\n" +
        `metadata: {name: broken-${change}, namespace: default}\nspec: {hosts: [`,
    );
  if (change % EVERY.brokenFile === EVERY.brokenFile / 2) world.write("broken.yaml", "");
  if (isDue("badPlugin")) world.write("bad-plugin.yaml", badPlugin(world, change));
  if (change % EVERY.badPlugin === EVERY.badPlugin / 2) world.write("bad-plugin.yaml", "");
  move(change, stage, isDue);
  if (isDue("page")) await stage.controlPlane.page(PAGES[(change / EVERY.page) % PAGES.length] ?? "/metrics");
}

/** Proxies go for ever, come back, or reject what they are sent next. */
function move(change: number, { world, proxies, open }: Stage, isDue: (what: keyof typeof EVERY) => boolean): void {
  const chosen = (every: number): number => Math.floor(change / every) % proxies.length;
  const isReplaced = isDue("pod");
  if (isReplaced) {
    const index = chosen(EVERY.pod);
    proxies[index]?.disconnect();
    world.replaceGuest(index);
    proxies[index] = open(index);
  }
  // Not both at once: a client of grpc-js that is closed while it connects leaves its connection open.
  if (!isReplaced && isDue("reconnect")) {
    const proxy = proxies[chosen(EVERY.reconnect)];
    proxy?.disconnect();
    proxy?.connect();
  }
  if (isDue("rejection")) proxies[chosen(EVERY.rejection)]?.rejectNext();
}

/** A module that is none, under a name that was never there before. */
function badPlugin(world: World, change: number): string {
  world.write(`../modules/bad-${change}.wasm`, `not a module ${change}`);
  return `apiVersion: extensions.istio.io/v1alpha1
kind: WasmPlugin
metadata: {name: bad-${change}, namespace: default}
spec:
  selector: {matchLabels: {app: nobody}}
  url: file://${join(world.directories.mesh, `../modules/bad-${change}.wasm`)}
`;
}

async function sampleOf({ world, controlPlane }: Stage, changes: number): Promise<WearSample> {
  const metricsBytes = (await controlPlane.page("/metrics")).length;
  // What is under way is not what is kept.
  await delay(500);
  const sample = await controlPlane.sample();
  const kept = [world.directories.state, world.directories.cache].flatMap((directory) =>
    readdirSync(directory, { recursive: true, encoding: "utf8" }).map((name) =>
      statSync(join(directory, name), { throwIfNoEntry: false }),
    ),
  );
  const envoyBytes = await Promise.all(
    world
      .envoys()
      .map(async (envoy) => Number((JSON.parse(await envoy.admin("/memory")) as { allocated: string }).allocated)),
  );
  return {
    ...sample,
    changes,
    envoyBytes,
    envoyResidentBytes: world.envoys().map((envoy) => residentBytesOf(envoy.pid)),
    files: kept.length,
    fileBytes: kept.reduce((sum, info) => sum + (info?.size ?? 0), 0),
    metricsBytes,
  };
}

function loggedBy(controlPlane: RunningControlPlane): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const line of controlPlane.log().split("\n").filter(Boolean)) {
    const message = /"msg":"([^"]*)"/.exec(line)?.[1] ?? line.replaceAll(/\d+/g, "N").slice(0, 120);
    counts[message] = (counts[message] ?? 0) + 1;
  }
  return counts;
}

// Consumes: the World as documents change it, what of it is published, and how far that has come among the proxies.
// Produces: a line for people when a change has reached the proxies, or has not after a while; and when a
// gateway's port opened.
// Never does: speak of what nobody wrote: pods and endpoints come and go by themselves.
import { reachedFromMachine } from "../pods/listen-port.ts";
import { basename } from "node:path";
import { allKinds } from "../model/kinds.ts";
import { type MeshObject, objectKey, refOf } from "../model/object.ts";
import { type ProxiedPod, proxiedPods } from "../pods/pod-facts.ts";
import type { Cell } from "../stages/cell.ts";
import type { Stage } from "../stages/stage.ts";
import type { Clock } from "../telemetry/clock.ts";
import type { World } from "../world/world.ts";
import type { Reach } from "../xds/reach.ts";
import type { ControlPlaneView } from "./contract.ts";

/** What a proxy that stays silent for this long is told of without. */
const PATIENCE_MS = 10_000;
const POLL_MS = 20;
/** Beyond this many objects people want their number. */
const NAMED_AT_MOST = 3;

interface TakenUpDeps {
  readonly clock: Clock;
  readonly say: (line: string) => void;
}

interface Followed {
  readonly view: Pick<ControlPlaneView, "hasUnpublishedChange">;
  readonly reach: Cell<Pick<Reach, "progress">>;
}

/** Returns the stage that tells what was taken up. */
export function createTakenUpStage(
  { clock, say }: TakenUpDeps,
  { world, ...followed }: Followed & { readonly world: Cell<World> },
): Stage {
  const ended = new AbortController();
  let last: World;
  return {
    name: "taken-up",
    async start() {
      last = world.read();
      world.subscribe((now) => {
        const before = last;
        last = now;
        for (const line of openedPorts(before, now)) say(line);
        const changes = changesBetween(before, now);
        if (changes.length > 0) void tellWhenTaken(changes, { clock, say }, followed, ended.signal);
      });
    },
    async stop() {
      ended.abort();
    },
  };
}

/** One object that was written, changed or removed. */
export interface WrittenChange {
  readonly object: MeshObject;
  readonly isGone: boolean;
}

/** Returns what people changed from one state to the next. */
export function changesBetween(before: World, after: World): readonly WrittenChange[] {
  return allKinds
    .filter((kind) => kind !== "Pod" && kind !== "EndpointSlice" && before.list(kind) !== after.list(kind))
    .flatMap((kind) => {
      const [had, has] = [new Set<MeshObject>(before.list(kind)), new Set<MeshObject>(after.list(kind))];
      const named = new Set([...has].map((object) => objectKey(refOf(object))));
      return [
        ...[...has].filter((object) => !had.has(object)).map((object) => ({ object, isGone: false })),
        ...[...had]
          .filter((object) => !has.has(object) && !named.has(objectKey(refOf(object))))
          .map((object) => ({ object, isGone: true })),
      ];
    })
    .filter(({ object }) => !isRuntimeMark(object));
}

function isRuntimeMark({ kind, metadata }: MeshObject): boolean {
  return kind === "ConfigMap" && metadata.name === "scrim-runtime";
}

/** Returns `traffic.yaml: VirtualService default/reviews`; several objects of one file stand in one line. */
export function describeChanges(changes: readonly WrittenChange[]): string {
  const files = new Set(changes.map(({ object: { origin } }) => (origin.kind === "file" ? basename(origin.path) : "")));
  const named = changes.slice(0, NAMED_AT_MOST).map(({ object: { kind, metadata }, isGone }) => {
    const own = metadata.namespace === "" ? metadata.name : `${metadata.namespace}/${metadata.name}`;
    return `${kind} ${own}${isGone ? " removed" : ""}`;
  });
  const more = changes.length - named.length;
  const where = [...files]
    .filter((file) => file !== "")
    .slice(0, NAMED_AT_MOST)
    .join(", ");
  const what = `${named.join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
  return where === "" ? what : `${where}: ${what}`;
}

/** Returns what says that a gateway listens where it did not before. */
export function openedPorts(before: World, after: World): readonly string[] {
  if (before.list("Pod") === after.list("Pod")) return [];
  const routers = readyRouters(after);
  if (routers.length === 0) return [];
  const open = new Set(readyRouters(before).flatMap(listensOf));
  return routers.flatMap((pod) =>
    pod.listens
      .filter((_, index) => !open.has(listensOf(pod)[index] ?? ""))
      .map((at) => {
        const { address, port } = reachedFromMachine(at);
        return `gateway ${pod.workload}: port ${at.port} is open on ${address}:${port}`;
      }),
  );
}

function readyRouters(world: World): readonly ProxiedPod[] {
  return proxiedPods(world).filter(({ proxy, ready }) => proxy === "router" && ready);
}

function listensOf({ workload, namespace, listens }: ProxiedPod): readonly string[] {
  return listens.map((at) => `${namespace}/${workload} ${at.port} ${reachedFromMachine(at).port}`);
}

async function tellWhenTaken(
  changes: readonly WrittenChange[],
  { clock, say }: TakenUpDeps,
  { view, reach }: Followed,
  signal: AbortSignal,
): Promise<void> {
  const beganMs = clock.monotonicMs();
  const what = describeChanges(changes);
  for (;;) {
    const tookMs = Math.round(clock.monotonicMs() - beganMs);
    const isLate = tookMs > PATIENCE_MS;
    if (isLate || !view.hasUnpublishedChange()) {
      const { proxies, settled } = reach.read().progress();
      if (isLate) return say(`${what}: ${settled} of ${proxies} proxies after ${tookMs} ms`);
      if (settled === proxies) return say(`${what}: ${proxies} of ${proxies} proxies, ${tookMs} ms`);
    }
    try {
      await clock.sleep(POLL_MS, signal);
    } catch {
      return;
    }
  }
}

import { proxy_set_effective_context } from "./abi/imports";
import { collectLater } from "./callbacks";
import { RootContext } from "./root-context";
import { StreamContext } from "./stream-context";

// Which object serves which context id. Roots are few: a list. Streams: open addressing keyed by id. Ids only grow, so
// `id & mask` spreads them evenly and a probe is nearly always a hit. Removing shifts later entries back, so there are
// no tombstones.

let makeRoot: (() => RootContext) | null = null;
const roots: Array<RootContext> = [];

let mask: i32 = 255;
let ids: StaticArray<u32> = new StaticArray<u32>(256);
let objects: StaticArray<StreamContext | null> = new StaticArray<StreamContext | null>(256);
let count: i32 = 0;

/** Names the root this module is made of: `registerRoot(() => new MyRoot())` at the top level of filter.ts. */
export function registerRoot(make: () => RootContext): void {
  makeRoot = make;
}

/** The root `id`, null if there is none. */
export function findRoot(id: u32): RootContext | null {
  for (let i = roots.length - 1; i >= 0; i--) {
    const root = unchecked(roots[i]);
    if (root.id == id) return root;
  }
  return null;
}

/** Makes the root `id`. */
export function openRoot(id: u32): void {
  const make = makeRoot;
  if (make === null) return;
  const root = make();
  root.id = id;
  roots.push(root);
}

/** Forgets the root `id` and frees its region. False if there is none. */
export function closeRoot(id: u32): bool {
  for (let i = 0; i < roots.length; i++) {
    if (roots[i].id != id) continue;
    roots[i].region.free();
    roots.splice(i, 1);
    return true;
  }
  return false;
}

/** The object that serves stream `id`, null if there is none. */
// @ts-ignore: decorator
@inline
export function findStream(id: u32): StreamContext | null {
  const at = id & mask;
  if (unchecked(ids[at]) == id) return unchecked(objects[at]);
  return probe(id);
}

function probe(id: u32): StreamContext | null {
  let at = id & mask;
  while (unchecked(ids[at]) != id) {
    if (unchecked(ids[at]) == 0) return null;
    at = (at + 1) & mask;
  }
  return unchecked(objects[at]);
}

/** Whether the host still has context `id`; host calls are about that one afterwards. */
// @ts-ignore: decorator
@inline
function isAlive(id: u32): bool {
  return proxy_set_effective_context(id) == 0;
}

/** Forgets roots that the host has no more, in modules it does not tell. `current` is the context being created. */
export function freeDeadRoots(current: u32): void {
  for (let i = roots.length - 1; i >= 0; i--) {
    if (isAlive(roots[i].id)) continue;
    roots[i].region.free();
    roots.splice(i, 1);
    collectLater();
  }
  isAlive(current);
}

/**
 * Ends streams that the host has no more, in modules it does not tell; only when the table of streams would have to
 * grow.
 */
// @ts-ignore: decorator
@inline
export function freeDeadStreams(current: u32): void {
  if ((count + 1) * 2 > mask) sweep(current);
}

function sweep(current: u32): void {
  // What is moved back into a slot already looked at waits for the next sweep.
  for (let i = 0; i <= mask; i++) {
    const id = ids[i];
    if (id != 0 && !isAlive(id)) closeStreamObject(id);
  }
  isAlive(current);
}

/** The one object that serves all streams of `root`, in modules that are done with a stream before the next begins. */
// @ts-ignore: decorator
@inline
export function objectOf(root: RootContext, id: u32): StreamContext {
  let stream = root.free;
  if (stream === null) {
    stream = makeStream(root);
    stream.owner = root;
    root.free = stream;
  }
  stream.id = id;
  return stream;
}

function makeStream(root: RootContext): StreamContext {
  const connection = root.createNetworkContext();
  if (connection !== null) return connection;
  return root.createHttpContext();
}

/** Takes a free object of `root`, or a new one, for stream `id`. */
export function openStream(id: u32, root: RootContext): StreamContext {
  let stream = root.free;
  if (stream !== null) {
    root.free = stream.nextFree;
    stream.nextFree = null;
  } else {
    stream = makeStream(root);
    stream.owner = root;
  }
  stream.id = id;
  if (++count * 2 > mask) double();
  put(id, stream);
  stream.onStart();
  return stream;
}

function put(id: u32, stream: StreamContext | null): void {
  let at = id & mask;
  while (unchecked(ids[at]) != 0) at = (at + 1) & mask;
  unchecked((ids[at] = id));
  unchecked((objects[at] = stream));
}

function double(): void {
  const oldIds = ids;
  const oldObjects = objects;
  const size = (mask + 1) * 2;
  mask = size - 1;
  ids = new StaticArray<u32>(size);
  objects = new StaticArray<StreamContext | null>(size);
  for (let i = 0; i < oldIds.length; i++) if (oldIds[i] != 0) put(oldIds[i], oldObjects[i]);
}

/** Ends stream `id`: its object is told and goes back to its root's free list. */
export function closeStreamObject(id: u32): void {
  let hole = id & mask;
  while (unchecked(ids[hole]) != id) {
    if (unchecked(ids[hole]) == 0) return;
    hole = (hole + 1) & mask;
  }
  const stream = unchecked(objects[hole])!;
  let at = hole;
  for (;;) {
    at = (at + 1) & mask;
    const next = unchecked(ids[at]);
    if (next == 0) break;
    if (((at - next) & mask) < ((at - hole) & mask)) continue;
    unchecked((ids[hole] = next));
    unchecked((objects[hole] = objects[at]));
    hole = at;
  }
  unchecked((ids[hole] = 0));
  unchecked((objects[hole] = null));
  count--;
  recycle(stream);
}

function recycle(stream: StreamContext): void {
  stream.onEnd();
  stream.id = 0;
  const root = stream.owner!;
  stream.nextFree = root.free;
  root.free = stream;
}

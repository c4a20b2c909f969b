// Consumes: batches of documents from sources.
// Produces: the accepted objects, each at its last good version, as one immutable World, and what is wrong with the
// rest.
// Never does: read files, hold back good objects because of bad ones, or change an object that others may hold.
import type { SourceBatch } from "../model/document.ts";
import { type MeshObject, objectKey, refOf } from "../model/object.ts";
import { compareViolations } from "../validate/violation.ts";
import { createEmptiedSource, type KeptSource } from "./emptied-source.ts";
import { type FileEntry, judgments, readFileEntry, type Verdicts } from "./file-entry.ts";
import { createMergedEntries, type StoreViolation } from "./merge.ts";
import { meshConfigOf } from "./mesh-config.ts";
import { changeWorld, createWorld, type World } from "../world/world.ts";

/** What listeners are told after a batch. */
export interface StoreUpdate {
  readonly world: World;
  /** False if only violations changed: then `world` is the one before. */
  readonly worldChanged: boolean;
  readonly violations: readonly StoreViolation[];
}

/** The mesh's accepted objects. */
export interface Store {
  /** Takes a batch in; listeners are called at most once, before it returns. */
  apply(batch: SourceBatch): void;
  /**
   * Returns most of the work that `apply` will have with this batch as tasks that can be done before, in any number:
   * nothing is different after them.
   */
  ahead(batch: SourceBatch): readonly (() => void)[];
  world(): World;
  /** Everything wrong now, by file and line. */
  violations(): readonly StoreViolation[];
  /** Calls `listener` after every batch that changed something; the returned function ends that. */
  subscribe(listener: (update: StoreUpdate) => void): () => void;
}

export interface StoreOptions {
  /** Deprecated aliases are errors. */
  readonly strict: boolean;
  /** What was in force when an earlier run ended: the last good versions of what cannot be read at first. */
  readonly remembered?: readonly MeshObject[];
  /** A source whose remembered objects also stay in force while it tells of no document at all. */
  readonly keeps?: KeptSource;
}

/** Returns a store without documents: it holds nothing until sources tell what there is. */
export function createStore(options: StoreOptions): Store {
  /** By source, then by file. */
  const entries = new Map<string, Map<string, FileEntry>>();
  const merged = createMergedEntries();
  const notices = new Map<string, readonly StoreViolation[]>();
  const listeners = new Set<(update: StoreUpdate) => void>();
  const remembered = rememberByFile(options.remembered ?? []);
  const emptied = createEmptiedSource(options.keeps);
  const verdicts: Verdicts = new WeakMap();
  /** What broken documents fall back to; from the first publication on, what is in force. */
  let lastGood: ReadonlyMap<string, MeshObject> = new Map(
    options.remembered?.map((object) => [objectKey(refOf(object)), object]),
  );
  let world = createWorld([], undefined, 0);
  let violations: readonly StoreViolation[] = [];

  function takeIn(batch: SourceBatch): void {
    const known = filesOf(batch);
    const put = (file: string, entry: FileEntry | undefined): void => {
      if (entry === undefined) known.delete(file);
      else known.set(file, entry);
      merged.put(batch.source, file, entry);
    };
    for (const [file, entry] of emptied.release(batch)) if (known.get(file) === entry) put(file, undefined);
    for (const snapshot of batch.source === options.keeps?.name && emptied.isHolding() ? [] : batch.files) {
      put(
        snapshot.file,
        readFileEntry(snapshot, {
          before: known.get(snapshot.file) ?? remembered.get(snapshot.file),
          lastGood,
          strict: options.strict,
          verdicts,
        }),
      );
      remembered.delete(snapshot.file);
    }
    notices.set(
      batch.source,
      batch.notices.map((notice) => ({ ...notice, severity: "error", object: "", field: "", servingLastGood: true })),
    );
  }

  /** What the source's files contribute; at its first word, what is held of an earlier run. */
  function filesOf(batch: SourceBatch): Map<string, FileEntry> {
    let files = entries.get(batch.source);
    if (files === undefined) {
      entries.set(batch.source, (files = new Map(emptied.hold(batch, remembered))));
      for (const [file, entry] of files) merged.put(batch.source, file, entry);
    }
    return files;
  }

  function publish(): void {
    const changes = merged.takeChanges();
    const next = [...merged.violations(), ...[...notices.values()].flat(), ...emptied.violations()].sort(
      compareViolations,
    );
    const worldChanged = changes.length > 0;
    const violationsChanged = JSON.stringify(next) !== JSON.stringify(violations);
    if (worldChanged) world = changeWorld(world, changes, meshConfigOf(merged.objects, world.mesh));
    lastGood = merged.objects;
    violations = next;
    if (!worldChanged && !violationsChanged) return;
    for (const listener of [...listeners]) listener({ world, worldChanged, violations });
  }

  return {
    apply(batch) {
      takeIn(batch);
      publish();
    },
    ahead: (batch) =>
      batch.files.flatMap(({ file, documents }) =>
        judgments(documents, { before: entries.get(batch.source)?.get(file), strict: options.strict, verdicts }),
      ),
    world: () => world,
    violations: () => violations,
    subscribe(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
}

/** What each file held, as if it had been read and found good. */
function rememberByFile(objects: readonly MeshObject[]): Map<string, FileEntry> {
  const entries = new Map<string, FileEntry>();
  for (const object of objects) {
    const { file } = object.location;
    const defined = new Map(entries.get(file)?.defined).set(objectKey(refOf(object)), object);
    entries.set(file, { file, judged: [], defined, held: new Map(), violations: [] });
  }
  return entries;
}

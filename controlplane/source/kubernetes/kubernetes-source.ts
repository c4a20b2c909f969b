// Consumes: a cluster's API server.
// Produces: batches of what changed of its objects that are of the mesh; the first when every kind has been heard of.
// Never does: take for gone what cannot be read, or read Secrets that nobody names.
import type { ApiClient } from "../../kubernetes/api-client.ts";
import { type CollectionState, createListWatch, type ListWatch } from "../../kubernetes/list-watch.ts";
import { resourcePath } from "../../kubernetes/resource-path.ts";
import type { SourceBatch } from "../../model/document.ts";
import { coalesce } from "../../stages/coalesce.ts";
import type { Clock } from "../../telemetry/clock.ts";
import type { Source } from "../source.ts";
import { type ClusterView, createClusterView } from "./cluster-view.ts";
import { decodeObject } from "./decode-object.ts";
import type { NamedSecrets } from "./named-secrets.ts";
import { isSettled, type Reading, readingProblems } from "./reading-report.ts";
import { meshConfigName } from "./scope.ts";
import { describeKind, type WatchedKind, watchedKinds } from "./watched-kinds.ts";

/** The name that the cluster's batches carry. */
export const CLUSTER_SOURCE = "kubernetes";

export interface KubernetesSourceOptions {
  readonly client: Pick<ApiClient, "request" | "watch">;
  /** The control plane's own. */
  readonly namespace: string;
  /** "default" for the one without a name. */
  readonly revision: string;
  readonly clock: Pick<Clock, "monotonicMs" | "sleep">;
  /** From 0 up to 1. */
  readonly random: () => number;
  /** Tells people what the start waits for, a line each. */
  readonly complain: (line: string) => void;
  /** All there are, unless given. */
  readonly kinds?: readonly WatchedKind[];
}

/** Changes that come together are told together, and soon. */
const BURST = { quietMs: 10, atMostMs: 100 } as const;
const LOOK_MS = 5_000;

/** Returns the source of a cluster's objects, not yet started. */
export function createKubernetesSource(options: KubernetesSourceOptions): Source {
  return new KubernetesSource(options);
}

/** One collection that is read: of a kind, all over the cluster or in a namespace. */
interface Reader {
  readonly reading: ListWatch;
  state: CollectionState;
  sinceMs: number;
  readonly what: string;
  readonly isNeeded: boolean;
  readonly ending: AbortController;
  readonly ended: Promise<void>;
}

class KubernetesSource implements Source {
  private readonly view: ClusterView;
  private readonly readers: Reader[] = [];
  private readonly secretReaders = new Map<string, Reader>();
  private secrets: NamedSecrets = new Map();
  private readonly ending = new AbortController();
  private tell: ((batch: SourceBatch) => void) | undefined;
  private problems = "[]";
  private readonly burst;
  private settled: () => void = () => {};

  constructor(private readonly options: KubernetesSourceOptions) {
    this.view = createClusterView(options);
    this.burst = coalesce(() => this.flush(), { ...BURST, clock: options.clock });
  }

  async start(onChange: (batch: SourceBatch) => void): Promise<void> {
    for (const kind of this.options.kinds ?? watchedKinds) if (!kind.isNamed) this.readers.push(this.read(kind));
    this.readers.push(this.readMeshConfig());
    void this.lookNowAndThen();
    await this.allSettled();
    this.readSecrets();
    await this.allSettled();
    if (this.ending.signal.aborted) return;
    this.tell = onChange;
    this.flush(true);
  }

  async stop(): Promise<void> {
    this.ending.abort();
    this.burst.cancel();
    this.settled();
    const readers = [...this.readers, ...this.secretReaders.values()];
    for (const { ending } of readers) ending.abort();
    await Promise.all(readers.map(({ ended }) => ended));
  }

  /** Tells what changed; the first time also that there is nothing. */
  private flush(isFirst = false): void {
    if (this.tell === undefined || this.ending.signal.aborted) return;
    this.readSecrets();
    const units = this.view.takeUnits();
    const notices = readingProblems(this.readings(), this.options.clock.monotonicMs());
    const text = JSON.stringify(notices);
    if (units.length === 0 && text === this.problems && !isFirst) return;
    this.problems = text;
    this.tell({ source: CLUSTER_SOURCE, units, notices });
  }

  private *readings(): Iterable<Reading> {
    yield* this.readers;
    yield* this.secretReaders.values();
  }

  private read(kind: WatchedKind, namespace?: string, query = kind.query, names?: () => ReadonlySet<string>): Reader {
    const { client, clock, random } = this.options;
    const ending = new AbortController();
    const what = `${describeKind(kind)}${namespace === undefined ? "" : ` in ${namespace}`}`;
    const paths = kind.versions.map((version) => resourcePath({ ...kind, version, namespace }));
    const reading = createListWatch({
      ...{ client, clock, random, query },
      paths: paths as [string, ...string[]],
      decode: (object, path) => {
        const decoded = decodeObject(kind, kind.versions[paths.indexOf(path)] ?? "", object);
        return names === undefined || names().has(decoded.name) ? decoded : undefined;
      },
      onChanges: (changes) => {
        this.view.take(changes);
        this.burst.ask();
      },
      onState: (state) => this.takeState(reader, state),
    });
    const reader: Reader = {
      ...{ reading, what, ending, isNeeded: kind.isNeeded, ended: reading.run(ending.signal) },
      ...{ state: { kind: "listing" }, sinceMs: clock.monotonicMs() },
    };
    return reader;
  }

  private takeState(reader: Reader, state: CollectionState): void {
    const { clock } = this.options;
    if (state.kind !== reader.state.kind) reader.sinceMs = clock.monotonicMs();
    reader.state = state;
    // A kind that is served now may be the first of several that were installed together.
    if (state.kind === "following" && this.tell !== undefined)
      for (const other of this.readers) if (other.state.kind === "absent") other.reading.askAgain();
    this.burst.ask();
    this.settled();
  }

  /** Resolves when nothing is waited for any more, or at the end. */
  private async allSettled(): Promise<void> {
    while (!this.ending.signal.aborted && ![...this.readings()].every(isSettled))
      await new Promise<void>((resolve) => {
        this.settled = resolve;
      });
  }

  private readMeshConfig(): Reader {
    const { namespace, revision } = this.options;
    const query = { fieldSelector: `metadata.name=${meshConfigName(revision)}` };
    return this.read({ ...kindNamed("ConfigMap"), isNeeded: true }, namespace, query);
  }

  /** Reads the Secrets that are named now, and no others. */
  private readSecrets(): void {
    const before = this.secrets;
    this.secrets = this.view.namedSecrets();
    for (const [namespace, names] of this.secrets) {
      const reader = this.secretReaders.get(namespace);
      if (reader === undefined) {
        const namesNow = () => this.secrets.get(namespace) ?? new Set<string>();
        this.secretReaders.set(namespace, this.read(kindNamed("Secret"), namespace, {}, namesNow));
      } else if (!isSame(names, before.get(namespace))) reader.reading.relist();
    }
    // Where nothing is named any more, the next list finds nothing to keep.
    for (const namespace of before.keys())
      if (!this.secrets.has(namespace)) this.secretReaders.get(namespace)?.reading.relist();
  }

  /** What lasts is worth telling, though nothing changes any more. */
  private async lookNowAndThen(): Promise<void> {
    const { clock, complain } = this.options;
    let told = "";
    for (;;) {
      await clock.sleep(LOOK_MS, this.ending.signal).catch(() => undefined);
      if (this.ending.signal.aborted) return;
      if (this.tell !== undefined) this.flush();
      else {
        const line = waitingFor([...this.readings()]);
        if (line !== told) complain(line);
        told = line;
      }
    }
  }
}

function kindNamed(name: string): WatchedKind {
  const found = watchedKinds.find(({ kind }) => kind === name);
  if (found === undefined) throw new RangeError(`${name} is not read`);
  return found;
}

function isSame(a: ReadonlySet<string>, b: ReadonlySet<string> = new Set()): boolean {
  return a.size === b.size && [...a].every((name) => b.has(name));
}

function waitingFor(readings: readonly Reading[]): string {
  const waiting = readings.filter((reading) => !isSettled(reading));
  const causes = new Set(waiting.flatMap(({ state }) => ("message" in state ? [state.message] : [])));
  const kinds = waiting.map(({ what }) => what).join(", ");
  return `waiting for the API server before anything is served: ${kinds}${causes.size > 0 ? ` (${[...causes].join("; ")})` : ""}`;
}

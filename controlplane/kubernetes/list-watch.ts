// Consumes: one collection of objects of an API server, as it changes.
// Produces: what changed, from the first whole list on, and how it stands with reading it.
// Never does: tell a part of a list, or take for gone what it merely cannot read.
import { failed } from "../model/failure.ts";
import { isJsonObject } from "../model/json-object.ts";
import type { Clock } from "../telemetry/clock.ts";
import type { Answered, ApiClient, WatchEnd, WatchEvent } from "./api-client.ts";
import { pauseAfter } from "./backoff.ts";
import { type Changes, createKnownObjects, type KnownObjects, type Listed, type Listing } from "./known-objects.ts";
import { describeAnswer } from "./status.ts";

/** How it stands with a collection. */
export type CollectionState =
  /** Its first list is not there yet. */
  | { readonly kind: "listing" }
  /** What was told is how it is, or a moment behind. */
  | { readonly kind: "following" }
  /** The server does not serve it: there are no objects. Asked for again now and then. */
  | { readonly kind: "absent" }
  /** What was told stays. */
  | { readonly kind: "forbidden"; readonly message: string }
  | { readonly kind: "unreadable"; readonly message: string };

export interface ListWatchOptions<T> {
  readonly client: Pick<ApiClient, "request" | "watch">;
  /** The collection's path, in each version that will do: the first that is served is read. */
  readonly paths: readonly [string, ...string[]];
  /** Selectors. */
  readonly query?: Readonly<Record<string, string>>;
  /**
   * What is kept of an object until it is told: much less than came, best; undefined leaves it out. `path` is the one
   * that is read.
   */
  readonly decode: (object: Readonly<Record<string, unknown>>, path: string) => T | undefined;
  readonly onChanges: (changes: Changes<T>) => void;
  readonly onState: (state: CollectionState) => void;
  readonly clock: Pick<Clock, "monotonicMs" | "sleep">;
  /** From 0 up to 1. */
  readonly random: () => number;
}

export interface ListWatch {
  /** Reads until the signal; then it resolves. */
  run(signal: AbortSignal): Promise<void>;
  /** Asks at once again where it was waiting to. */
  askAgain(): void;
  /** Lists all again, since what `decode` leaves out has changed. */
  relist(): void;
}

const PAGE = 500;
/** An API server that starts may not know yet of kinds that it serves. */
const TAKEN_FOR_GONE_MS = 60_000;
const INITIAL_EVENTS_END = "k8s.io/initial-events-end";

/** Returns the reading of a collection, not yet begun. */
export function createListWatch<T>(options: ListWatchOptions<T>): ListWatch {
  return new CollectionReader(options);
}

class CollectionReader<T> implements ListWatch {
  private readonly known: KnownObjects<T> = createKnownObjects();
  /** From where to follow on; undefined: a list is needed. */
  private version: string | undefined;
  private place = 0;
  private offersWatchList = true;
  private failures = 0;
  private absentSinceMs: number | undefined;
  private state = "listing";
  private wake: () => void = () => {};
  private reading = new AbortController();

  constructor(private readonly options: ListWatchOptions<T>) {}

  askAgain(): void {
    this.wake();
  }

  relist(): void {
    this.version = undefined;
    this.reading.abort();
    this.wake();
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, random } = this.options;
    const stop = () => this.reading.abort();
    signal.addEventListener("abort", stop);
    while (!signal.aborted) {
      const beganMs = clock.monotonicMs();
      this.reading = new AbortController();
      const isStale = this.reading.signal;
      const end = await this.read(isStale);
      if (signal.aborted) return;
      if (isStale.aborted) continue;
      this.failures = this.judge(end) ? this.failures + 1 : 0;
      const lastedMs = clock.monotonicMs() - beganMs;
      await this.pause(pauseAfter(end, { failures: this.failures, lastedMs, random: random() }), signal);
    }
  }

  private get path(): string {
    return this.options.paths[this.place] ?? this.options.paths[0];
  }

  private async read(signal: AbortSignal): Promise<WatchEnd> {
    if (this.version === undefined && !this.offersWatchList) {
      const end = await this.listPages(signal);
      if (this.version === undefined) return end;
    }
    if (this.version !== undefined) return this.follow({ resourceVersion: this.version }, undefined, signal);
    const whole = { sendInitialEvents: "true", resourceVersionMatch: "NotOlderThan" };
    return this.follow(whole, this.known.list(), signal);
  }

  private async listPages(signal: AbortSignal): Promise<WatchEnd> {
    const { client, query } = this.options;
    const listing = this.known.list();
    let next: Readonly<Record<string, string>> = {};
    for (;;) {
      const page = { ...query, limit: String(PAGE), ...next };
      const answer = await client.request({ method: "GET", path: this.path, query: page, signal });
      if (answer.kind === "failed" || answer.status !== 200) return answer;
      const { items, metadata } = isJsonObject(answer.body) ? answer.body : {};
      if (!Array.isArray(items) || !isJsonObject(metadata))
        return failed("unreachable", `the answer to ${this.path} is no list`);
      for (const item of items) this.takeListed(item, listing);
      if (typeof metadata["continue"] !== "string" || metadata["continue"] === "") {
        this.finish(listing, String(metadata["resourceVersion"] ?? ""));
        return { kind: "closed" };
      }
      next = { continue: metadata["continue"] };
    }
  }

  private follow(
    from: Readonly<Record<string, string>>,
    listing: Listing<T> | undefined,
    signal: AbortSignal,
  ): Promise<WatchEnd> {
    const { client, query, random } = this.options;
    let open = listing;
    // A server ends watches that do not say how long they want to be; all at once, after a restart.
    const timeoutSeconds = String(300 + Math.floor(random() * 300));
    const onEvent = ({ type, object }: WatchEvent): void => {
      if (type !== "BOOKMARK" && open !== undefined) return this.takeListed(object, open);
      const { resourceVersion, annotations } = metadataOf(object);
      if (type !== "BOOKMARK") this.takeEvent(type, object);
      else if (open !== undefined && isJsonObject(annotations) && annotations[INITIAL_EVENTS_END] === "true") {
        this.finish(open, String(resourceVersion));
        open = undefined;
      }
      if (open === undefined && typeof resourceVersion === "string") this.version = resourceVersion;
    };
    return client.watch(
      this.path,
      { ...query, ...from, allowWatchBookmarks: "true", timeoutSeconds },
      onEvent,
      signal,
      () => listing === undefined && this.say({ kind: "following" }),
    );
  }

  private takeListed(object: unknown, listing: Listing<T>): void {
    const listed = this.listedOf(object);
    if (listed !== undefined) listing.add(listed);
  }

  private takeEvent(type: WatchEvent["type"], object: unknown): void {
    const { uid } = metadataOf(object);
    const listed = type === "DELETED" ? undefined : this.listedOf(object);
    const changes =
      listed !== undefined ? this.known.put(listed) : typeof uid === "string" ? this.known.remove(uid) : undefined;
    if (changes !== undefined) this.options.onChanges(changes);
  }

  private listedOf(object: unknown): Listed<T> | undefined {
    const { uid, resourceVersion } = metadataOf(object);
    if (!isJsonObject(object) || typeof uid !== "string" || typeof resourceVersion !== "string") return undefined;
    const value = this.options.decode(object, this.path);
    return value === undefined ? undefined : { uid, resourceVersion, value };
  }

  private finish(listing: Listing<T>, version: string): void {
    if (this.reading.signal.aborted) return;
    this.version = version;
    const changes = listing.end();
    if (changes.put.length > 0 || changes.gone.length > 0) this.options.onChanges(changes);
    this.say({ kind: "following" });
  }

  /** Draws the consequences of an end; returns whether it was a failure. */
  private judge(end: WatchEnd): boolean {
    if (end.kind === "answer" && end.status === 404) return this.judgeAbsent();
    this.absentSinceMs = undefined;
    if (end.kind === "closed") return false;
    if (end.kind === "failed") return this.fail(end.message);
    if (isTooOld(end)) {
      const isRepeated = this.version === undefined;
      this.version = undefined;
      return isRepeated;
    }
    if (end.status === 403) {
      this.say({ kind: "forbidden", message: describeAnswer(end) });
      return true;
    }
    const refusesWatchList = this.version === undefined && this.offersWatchList && isRefusal(end);
    if (refusesWatchList) this.offersWatchList = false;
    return refusesWatchList ? false : this.fail(describeAnswer(end));
  }

  private judgeAbsent(): boolean {
    this.version = undefined;
    this.place = (this.place + 1) % this.options.paths.length;
    if (this.place !== 0) return false;
    const nowMs = this.options.clock.monotonicMs();
    this.absentSinceMs ??= nowMs;
    const isGone = this.known.size() === 0 || nowMs - this.absentSinceMs >= TAKEN_FOR_GONE_MS;
    if (!isGone) return this.fail("the API server does not serve it any more");
    const changes = this.known.list().end();
    if (changes.gone.length > 0) this.options.onChanges(changes);
    this.say({ kind: "absent" });
    return true;
  }

  private fail(message: string): true {
    this.say({ kind: "unreadable", message });
    return true;
  }

  private say(state: CollectionState): void {
    const text = JSON.stringify(state);
    if (text === this.state) return;
    this.state = text;
    this.options.onState(state);
  }

  private async pause(ms: number, signal: AbortSignal): Promise<void> {
    if (ms === 0) return;
    const over = new AbortController();
    const woken = new Promise<void>((resolve) => {
      this.wake = resolve;
    });
    const stop = () => over.abort();
    signal.addEventListener("abort", stop);
    await Promise.race([this.options.clock.sleep(ms, over.signal).catch(() => undefined), woken]);
    this.wake = () => {};
    signal.removeEventListener("abort", stop);
    over.abort();
  }
}

function metadataOf(object: unknown): Readonly<Record<string, unknown>> {
  const metadata: unknown = isJsonObject(object) ? object["metadata"] : undefined;
  return isJsonObject(metadata) ? metadata : {};
}

/** What was asked for is forgotten, or of a time that the server, restored from a backup, has not seen. */
function isTooOld({ status, body }: Answered): boolean {
  return status === 410 || (status === 504 && JSON.stringify(body).includes("ResourceVersionTooLarge"));
}

/** How servers without the feature answer a watch that is to begin with all there is. */
function isRefusal({ status }: Answered): boolean {
  return status === 400 || status === 422;
}

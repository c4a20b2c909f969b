// Consumes: a cluster's namespaces, and what its authority's proxies are to trust.
// Produces: the ConfigMap in each namespace from which proxies have the roots before they can ask for anything.
// Never does: write what is right already, or touch what else stands in such a ConfigMap.
import { isJsonObject } from "../model/json-object.ts";
import type { ApiClient } from "../kubernetes/api-client.ts";
import type { Changes } from "../kubernetes/known-objects.ts";
import { createListWatch } from "../kubernetes/list-watch.ts";
import { resourcePath } from "../kubernetes/resource-path.ts";
import { applyObject } from "../kubernetes/server-side-apply.ts";
import { describeAnswer, isDone } from "../kubernetes/status.ts";
import type { Cell } from "../stages/cell.ts";
import type { Stage } from "../stages/stage.ts";
import type { Clock } from "../telemetry/clock.ts";
import type { Logger } from "../telemetry/logger.ts";
import type { Issuer } from "./authority-stage.ts";

/** Where Istio's users and pods' volumes look for it. */
export const ROOT_CONFIG_MAP = "istio-ca-root-cert";
const KEY = "root-cert.pem";
const LABELS = { "istio.io/config": "true" };
/** As in Istio: nobody runs a proxy in these. */
const IGNORED: ReadonlySet<string> = new Set(["kube-public", "kube-node-lease", "local-path-storage"]);

interface RootConfigMapsDeps {
  readonly client: Pick<ApiClient, "request" | "watch">;
  readonly clock: Pick<Clock, "monotonicMs" | "sleep">;
  readonly logger: Pick<Logger, "warn">;
  /** From 0 up to 1. */
  readonly random: () => number;
}

/** A namespace or a ConfigMap in it; `roots` is what it says as it should, undefined where it does not. */
interface Seen {
  readonly namespace: string;
  readonly isEnding?: boolean;
  readonly roots?: string | undefined;
}

const WRITES_AT_ONCE = 8;
const RETRY_MS = 2_000;

/** Returns the stage that keeps them. */
export function createRootConfigMaps(deps: RootConfigMapsDeps, issuer: Cell<Issuer | undefined>): Stage {
  let running = Promise.resolve();
  return {
    name: "root ConfigMaps",
    runsOn: "leader",
    async start(signal) {
      running = keepAll(deps, issuer, signal);
    },
    stop: () => running,
  };
}

async function keepAll(deps: RootConfigMapsDeps, issuer: Cell<Issuer | undefined>, signal: AbortSignal): Promise<void> {
  const namespaces = createSeen();
  const configMaps = createSeen();
  const writer = createWriter(deps, signal, (namespace) => {
    const roots = issuer.read()?.rootPem;
    const isWanted = namespaces.of(namespace)?.isEnding === false && !IGNORED.has(namespace);
    return isWanted && configMaps.of(namespace)?.roots !== roots ? roots : undefined;
  });
  const isRead = new Set<string>();
  const look = (names: Iterable<string>): void => {
    // Until both are read everything would seem to be missing.
    if (isRead.size === 2) writer.look(names);
  };
  const read = (
    path: string,
    query: Readonly<Record<string, string>>,
    seen: SeenObjects,
    decode: (o: object) => Seen,
  ) =>
    createListWatch<Seen>({
      ...{ client: deps.client, clock: deps.clock, random: deps.random, paths: [path], query, decode },
      onChanges: (changes) => look(seen.take(changes)),
      onState({ kind }) {
        if (kind !== "following" || isRead.has(path)) return;
        isRead.add(path);
        look(namespaces.names());
      },
    }).run(signal);
  const unfollow = issuer.subscribe(() => look(namespaces.names()));
  const list = (plural: string) => resourcePath({ group: "", version: "v1", plural });
  await Promise.all([
    read(list("namespaces"), {}, namespaces, namespaceOf),
    read(list("configmaps"), { fieldSelector: `metadata.name=${ROOT_CONFIG_MAP}` }, configMaps, configMapOf),
  ]);
  unfollow();
  await writer.ended();
}

interface SeenObjects {
  of(namespace: string): Seen | undefined;
  names(): readonly string[];
  /** Returns the namespaces that something changed for. */
  take(changes: Changes<Seen>): ReadonlySet<string>;
}

function createSeen(): SeenObjects {
  const byUid = new Map<string, Seen>();
  const byNamespace = new Map<string, Seen>();
  return {
    of: (namespace) => byNamespace.get(namespace),
    names: () => [...byNamespace.keys()],
    take({ put, gone }) {
      const changed = new Set<string>();
      for (const uid of gone) {
        const last = byUid.get(uid);
        byUid.delete(uid);
        if (last === undefined || byNamespace.get(last.namespace) !== last) continue;
        byNamespace.delete(last.namespace);
        changed.add(last.namespace);
      }
      for (const { uid, value } of put) {
        byUid.set(uid, value);
        byNamespace.set(value.namespace, value);
        changed.add(value.namespace);
      }
      return changed;
    },
  };
}

function namespaceOf(object: object): Seen {
  const { metadata, status } = object as Readonly<Record<string, unknown>>;
  const { name, deletionTimestamp } = isJsonObject(metadata) ? metadata : {};
  const isEnding = deletionTimestamp !== undefined || (isJsonObject(status) && status["phase"] === "Terminating");
  return { namespace: String(name), isEnding };
}

function configMapOf(object: object): Seen {
  const { metadata, data } = object as Readonly<Record<string, unknown>>;
  const { namespace, labels } = isJsonObject(metadata) ? metadata : {};
  const isLabelled = isJsonObject(labels) && Object.entries(LABELS).every(([name, value]) => labels[name] === value);
  const roots = isLabelled && isJsonObject(data) && typeof data[KEY] === "string" ? data[KEY] : undefined;
  return { namespace: String(namespace), roots };
}

/** Writes, a few at a time, what is due for the namespaces that are looked at, and again what could not be written. */
function createWriter(
  { client, clock, logger }: RootConfigMapsDeps,
  signal: AbortSignal,
  dueFor: (namespace: string) => string | undefined,
) {
  const waiting = new Set<string>();
  const working = new Set<Promise<void>>();
  let trouble = "";
  const write = async (namespace: string): Promise<void> => {
    const roots = dueFor(namespace);
    if (roots === undefined) return;
    const path = resourcePath({ group: "", version: "v1", plural: "configmaps", namespace, name: ROOT_CONFIG_MAP });
    const metadata = { name: ROOT_CONFIG_MAP, namespace, labels: LABELS };
    const object = { apiVersion: "v1", kind: "ConfigMap", metadata, data: { [KEY]: roots } };
    const answer = await applyObject(client, path, object, { signal });
    if (signal.aborted || (answer.kind === "answer" && isDone(answer))) return;
    // A namespace that ended meanwhile takes nothing more.
    if (answer.kind === "answer" && answer.status === 404) return;
    const why = answer.kind === "failed" ? answer.message : describeAnswer(answer);
    if (why !== trouble) logger.warn({}, `the ConfigMap ${namespace}/${ROOT_CONFIG_MAP} cannot be written: ${why}`);
    trouble = why;
    await clock.sleep(RETRY_MS, signal).catch(() => undefined);
    waiting.add(namespace);
  };
  const go = (): void => {
    for (const namespace of waiting) {
      if (working.size >= WRITES_AT_ONCE || signal.aborted) return;
      waiting.delete(namespace);
      const work = write(namespace).finally(() => {
        working.delete(work);
        go();
      });
      working.add(work);
    }
  };
  return {
    look(namespaces: Iterable<string>): void {
      for (const namespace of namespaces) waiting.add(namespace);
      go();
    },
    async ended(): Promise<void> {
      while (working.size > 0) await Promise.all(working);
    },
  };
}

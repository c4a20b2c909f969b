// Consumes: the statuses that are due.
// Produces: them in the cluster, under a name of our own; an Event where its author must see what is wrong.
// Never does: write to another object that took the name, or what others say in a status.
import { createHash } from "node:crypto";
import { isJsonObject } from "../model/json-object.ts";
import { type Kind, kindDefinitions, pluralOf } from "../model/kinds.ts";
import { objectKey, type ObjectRef } from "../model/object.ts";
import type { ApiAnswer, ApiClient } from "../kubernetes/api-client.ts";
import { resourcePath } from "../kubernetes/resource-path.ts";
import { applyObject } from "../kubernetes/server-side-apply.ts";
import { describeAnswer, isDone } from "../kubernetes/status.ts";
import type { Condition } from "./conditions.ts";
import type { JudgedObject } from "./judge-objects.ts";
import type { Status, WrittenStatus } from "./pace.ts";

/** Whose the fields are that say how it stands with an object. */
export const STATUS_MANAGER = "scrim-status";

interface StatusWriterDeps {
  readonly api: Pick<ApiClient, "request">;
  readonly clock: { nowMs(): number; monotonicMs(): number };
  /** Told once for each trouble. */
  readonly warn: (problem: string) => void;
}

/** A condition as it stands in an object. */
interface WrittenCondition extends Condition {
  readonly lastTransitionTime: string;
}

interface Known extends WrittenStatus {
  readonly conditions: readonly WrittenCondition[];
}

export interface StatusWriter {
  /** What is known to stand in the cluster. */
  written(ref: ObjectRef): WrittenStatus | undefined;
  /** Reads what stands in the cluster now of these kinds; what cannot be read is written anew. */
  read(kinds: readonly Kind[], signal: AbortSignal): Promise<void>;
  /** Writes one; what could not be written is due again. */
  write(judged: JudgedObject, signal: AbortSignal): Promise<void>;
  /** Forgets objects that are not there any more. */
  keepOnly(refs: Iterable<ObjectRef>): void;
}

/** Returns a writer that knows nothing yet. */
export function createStatusWriter(deps: StatusWriterDeps): StatusWriter {
  const { api, clock } = deps;
  const known = new Map<string, Known>();
  let trouble = "";
  const fail = (what: string, answer: ApiAnswer): void => {
    const why = answer.kind === "failed" ? answer.message : describeAnswer(answer);
    if (why !== trouble) deps.warn(`${what}: ${why}`);
    trouble = why;
  };
  return {
    written: (ref) => known.get(objectKey(ref)),
    async read(kinds, signal) {
      known.clear();
      for (const kind of kinds)
        for await (const object of listAll(api, kind, signal)) {
          const found = statusIn(object, clock.monotonicMs());
          if (found !== undefined) known.set(objectKey({ kind, ...found.name }), found.status);
        }
    },
    async write(judged, signal) {
      const key = objectKey(judged.ref);
      const target = await targetOf(api, judged, signal);
      if (target.kind === "gone") return;
      if (target.kind !== "target") return fail(`the status of ${key} cannot be written`, target);
      const before = known.get(key);
      const conditions = withTimes(judged.status, before, new Date(clock.nowMs()).toISOString());
      const answer = await applyObject(api, target.path, bodyOf(target, judged, conditions), {
        fieldManager: STATUS_MANAGER,
        signal,
      });
      if (signal.aborted) return;
      // It was deleted, or another one has its name, which will be judged by itself.
      if (answer.kind === "answer" && (answer.status === 404 || answer.status === 409)) return;
      if (answer.kind === "failed" || !isDone(answer)) return fail(`the status of ${key} cannot be written`, answer);
      trouble = "";
      known.set(key, { ...judged.status, conditions, writtenAtMs: clock.monotonicMs() });
      if (isNews(judged.status, before)) await tellAuthor(deps, target, judged, signal);
    },
    keepOnly(refs) {
      const there = new Set([...refs].map(objectKey));
      for (const key of known.keys()) if (!there.has(key)) known.delete(key);
    },
  };
}

/** An object as it is addressed. */
interface Target {
  readonly kind: "target";
  readonly apiVersion: string;
  readonly uid: string;
  readonly generation: number | undefined;
  /** Of its status. */
  readonly path: string;
}

/** A version that was refused is not known here: it is asked for. */
async function targetOf(
  api: Pick<ApiClient, "request">,
  { ref, object, isWrong }: JudgedObject,
  signal: AbortSignal,
): Promise<Target | { readonly kind: "gone" } | ApiAnswer> {
  const { kind, namespace, name } = ref;
  const origin = object?.origin;
  if (!isWrong && object !== undefined && origin?.kind === "kubernetes") {
    const { apiVersion, metadata } = object;
    const path = pathOf(apiVersion, kind, namespace, name, "status");
    return { kind: "target", apiVersion, uid: origin.uid, generation: metadata.generation, path };
  }
  for (const apiVersion of kindDefinitions[kind].apiVersions) {
    const answer = await api.request({ method: "GET", path: pathOf(apiVersion, kind, namespace, name), signal });
    if (answer.kind === "answer" && answer.status === 404) continue;
    if (answer.kind === "failed" || !isDone(answer)) return answer;
    const { uid, generation } = metadataOf(answer.body);
    return {
      ...{ kind: "target", apiVersion, uid: String(uid) },
      generation: typeof generation === "number" ? generation : undefined,
      path: pathOf(apiVersion, kind, namespace, name, "status"),
    };
  }
  return { kind: "gone" };
}

function pathOf(apiVersion: string, kind: Kind, namespace?: string, name?: string, subresource?: string): string {
  const [version = "", group = ""] = apiVersion.split("/").reverse();
  const rest = { ...(name !== undefined && { name }), ...(subresource !== undefined && { subresource }) };
  return resourcePath({ group, version, plural: pluralOf(kind), namespace, ...rest });
}

function metadataOf(object: unknown): Readonly<Record<string, unknown>> {
  return isJsonObject(object) && isJsonObject(object["metadata"]) ? object["metadata"] : {};
}

/** A condition keeps the time since when its status is what it is. */
function withTimes({ conditions }: Status, before: Known | undefined, now: string): readonly WrittenCondition[] {
  return conditions.map((condition) => {
    const last = before?.conditions.find(({ type }) => type === condition.type);
    return { ...condition, lastTransitionTime: last?.status === condition.status ? last.lastTransitionTime : now };
  });
}

function bodyOf(
  { apiVersion, uid, generation }: Target,
  { ref }: JudgedObject,
  conditions: readonly WrittenCondition[],
) {
  const observed = generation !== undefined && { observedGeneration: generation };
  return {
    ...{ apiVersion, kind: ref.kind },
    metadata: { name: ref.name, namespace: ref.namespace, uid },
    status: { ...observed, conditions: conditions.map((condition) => ({ ...condition, ...observed })) },
  };
}

async function* listAll(api: Pick<ApiClient, "request">, kind: Kind, signal: AbortSignal): AsyncGenerator<unknown> {
  for (const apiVersion of kindDefinitions[kind].apiVersions) {
    for (let next = ""; ; ) {
      const query = { limit: "500", ...(next !== "" && { continue: next }) };
      const answer = await api.request({ method: "GET", path: pathOf(apiVersion, kind), query, signal });
      if (answer.kind === "answer" && answer.status === 404) break;
      if (answer.kind === "failed" || !isDone(answer) || !isJsonObject(answer.body)) return;
      const { items } = answer.body;
      if (Array.isArray(items)) yield* items;
      const token: unknown = metadataOf(answer.body)["continue"];
      if (typeof token !== "string" || token === "") return;
      next = token;
    }
  }
}

/** What stands in an object of ours; undefined: nothing. */
function statusIn(object: unknown, nowMs: number) {
  const { name, namespace } = metadataOf(object);
  const status = isJsonObject(object) && isJsonObject(object["status"]) ? object["status"] : {};
  const all = Array.isArray(status["conditions"]) ? (status["conditions"] as readonly unknown[]) : [];
  const conditions = all.flatMap(readCondition);
  if (conditions.length === 0) return undefined;
  const generation = status["observedGeneration"];
  return {
    name: { namespace: String(namespace ?? ""), name: String(name) },
    status: {
      ...{ conditions, writtenAtMs: nowMs },
      generation: typeof generation === "number" ? generation : undefined,
    },
  };
}

const TYPES: ReadonlySet<unknown> = new Set(["Accepted", "Distributed", "Rejected"]);

function readCondition(value: unknown): readonly WrittenCondition[] {
  if (!isJsonObject(value) || !TYPES.has(value["type"])) return [];
  const { type, status, reason, message, lastTransitionTime } = value;
  return [
    {
      ...{ type: type as Condition["type"], status: status === "True" ? "True" : "False" },
      ...{ reason: String(reason ?? ""), message: String(message ?? "") },
      lastTransitionTime: String(lastTransitionTime ?? ""),
    },
  ];
}

function complaintOf({ conditions }: Status): string | undefined {
  const rejected = conditions.find(({ type }) => type === "Rejected");
  const accepted = conditions.find(({ type }) => type === "Accepted");
  return rejected && `${accepted?.message}; ${rejected.message}`;
}

/** Whether something is wrong that its author was not told yet. */
function isNews(status: Status, before: Status | undefined): boolean {
  const complaint = complaintOf(status);
  return complaint !== undefined && complaint !== (before && complaintOf(before));
}

/** Another control plane that leads later does not tell it again: the Event's name says what it tells. */
async function tellAuthor(
  { api, clock, warn }: StatusWriterDeps,
  { apiVersion, uid }: Target,
  { ref, status }: JudgedObject,
  signal: AbortSignal,
): Promise<void> {
  const { kind, namespace, name } = ref;
  const message = (complaintOf(status) ?? "").slice(0, 1_000);
  const digest = createHash("sha256").update(`${uid} ${message}`).digest("hex").slice(0, 16);
  const at = new Date(clock.nowMs()).toISOString().replace(/\.\d+/, "");
  const answer = await api.request({
    ...{ method: "POST", path: resourcePath({ group: "", version: "v1", plural: "events", namespace }), signal },
    body: {
      ...{ apiVersion: "v1", kind: "Event", metadata: { name: `${name.slice(0, 200)}.${digest}`, namespace } },
      involvedObject: { apiVersion, kind, namespace, name, uid },
      ...{ type: "Warning", reason: "Rejected", message, action: "Judged" },
      ...{ count: 1, firstTimestamp: at, lastTimestamp: at },
      ...{ source: { component: "scrim" }, reportingComponent: "scrim.mesh/control-plane", reportingInstance: "scrim" },
    },
  });
  if (answer.kind === "failed") return;
  if (!isDone(answer) && answer.status !== 409) warn(`an Event cannot be written: ${describeAnswer(answer)}`);
}

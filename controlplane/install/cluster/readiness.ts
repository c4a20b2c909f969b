// Whether what was applied works, and what is wrong when it does not.
import type { Clock } from "../../telemetry/clock.ts";
import type { KubernetesObject } from "../description/render.ts";
import { at, type Cluster, listAt, type LiveObject } from "./cluster.ts";
import { nameOf, pathOf } from "./resource-kinds.ts";
import { diagnosePods } from "./pod-diagnosis.ts";

const POLL_MS = 250;
/** After so long without a change it is told what keeps it. */
const IMPATIENT_AFTER_MS = 15_000;

/** What is waited for, and how long. */
export interface Waiting {
  readonly cluster: Cluster;
  readonly clock: Pick<Clock, "monotonicMs" | "sleep">;
  readonly deadlineMs: number;
  /** Told of what is waited for whenever that changes. */
  readonly report: (line: string) => void;
}

/** Returns what an object still lacks, as a clause; undefined: it is ready. Of most kinds nothing is expected. */
export function missingOf(live: LiveObject): string | undefined {
  switch (live.kind) {
    case "CustomResourceDefinition":
      return hasCondition(live, "Established") ? undefined : "is not served yet";
    case "Deployment":
      return missingReplicas(live);
    case "MutatingWebhookConfiguration":
      return listAt(live, "webhooks").every((webhook) => Boolean(at(webhook, "clientConfig", "caBundle")))
        ? undefined
        : "has no certificate of the control plane's yet";
    default:
      return undefined;
  }
}

function hasCondition(live: LiveObject, type: string): boolean {
  return listAt(live, "status", "conditions").some(
    (condition) => at(condition, "type") === type && at(condition, "status") === "True",
  );
}

function missingReplicas(live: LiveObject): string | undefined {
  const { generation } = live.metadata as { readonly generation?: number };
  const count = (name: string) => Number(at(live, "status", name) ?? 0);
  const wanted = Number(at(live, "spec", "replicas") ?? 1);
  if (count("observedGeneration") < (generation ?? 0)) return "is not taken up by Kubernetes' controllers yet";
  const ready = Math.min(count("updatedReplicas"), count("availableReplicas"));
  if (ready < wanted) return `has ${ready} of ${wanted} pods ready`;
  return count("replicas") > wanted ? "has pods of its former version still" : undefined;
}

/** An object that is not ready, and why: a clause. */
interface Missing {
  readonly object: KubernetesObject;
  readonly why: string;
}

/**
 * Waits until all of these objects are ready; resolves to what is wrong with those that are not when the time is over.
 */
export async function waitUntilReady(
  objects: readonly KubernetesObject[],
  { cluster, clock, deadlineMs, report }: Waiting,
): Promise<readonly string[]> {
  let said = "";
  let changedMs = clock.monotonicMs();
  const tell = (lines: readonly string[]) => {
    const text = lines.map((line) => `  waiting: ${line}`).join("\n");
    changedMs = clock.monotonicMs();
    if (text !== said) report(text);
    said = text;
  };
  for (let open = objects; ; ) {
    const missing = await missingOfAll(open, cluster);
    if (missing.length === 0) return [];
    open = missing.map(({ object }) => object);
    const nowMs = clock.monotonicMs();
    if (nowMs >= deadlineMs) return faultsOf(missing, cluster);
    const short = missing.map(({ object, why }) => `${nameOf(object)} ${why}`);
    if (nowMs - changedMs >= IMPATIENT_AFTER_MS) tell(await faultsOf(missing, cluster));
    else if (!said.includes(short.join("\n  waiting: "))) tell(short);
    await clock.sleep(POLL_MS);
  }
}

async function missingOfAll(objects: readonly KubernetesObject[], cluster: Cluster): Promise<readonly Missing[]> {
  const missing: Missing[] = [];
  for (const object of objects) {
    const live = await cluster.get(pathOf(object));
    const why = live === undefined ? "is not there" : missingOf({ ...live, kind: object.kind });
    if (why !== undefined) missing.push({ object, why });
  }
  return missing;
}

async function faultsOf(missing: readonly Missing[], cluster: Cluster): Promise<readonly string[]> {
  const faults: string[] = [];
  for (const { object, why } of missing) {
    faults.push(`${nameOf(object)} ${why}`);
    if (object.kind === "Deployment") faults.push(...(await diagnosePods(cluster, object)).map((line) => `  ${line}`));
  }
  return faults;
}

// Consumes: an installation, and a cluster.
// Produces: the cluster with it, step after step, each ready before the next begins; a line for each on the way.
// Never does: change what is somebody else's, or let API servers ask a control plane that does not answer yet.
import { ScrimError } from "../../model/failure.ts";
import type { Clock } from "../../telemetry/clock.ts";
import { OWNER_LABELS } from "../crds/custom-resource-definitions.ts";
import type { KubernetesObject } from "../description/render.ts";
import { type Installation, namespacesOf, type Step } from "../installation.ts";
import type { Cluster } from "./cluster.ts";
import { foreignOwner, type InstallationName, owned, prune } from "./ownership.ts";
import { waitUntilReady } from "./readiness.ts";
import { definitionKind, nameOf, pathOf, pathOfKind } from "./resource-kinds.ts";

export interface ApplyContext {
  readonly cluster: Cluster;
  readonly clock: Pick<Clock, "monotonicMs" | "sleep">;
  /** How long it may take in all until everything is ready. */
  readonly timeoutMs: number;
  readonly report: (line: string) => void;
}

/** Applies it and waits until it is ready. Throws ScrimError with everything that is wrong where it does not become so. */
export async function applyInstallation(installation: Installation, context: ApplyContext): Promise<void> {
  const { cluster, clock, report } = context;
  const deadlineMs = clock.monotonicMs() + context.timeoutMs;
  const name: InstallationName = installation;
  await refuseForeign(installation, cluster);
  await ensureNamespaces(installation, context);
  for (const step of installation.steps) {
    const objects = await applicable(step, context);
    for (const object of objects) await cluster.apply(isDefinition(object) ? object : owned(object, name));
    if (objects.length > 0) report(`${step.title}: ${count(objects.length, "object")} applied`);
    const awaited = isServedHere(installation) ? objects : objects.filter(({ kind }) => !kind.startsWith("Mutating"));
    const faults = await waitUntilReady(awaited, { cluster, clock, deadlineMs, report });
    if (faults.length > 0) throw notReady(step, faults);
  }
  const wanted = installation.steps.flatMap(({ objects }) => objects);
  for (const gone of await prune(cluster, name, wanted)) report(`Removed, since it is not a part any more: ${gone}`);
}

/** Of another cluster's control plane nobody here writes the certificate into webhooks. */
function isServedHere({ steps }: Installation): boolean {
  return steps.some(({ objects }) =>
    objects.some(({ kind, metadata }) => kind === "Deployment" && metadata.labels?.["app"] === "istiod"),
  );
}

/** Throws where an object of the installation is there already and belongs to somebody else. */
async function refuseForeign({ steps }: Installation, cluster: Cluster): Promise<void> {
  const objects = steps.flatMap((step) => step.objects).filter((object) => !isDefinition(object));
  const found = await Promise.all(
    objects.map(async (object) => {
      const live = await cluster.get(pathOf(object));
      const owner = live && foreignOwner(live);
      return owner === undefined ? [] : [`${nameOf(object)} belongs to ${owner}`];
    }),
  );
  const taken = found.flat();
  if (taken.length === 0) return;
  throw new ScrimError(
    "failed",
    `Nothing was changed: these are there already.\n${indented(taken)}\n` +
      "Install beside it with --revision NAME and another namespace (-i), or take it away before.",
  );
}

/** Namespaces stay when an installation goes: other things may be in them by then. */
async function ensureNamespaces(installation: Installation, { cluster, report }: ApplyContext): Promise<void> {
  for (const name of namespacesOf(installation)) {
    const object: KubernetesObject = { apiVersion: "v1", kind: "Namespace", metadata: { name, labels: OWNER_LABELS } };
    if ((await cluster.get(pathOf(object))) !== undefined) continue;
    await cluster.apply(object);
    report(`Namespace ${name} made`);
  }
}

/** Returns the objects of a step that are to be applied: definitions of Istio's own stay as they are. */
async function applicable({ objects }: Step, { cluster, report }: ApplyContext): Promise<readonly KubernetesObject[]> {
  if (!objects.some(isDefinition)) return objects;
  const live = new Map((await cluster.list(pathOfKind(definitionKind))).map((one) => [one.metadata.name, one]));
  const left = objects.filter(({ metadata }) => {
    const there = live.get(metadata.name);
    return there !== undefined && foreignOwner(there) !== undefined;
  });
  if (left.length > 0)
    report(`Left alone, since somebody else made them: ${left.map(({ metadata }) => metadata.name).join(", ")}`);
  return objects.filter((object) => !left.includes(object));
}

function isDefinition({ kind }: KubernetesObject): boolean {
  return kind === definitionKind.kind;
}

function notReady({ title }: Step, faults: readonly string[]): ScrimError {
  return new ScrimError("failed", `${title}: not ready in time.\n${indented(faults)}`);
}

function indented(lines: readonly string[]): string {
  return lines.map((line) => `  ${line}`).join("\n");
}

/** Returns a number with its noun: `1 object`, `2 objects`. */
export function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}

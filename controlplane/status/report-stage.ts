// Consumes: the control plane's view of its proxies, and which control planes there are beside it.
// Produces: a report of how far they have come, for whichever control plane leads.
// Never does: write where it is alone, or what it wrote last.
import type { ControlPlaneView } from "../admin/contract.ts";
import { whyLate } from "../admin/distribution.ts";
import type { ApiClient } from "../kubernetes/api-client.ts";
import type { Stage } from "../stages/stage.ts";
import type { Clock } from "../telemetry/clock.ts";
import { controlPlanePods } from "./control-plane-pods.ts";
import { encodeReport, type ReachReport, writeReport } from "./reach-report.ts";

interface ReportStageDeps {
  readonly client: Pick<ApiClient, "request">;
  readonly clock: Pick<Clock, "sleep">;
  readonly view: ControlPlaneView;
  readonly namespace: string;
  /** The name of the pod that this runs in. */
  readonly pod: string;
}

const EVERY_MS = 5_000;

/** Returns the stage that reports. */
export function createReportStage(deps: ReportStageDeps): Stage {
  let running = Promise.resolve();
  return {
    name: "reach report",
    async start(signal) {
      running = run(deps, signal);
    },
    stop: () => running,
  };
}

async function run({ client, clock, view, namespace, pod }: ReportStageDeps, signal: AbortSignal): Promise<void> {
  let written = "";
  while (!signal.aborted) {
    const world = view.world();
    const own = world?.get("Pod", namespace, pod);
    if (world !== undefined && own?.origin.kind === "kubernetes" && controlPlanePods(world, namespace).length > 1) {
      const report = reportOf(view);
      const text = encodeReport(report);
      const { uid } = own.origin;
      const deps = { api: client, namespace };
      if (text !== written && (await writeReport(deps, { name: pod, uid }, report, signal))) written = text;
    }
    await clock.sleep(EVERY_MS, signal).catch(() => undefined);
  }
}

function reportOf(view: ControlPlaneView): ReachReport {
  const isPublished = !view.hasUnpublishedChange();
  return new Map(view.proxies().map((proxy) => [`${proxy.namespace}/${proxy.pod}`, whyLate(proxy, isPublished) ?? ""]));
}

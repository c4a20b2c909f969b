// Consumes: a Lease of the cluster (https://kubernetes.io/docs/concepts/architecture/leases/).
// Produces: whether this process leads: at most one of those that ask for the same Lease does.
// Never does: compare its clock with another's, or go on leading when its Lease could be another's by now.
import type { Clock } from "../telemetry/clock.ts";
import { isJsonObject } from "../model/json-object.ts";
import { type OwnCell, type Cell, createCell } from "../stages/cell.ts";
import type { Stage } from "../stages/stage.ts";
import type { ApiClient } from "./api-client.ts";
import { resourcePath } from "./resource-path.ts";
import { describeAnswer } from "./status.ts";

export interface LeaseOptions {
  readonly api: Pick<ApiClient, "request">;
  readonly clock: Pick<Clock, "nowMs" | "monotonicMs" | "sleep">;
  readonly logger: Record<"info" | "warn", (fields: object, message: string) => void>;
  readonly namespace: string;
  readonly name: string;
  /** Another one in every process: the pod's name, and something made up. */
  readonly holder: string;
  readonly times?: LeaseTimes;
}

export interface LeaseTimes {
  /** A Lease that did not change for so long is free. */
  readonly leaseMs: number;
  /** A leader whose last renewal began so long ago leads no more; before the Lease is free by then. */
  readonly renewWithinMs: number;
  readonly everyMs: number;
}

const LEADER = "istiod-leader";

/** As Kubernetes' own controllers. */
const DEFAULT_TIMES: LeaseTimes = { leaseMs: 15_000, renewWithinMs: 10_000, everyMs: 2_000 };

export interface LeaseStage extends Stage {
  readonly leads: Cell<boolean>;
}

/** Returns the name of the Lease by which one control plane of a revision leads; Istio's own Leases have others. */
export function leaderLease(revision: string): string {
  return ["", "default"].includes(revision) ? LEADER : `${LEADER}-${revision}`;
}

/** Whether a Lease is one by which a control plane of some revision leads. */
export function isLeaderLease(name: string): boolean {
  return name === LEADER || name.startsWith(`${LEADER}-`);
}

/** What is written in a Lease, and the version that it stands in. */
interface Written {
  readonly holder: string;
  readonly leaseMs: number;
  readonly transitions: number;
  readonly acquireTime: string;
  readonly resourceVersion: string;
}

/** What was read of it, and since when it stands so, by this process's clock. */
interface Seen {
  readonly lease: Written;
  readonly sinceMs: number;
}

type Attempt = "held" | "another's" | "unreachable";

/** Returns the stage that asks for the Lease as long as it runs, and gives it back when it stops. */
export function createLease(options: LeaseOptions): LeaseStage {
  const { clock, logger, times = DEFAULT_TIMES } = options;
  const leads = createCell(false);
  const attempt = createAttempts(options, times);
  let isOver = Promise.resolve();
  return {
    name: "leader election",
    leads,
    async start(signal) {
      isOver = follow({ leads, attempt, clock, logger, times, signal });
    },
    async stop() {
      await isOver;
      if (leads.read()) {
        leads.set(false);
        await attempt.release();
      }
    },
  };
}

interface Following extends Pick<LeaseOptions, "clock" | "logger"> {
  readonly leads: OwnCell<boolean>;
  readonly attempt: ReturnType<typeof createAttempts>;
  readonly times: LeaseTimes;
  readonly signal: AbortSignal;
}

async function follow({ leads, attempt, clock, logger, times, signal }: Following): Promise<void> {
  let renewedMs = clock.monotonicMs();
  while (!signal.aborted) {
    const beganMs = clock.monotonicMs();
    // A word that comes later than this does not help: the Lease may be another's by then.
    const outcome = await attempt.acquire((leads.read() ? renewedMs : beganMs) + times.renewWithinMs, signal);
    if (outcome === "held") {
      renewedMs = beganMs;
      if (!leads.read()) {
        logger.info({}, "this control plane leads");
        leads.set(true);
      }
    } else if (leads.read() && (outcome === "another's" || clock.monotonicMs() - renewedMs >= times.renewWithinMs)) {
      logger.warn({}, "this control plane leads no more: its Lease could not be renewed in time");
      leads.set(false);
    }
    const untilEndMs = renewedMs + times.renewWithinMs - clock.monotonicMs();
    const napMs = leads.read() ? Math.min(times.everyMs, Math.max(1, untilEndMs)) : times.everyMs;
    await clock.sleep(napMs, signal).catch(() => undefined);
  }
}

function createAttempts({ api, clock, logger, namespace, name, holder }: LeaseOptions, times: LeaseTimes) {
  const at = { group: "coordination.k8s.io", version: "v1", plural: "leases", namespace };
  const [all, one] = [resourcePath(at), resourcePath({ ...at, name })];
  let seen: Seen | undefined;
  let trouble = "";
  const leftOf = (endMs: number): number => Math.max(1, endMs - clock.monotonicMs());
  const unreachable = (why: string): "unreachable" => {
    if (why !== trouble) logger.warn({}, `the Lease ${namespace}/${name} cannot be asked for: ${why}`);
    trouble = why;
    return "unreachable";
  };
  const note = (body: unknown): Written => {
    const lease = writtenIn(body);
    if (seen?.lease.resourceVersion !== lease.resourceVersion) seen = { lease, sinceMs: clock.monotonicMs() };
    trouble = "";
    return lease;
  };
  const write = async (
    from: Written | undefined,
    holderNow: string,
    endMs: number,
    signal?: AbortSignal,
  ): Promise<Attempt> => {
    const body = bodyOf({ namespace, name, holder: holderNow, from, leaseMs: times.leaseMs, nowMs: clock.nowMs() });
    const how = from === undefined ? ({ method: "POST", path: all } as const) : ({ method: "PUT", path: one } as const);
    const answer = await api.request({ ...how, body, timeoutMs: leftOf(endMs), ...(signal && { signal }) });
    if (answer.kind === "failed") return unreachable(answer.message);
    // Somebody else wrote in between.
    if (answer.status === 409) return "another's";
    if (answer.status !== 200 && answer.status !== 201) return unreachable(describeAnswer(answer));
    note(answer.body);
    return "held";
  };
  return {
    async acquire(endMs: number, signal: AbortSignal): Promise<Attempt> {
      const read = await api.request({ method: "GET", path: one, timeoutMs: leftOf(endMs), signal });
      if (read.kind === "failed") return unreachable(read.message);
      if (read.status === 404) return write(undefined, holder, endMs, signal);
      if (read.status !== 200) return unreachable(describeAnswer(read));
      const lease = note(read.body);
      const isFree =
        lease.holder === "" ||
        lease.holder === holder ||
        (seen !== undefined && clock.monotonicMs() - seen.sinceMs > lease.leaseMs);
      return isFree ? write(lease, holder, endMs, signal) : "another's";
    },
    async release(): Promise<void> {
      if (seen?.lease.holder === holder) await write(seen.lease, "", clock.monotonicMs() + times.everyMs);
    },
  };
}

function writtenIn(body: unknown): Written {
  const object = isJsonObject(body) ? body : {};
  const spec = isJsonObject(object["spec"]) ? object["spec"] : {};
  const metadata = isJsonObject(object["metadata"]) ? object["metadata"] : {};
  const seconds = Number(spec["leaseDurationSeconds"] ?? 0);
  return {
    holder: String(spec["holderIdentity"] ?? ""),
    leaseMs: seconds * 1_000,
    transitions: Number(spec["leaseTransitions"] ?? 0),
    acquireTime: String(spec["acquireTime"] ?? ""),
    resourceVersion: String(metadata["resourceVersion"] ?? ""),
  };
}

interface LeaseText {
  readonly namespace: string;
  readonly name: string;
  readonly holder: string;
  readonly from: Written | undefined;
  readonly leaseMs: number;
  readonly nowMs: number;
}

function bodyOf({ namespace, name, holder, from, leaseMs, nowMs }: LeaseText): object {
  // MicroTime, as a Lease has it.
  const now = new Date(nowMs).toISOString().replace(/Z$/, "000Z");
  const isSame = from?.holder === holder && from.acquireTime !== "";
  return {
    ...{ apiVersion: "coordination.k8s.io/v1", kind: "Lease" },
    metadata: { name, namespace, ...(from && { resourceVersion: from.resourceVersion }) },
    spec: {
      holderIdentity: holder,
      leaseDurationSeconds: holder === "" ? 1 : Math.ceil(leaseMs / 1_000),
      ...{ acquireTime: isSame ? from.acquireTime : now, renewTime: now },
      leaseTransitions: (from?.transitions ?? 0) + (isSame || from === undefined ? 0 : 1),
    },
  };
}

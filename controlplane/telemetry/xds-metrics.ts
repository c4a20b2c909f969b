// What distribution costs and how long it takes, under the names that Istio's users know.
import { Counter, Histogram } from "prom-client";
import type { Registry } from "./metrics.ts";

/** What the xDS server tells; see its observer. */
export interface XdsMetrics {
  sent(type: string, resources: number, bytes: number, sinceChangeMs: number): void;
  converged(ms: number): void;
  rejected(type: string, nodeId: string, reason: string): void;
  stale(type: string): void;
  /** Something of a proxy could not be made, tried or answered, for a reason of the server's own. */
  failed(): void;
}

/** What the stage before it tells: why something is published, and when it is. */
export interface PushMetrics {
  /** Something changed; `type` in Istio's words where it has one: config, endpoint, secret, global. */
  triggered(type: string): void;
  /** Changes have gathered; what they mean is worked out from here on. */
  began(): void;
  /** All that was triggered is published now. */
  pushed(): void;
}

const SECONDS = [0.1, 0.5, 1, 3, 5, 10, 20, 30];
const SHORT_SECONDS = [0.01, 0.1, 1, 3, 5, 10, 20, 30];
const BYTES = [1, 10_000, 1_000_000, 4_000_000, 10_000_000, 40_000_000];
const INIT_SECONDS = [0.01, 0.1, 0.5, 1, 3, 5];
const SHORT_NAMES: ReadonlySet<string> = new Set(["cds", "eds", "lds", "rds", "vhds", "sds", "ecds"]);

/** Registers the server's metrics (Istio: "Pilot metrics"; buckets as there). */
export function registerXdsMetrics(registry: Registry): XdsMetrics {
  const registers = [registry];
  const pushes = new Counter({
    name: "pilot_xds_pushes",
    help: "Responses sent, by type.",
    labelNames: ["type"],
    registers,
  });
  const pushTime = new Histogram({
    name: "pilot_xds_push_time",
    help: "Seconds from the announcement of a change until a response was sent, by type.",
    labelNames: ["type"],
    buckets: SHORT_SECONDS,
    registers,
  });
  const convergence = new Histogram({
    name: "pilot_proxy_convergence_time",
    help: "Seconds from the announcement of a change until a proxy has acknowledged all of it.",
    buckets: SECONDS,
    registers,
  });
  const sizes = new Histogram({
    name: "pilot_xds_config_size_bytes",
    help: "Bytes of responses, by type.",
    labelNames: ["type"],
    buckets: BYTES,
    registers,
  });
  const rejects = new Counter({
    name: "pilot_total_xds_rejects",
    help: "Responses that proxies rejected, by type.",
    labelNames: ["type"],
    registers,
  });
  const expired = new Counter({
    name: "pilot_xds_expired_nonce",
    help: "Answers to a response that was no longer the last, by type.",
    labelNames: ["type"],
    registers,
  });
  const failures = new Counter({
    name: "pilot_total_xds_internal_errors",
    help: "What could not be made, tried or answered, for a reason of the server's own.",
    registers,
  });
  return {
    sent(asked, _resources, bytes, sinceChangeMs) {
      const type = labelOf(asked);
      pushes.inc({ type });
      sizes.observe({ type }, bytes);
      pushTime.observe({ type }, sinceChangeMs / 1_000);
    },
    converged: (ms) => convergence.observe(ms / 1_000),
    rejected: (type) => rejects.inc({ type: labelOf(type) }),
    stale: (type) => expired.inc({ type: labelOf(type) }),
    failed: () => failures.inc(),
  };
}

/** What clients may ask for has no end, and every label value stays for good. */
function labelOf(type: string): string {
  if (SHORT_NAMES.has(type)) return type;
  return type.startsWith("istio.io/") ? "istio.io" : "unknown";
}

/** Registers what is known before distribution: triggers, and how long changes gather. */
export function registerPushMetrics(registry: Registry, clock: { monotonicMs(): number }): PushMetrics {
  const triggers = new Counter({
    name: "pilot_push_triggers",
    help: "Reasons for which something was published.",
    labelNames: ["type"],
    registers: [registry],
  });
  const debounce = new Histogram({
    name: "pilot_debounce_time",
    help: "Seconds from the first of several changes until they are published as one.",
    buckets: SHORT_SECONDS,
    registers: [registry],
  });
  const init = new Histogram({
    name: "pilot_pushcontext_init_seconds",
    help: "Seconds from the first of several changes being taken up until what they mean is published.",
    buckets: INIT_SECONDS,
    registers: [registry],
  });
  let firstMs: number | undefined;
  let beganMs: number | undefined;
  return {
    triggered(type) {
      triggers.inc({ type });
      firstMs ??= clock.monotonicMs();
    },
    began() {
      beganMs ??= clock.monotonicMs();
    },
    pushed() {
      if (beganMs !== undefined) init.observe((clock.monotonicMs() - beganMs) / 1_000);
      beganMs = undefined;
      if (firstMs !== undefined) debounce.observe((clock.monotonicMs() - firstMs) / 1_000);
      firstMs = undefined;
    },
  };
}

import type { ControlPlaneAddress } from "../bootstrap/bootstrap.ts";
import type { Clock } from "../telemetry/clock.ts";

/** What every local pod shares. */
export interface PodContext {
  readonly envoyBinary: string;
  /** Worker threads of each Envoy. */
  readonly concurrency: number;
  readonly stateDir: string;
  readonly controlPlane: ControlPlaneAddress;
  readonly trustDomain: string;
  readonly metricLabels: readonly string[];
  readonly extraStatTags: readonly string[];
  /** The runner's own environment. */
  readonly variables: Readonly<Record<string, string>>;
  readonly clock: Clock;
  /** Tells people, in one line. */
  readonly say: (line: string) => void;
  /** Called when a pod's snapshot changed. */
  readonly onChange: () => void;
}

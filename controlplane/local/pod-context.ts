import type { ControlPlane } from "../bootstrap/xds-cluster.ts";
import type { Clock } from "../telemetry/clock.ts";
import type { OpenSandbox } from "./sandbox/sandbox.ts";

/** What every local pod shares. */
export interface PodContext {
  /** Worker threads of each Envoy. */
  readonly concurrency: number;
  readonly stateDir: string;
  readonly openSandbox: OpenSandbox;
  /** The runner's own environment. */
  readonly variables: Readonly<Record<string, string>>;
  readonly clock: Clock;
  /** Tells people, in one line. */
  readonly say: (line: string) => void;
  /** Called when a pod's snapshot changed. */
  readonly onChange: () => void;
}

/** What the bootstraps of a mesh's proxies have in common. */
export interface MeshFacts {
  readonly stateDir: string;
  readonly controlPlane: ControlPlane;
  readonly trustDomain: string;
  readonly metricLabels: readonly string[];
  readonly extraStatTags: readonly string[];
}

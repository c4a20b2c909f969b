import type { AttributeTree } from "./attributes.ts";
import type { GrpcCall } from "./grpc-call.ts";
import type { HttpCall } from "./http-call.ts";
import type { Metrics } from "./metrics.ts";
import type { SharedData } from "./shared-data.ts";
import type { SharedQueues } from "./shared-queue.ts";
import type { LogEntry, LogLevel } from "./status.ts";
import type { StrictLimits } from "./strict.ts";

/** Virtual time. Nothing moves it but the test. */
export class Clock {
  /** Nanoseconds since 1970. */
  wallNs = BigInt(Date.UTC(2026, 0, 1)) * 1_000_000n;
  /** Nanoseconds since some moment. */
  monotonicNs = 3_600_000_000_000n;

  /** Moves both clocks. */
  move(nanoseconds: bigint): void {
    this.wallNs += nanoseconds;
    this.monotonicNs += nanoseconds;
  }
}

/** One of Envoy's foreign functions: result bytes, or a status. */
export type ForeignFunction = (argument: Uint8Array) => Uint8Array | number;

/** What every VM of one simulated proxy shares. */
export interface Environment {
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly sharedData: SharedData;
  readonly queues: SharedQueues;
  readonly logs: LogEntry[];
  readonly attributes: AttributeTree;
  /** Clusters that callouts may name; undefined: any. */
  readonly clusters: ReadonlySet<string> | undefined;
  readonly foreignFunctions: Readonly<Record<string, ForeignFunction>>;
  readonly vmId: string;
  readonly vmConfiguration: Uint8Array;
  /** Called before each host call; a status it returns is answered instead of doing the call. */
  readonly intercept: ((call: HostCall) => number | undefined) | undefined;
  /** Faults that are injected, after `intercept`. */
  readonly faults: FaultPlan;
  /** What WASI's environ_get gives. */
  readonly environmentVariables: Readonly<Record<string, string>>;
  logLevel: LogLevel;
  readonly strict: StrictLimits | undefined;
  /** What went beyond the strict limits, each once. */
  readonly violations: Set<string>;
  readonly httpCalls: HttpCall[];
  readonly grpcCalls: GrpcCall[];
}

/** A host call as the module made it. */
export interface HostCall {
  /** For example `proxy_get_property`. */
  readonly name: string;
  /** The callback in which it was made. */
  readonly callback: string;
  /** Index of the worker, -1 for the throw-away configuration VM. */
  readonly worker: number;
}

/** What is to happen in place of a call: a status, "trap", or undefined for the call itself. */
export type FaultPlan = (call: HostCall) => number | "trap" | undefined;

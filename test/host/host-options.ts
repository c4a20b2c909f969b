import type { ForeignFunction, HostCall } from "./environment.ts";
import type { Fault } from "./faults.ts";
import type { Attributes } from "./known-attributes.ts";
import type { FailurePolicy } from "./plugin.ts";
import type { LogLevel } from "./status.ts";
import type { StrictLimits } from "./strict.ts";

/** A simulated proxy with one Wasm filter. */
export interface HostOptions {
  /** The module's bytes. */
  readonly module: Uint8Array;
  /** The plugin's configuration, default empty. */
  readonly configuration?: string | Uint8Array;
  readonly vmConfiguration?: string | Uint8Array;
  readonly pluginName?: string;
  readonly rootId?: string;
  readonly vmId?: string;
  /** Number of workers, default 1. Each has a VM of its own; shared data and metrics are common. */
  readonly workers?: number;
  /** Attributes of every stream: connection, xds … Roots see only `xds.node` of them, as in Envoy. */
  readonly attributes?: Attributes;
  /** Clusters callouts may name; default: any. */
  readonly clusters?: readonly string[];
  /** Default "trace": everything is kept. */
  readonly logLevel?: LogLevel;
  /**
   * Default "closed", as in Envoy. "reload": a stream that comes late enough after the VM was loaded (`reload`) gets a
   * new one.
   */
  readonly failurePolicy?: FailurePolicy | undefined;
  /**
   * `allow_on_headers_stop_iteration`: StopIteration for headers holds them alone, and the module goes on getting the
   * body. Default false: nothing more comes until the module continues.
   */
  readonly allowOnHeadersStopIteration?: boolean | undefined;
  /** When a dead VM is replaced under "reload". */
  readonly reload?: ReloadOptions;
  /** `environment_variables.key_values` of the VM. */
  readonly environmentVariables?: Readonly<Record<string, string>> | undefined;
  /** Faults to inject: any host call or the module's allocator, each or the n-th time, any status or a trap. */
  readonly faults?: readonly Fault[];
  /** Budgets of stream callbacks; `verify()` reports what went beyond. */
  readonly strict?: StrictLimits;
  /** More foreign functions, or others in place of the host's. */
  readonly foreignFunctions?: Readonly<Record<string, ForeignFunction>>;
  /**
   * For faults that `faults` cannot say, and to watch: called before each host call; the status it returns is answered
   * instead of doing the call.
   */
  readonly intercept?: (call: HostCall) => number | undefined;
}

/**
 * Envoy's `reload_config`: a VM lives at least `baseMs` and at most 1.5 × `baseMs` before it is replaced; drawn anew
 * for each stream.
 */
export interface ReloadOptions {
  /** `backoff.base_interval`, default 1,000. Milliseconds. */
  readonly baseMs?: number;
  /** Chance, 0 ≤ x < 1, where Envoy's is random; default: always 0, so that tests can be exact. */
  readonly random?: () => number;
}

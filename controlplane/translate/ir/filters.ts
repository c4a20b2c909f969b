// Which functions and plugins stand in a proxy's HTTP filter chains: IR of filter instances.
import type { PluginSettings } from "../../model/plugin.ts";
import type { FunctionName, WasmModule } from "../../model/wasm-module.ts";
import type { Authorization, AuthorizationAction } from "./authorization.ts";
import type { LocalRateLimit } from "./rate-limit.ts";

/** What Envoy's own filters do in place of a module (engine: native). */
export type NativeGuard =
  | {
      readonly kind: "authorization";
      readonly action: AuthorizationAction;
      readonly policies: readonly Authorization[];
    }
  | { readonly kind: "rateLimit"; readonly limits: readonly LocalRateLimit[] };

/**
 * What happens to requests when the module fails: let them pass, refuse them (503), or refuse and start the module
 * anew.
 */
export type FailureMode = "open" | "closed" | "reload";

export type FilterModule =
  | { readonly kind: "module"; readonly module: WasmModule }
  /** It cannot be had: what stands in for it lets everything pass or refuses everything. */
  | { readonly kind: "unavailable"; readonly reason: string }
  /**
   * Nothing to do for now: requests pass. Its place is kept, since a change of the chain would not reach connections
   * that are already open.
   */
  | { readonly kind: "idle" }
  /** Some of the requests take one filter, the rest another: a new version on its way. Neither is split again. */
  | {
      readonly kind: "split" /** Of the requests, by their id. */;
      readonly percent: number;
      readonly seed: number;
      readonly first: WasmFilter;
      readonly rest: WasmFilter;
    }
  /** No module: Envoy itself does it. */
  | { readonly kind: "native"; readonly guard: NativeGuard };

/** One configured module. Delivered apart from the listener that names it. */
export interface WasmFilter extends Omit<PluginSettings, "budget"> {
  /** Resource name of the delivered configuration, unique in a proxy. */
  readonly name: string;
  readonly module: FilterModule;
  /** True for what may become a split: its place says so from the beginning. */
  readonly mayBeSplit?: boolean;
  /** Shared data lives as long as one VM of this id: constant across versions of a module. */
  readonly vmId: string;
  readonly failureMode: FailureMode;
  /** Stands among a connection's filters, not a request's. */
  readonly network?: true;
}

/** A function in a module of its own. Functions that stand side by side may be put into one module. */
export interface FunctionFilter extends WasmFilter {
  readonly runs: FunctionName;
}

/** Plugins of one chain by phase, each phase in order of priority. */
export interface PluginSlots {
  readonly pluginsAuthn: readonly WasmFilter[];
  readonly pluginsAuthz: readonly WasmFilter[];
  readonly pluginsStats: readonly WasmFilter[];
  readonly pluginsUnspecified: readonly WasmFilter[];
}

/** Slots of the chain that are filled from configuration. */
export interface HttpFilters extends PluginSlots {
  /** Policies that Envoy's own RBAC decides, one place for each action. */
  readonly nativeAuthorization?: readonly WasmFilter[];
  readonly authorization?: FunctionFilter;
  /** Limits that Envoy's own local rate limit keeps. */
  readonly nativeRateLimit?: WasmFilter;
  readonly rateLimit?: FunctionFilter;
  readonly router?: FunctionFilter;
  readonly telemetry?: FunctionFilter;
  /** The module that can be all functions at once; where there is none, each keeps its own. */
  readonly meshModule?: WasmModule;
}

// Modules of WebAssembly, and Scrim's own ones by name.

/** Bytes of a module that was fetched, verified and checked; shared by reference. */
export interface WasmModule {
  readonly sha256: string;
  readonly bytes: Uint8Array;
}

/** One of Scrim's own functions. */
export type FunctionName = "authz" | "ratelimit" | "router" | "telemetry";

/** A function's own module, or the one that holds them all. */
export type BuiltinFilter = FunctionName | "mesh";

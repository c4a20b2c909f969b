// What comes of fetching a module, from wherever it came.
import type { Failure } from "../model/failure.ts";
import type { WasmModule } from "../model/wasm-module.ts";
import type { ImageFacts } from "./module-cache.ts";
import type { PluginFailure } from "./plugin-failure.ts";
import type { Signature } from "./trust/signature.ts";

/** Bytes of the digest asked for, not yet trusted. */
export interface AcquiredModule {
  readonly module: WasmModule;
  readonly image?: ImageFacts | undefined;
  /** Signatures that are at hand, and those that its server has now. */
  readonly signatures: { readonly known: readonly Signature[]; readonly fetch: () => Promise<FoundSignatures> };
  /** Why these are not the bytes asked for but those that the URL gave before. */
  readonly stale?: string | undefined;
}

export type FoundSignatures = readonly Signature[] | Failure;

export type Acquired = AcquiredModule | PluginFailure;

export interface CompileRequest {
  /** The module's entry file, relative to `baseDir`. */
  readonly entry: string;
  /** Where `node_modules/as-proxy-wasm-sdk` is found and imports are resolved from. Default: the working directory. */
  readonly baseDir?: string;
  /** Source files that exist only in memory, by path relative to `baseDir`; they win over files on disk. */
  readonly sources?: Readonly<Record<string, string>>;
  /**
   * "fast": collection only after configure. "convenient": garbage collected as it arises. Default: what a line `//
   * memory: …` of the entry file says, else fast.
   */
  readonly memory?: "fast" | "convenient";
}
/** The module's bytes and the files it was made of (path relative to baseDir → content), or the compiler's messages. */
export type CompileResult =
  | { readonly ok: true; readonly binary: Uint8Array; readonly inputs: ReadonlyMap<string, string> }
  | { readonly ok: false; readonly errors: string };
export function compileFilter(request: CompileRequest): Promise<CompileResult>;

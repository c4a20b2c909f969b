import { type Failure, failed } from "./errors.ts";
import { CALLBACK_SIGNATURES, IMPORT_SIGNATURES } from "./signatures.ts";

/** A module that may be started, or why Envoy would not load it. */
export type LoadResult =
  | { readonly kind: "loaded"; readonly module: WebAssembly.Module; readonly exports: ReadonlySet<string> }
  | Failure<"compile" | "abi" | "imports" | "exports">;

interface Shape {
  /** `module.name` → signature such as `iiI:i` (i = i32, I = i64, f = f32, F = f64). */
  readonly imports: ReadonlyMap<string, string>;
  readonly exports: ReadonlyMap<string, string>;
}

const VALUE_TYPES: Readonly<Record<number, string>> = { 127: "i", 126: "I", 125: "f", 124: "F" };

/** Reads a module's sections as far as needed for its function signatures. Expects bytes that V8 has accepted. */
class SectionReader {
  #at = 8;
  readonly #bytes: Uint8Array;
  readonly types: string[] = [];
  readonly functionTypes: number[] = [];
  readonly imports = new Map<string, string>();
  readonly exports = new Map<string, string>();

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    while (this.#at < bytes.length) {
      const id = this.#byte();
      const end = this.#number() + this.#at;
      if (id === 1) this.#list(() => this.types.push(this.#type()));
      else if (id === 2) this.#list(() => this.#import());
      else if (id === 3) this.#list(() => this.functionTypes.push(this.#number()));
      else if (id === 7) this.#list(() => this.#export());
      this.#at = end;
    }
  }

  #byte(): number {
    return this.#bytes[this.#at++] ?? 0;
  }

  #number(): number {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = this.#byte();
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
  }

  #name(): string {
    const length = this.#number();
    const name = Buffer.from(this.#bytes.subarray(this.#at, this.#at + length)).toString("utf8");
    this.#at += length;
    return name;
  }

  #list(each: () => void): void {
    for (let left = this.#number(); left > 0; left--) each();
  }

  #valueTypes(): string {
    let text = "";
    this.#list(() => (text += VALUE_TYPES[this.#byte()] ?? "?"));
    return text;
  }

  #type(): string {
    this.#byte(); // 0x60: a function
    const parameters = this.#valueTypes();
    return `${parameters}:${this.#valueTypes()}`;
  }

  #limits(): void {
    const flags = this.#byte();
    this.#number();
    if (flags & 1) this.#number();
  }

  #import(): void {
    const name = `${this.#name()}.${this.#name()}`;
    const kind = this.#byte();
    let signature = `(${["function", "table", "memory", "global", "tag"][kind] ?? "unknown"})`;
    if (kind === 0) {
      const type = this.#number();
      this.functionTypes.push(type);
      signature = this.types[type] ?? "?";
    } else if (kind === 1) {
      this.#byte();
      this.#limits();
    } else if (kind === 2) this.#limits();
    else if (kind === 3) this.#at += 2;
    this.imports.set(name, signature);
  }

  #export(): void {
    const name = this.#name();
    const kind = this.#byte();
    const index = this.#number();
    if (kind === 0) this.exports.set(name, this.types[this.functionTypes[index] ?? -1] ?? "?");
  }
}

// What tells the two apart is one function: 0.2.0 has no proxy_get_log_level.
const ABI_VERSIONS = ["proxy_abi_version_0_2_1", "proxy_abi_version_0_2_0"];

function abiProblem(exports: ReadonlyMap<string, string>): string | undefined {
  const versions = [...exports.keys()].filter((name) => name.startsWith("proxy_abi_version_"));
  if (versions.some((name) => ABI_VERSIONS.includes(name))) return undefined;
  return versions.length === 0
    ? "Missing or unknown Proxy-Wasm ABI version"
    : `this host runs ABI 0.2.0 and 0.2.1 only, the module has ${versions.join(", ")}`;
}

const TYPE_NAMES: Readonly<Record<string, string>> = { i: "i32", I: "i64", f: "f32", F: "f64" };

/** A signature as Envoy writes it: `i32 i64 -> i32`. */
function shown(signature: string): string {
  const names = (letters = ""): string =>
    [...letters].map((letter) => TYPE_NAMES[letter] ?? letter).join(" ") || "void";
  const [parameters, results] = signature.split(":");
  return `${names(parameters)} -> ${names(results)}`;
}

function importProblem({ imports, exports }: Shape): string | undefined {
  for (const [name, signature] of imports) {
    const known = IMPORT_SIGNATURES.get(name);
    if (known === undefined || (name === "env.proxy_get_log_level" && !exports.has("proxy_abi_version_0_2_1")))
      return `Failed to load Wasm module due to a missing import: ${name}`;
    if (known !== signature) {
      const types = `want: ${shown(signature)}, but host exports: ${shown(known)}`;
      return `Failed to load Wasm module due to an import type mismatch: ${name}, ${types}`;
    }
  }
  return undefined;
}

function exportProblem(exports: ReadonlyMap<string, string>): string | undefined {
  if (!exports.has("malloc") && !exports.has("proxy_on_memory_allocate"))
    return "Wasm module is missing malloc function.";
  for (const [name, signature] of exports) {
    const known = CALLBACK_SIGNATURES.get(name);
    if (known !== undefined && known !== signature)
      return `Bad function signature for: ${name} (${signature}, expected ${known})`;
  }
  return undefined;
}

/**
 * Compiles the module and checks what Envoy checks when it loads one: ABI version, imports and their types, callback
 * types, malloc.
 */
export function loadModule(bytes: Uint8Array): LoadResult {
  let module: WebAssembly.Module;
  try {
    module = new WebAssembly.Module(bytes);
  } catch (error) {
    return failed("compile", `Failed to load Wasm bytecode: ${(error as Error).message}`);
  }
  const shape: Shape = new SectionReader(bytes);
  const abi = abiProblem(shape.exports);
  if (abi !== undefined) return failed("abi", abi);
  const imports = importProblem(shape);
  if (imports !== undefined) return failed("imports", imports);
  const exports = exportProblem(shape.exports);
  if (exports !== undefined) return failed("exports", exports);
  return { kind: "loaded", module, exports: new Set(shape.exports.keys()) };
}

import { Status } from "./status.ts";

/**
 * The data all workers share under one vm_id. Keys and values are bytes; a key's version changes with each write, and
 * there is no delete.
 */
export class SharedData {
  readonly #entries = new Map<string, { value: Uint8Array; cas: number }>();
  #lastCas = 0;

  /** A copy of the value and its version. `key` as Latin-1 text. */
  get(key: string): { readonly value: Uint8Array; readonly cas: number } | undefined {
    const entry = this.#entries.get(key);
    return entry && { value: entry.value.slice(), cas: entry.cas };
  }

  /** Writes unless `cas` is not 0 and the key is there with another version. */
  set(key: string, value: Uint8Array, cas = 0): typeof Status.Ok | typeof Status.CasMismatch {
    const entry = this.#entries.get(key);
    if (entry && cas !== 0 && cas !== entry.cas) return Status.CasMismatch;
    this.#entries.set(key, { value: value.slice(), cas: this.#nextCas() });
    return Status.Ok;
  }

  keys(): string[] {
    return [...this.#entries.keys()];
  }

  #nextCas(): number {
    this.#lastCas = (this.#lastCas + 1) >>> 0;
    if (this.#lastCas === 0) this.#lastCas = 1;
    return this.#lastCas;
  }
}

// With what a module was written, as far as its bytes tell.
import type { ModuleDescription } from "./describe-module.ts";

export interface ModuleSdk {
  /** As in `Rust 1.85.0`, `TinyGo`, `AssemblyScript`; undefined when nothing tells. */
  readonly language: string | undefined;
  /** As in `0.2.1`. */
  readonly abiVersion: string | undefined;
}

/**
 * Returns the origin of a module. Languages name themselves in the section `producers`
 * (https://github.com/WebAssembly/tool-conventions/blob/main/ProducersSection.md); AssemblyScript does not, but leaves
 * the paths of its library in the data.
 */
export function describeSdk(sections: ModuleDescription, bytes: Uint8Array): ModuleSdk {
  const abi = sections.exports
    .map(({ name }) => /^proxy_abi_version_(\d+)_(\d+)_(\d+)$/.exec(name))
    .find((match) => match !== null);
  return { language: languageOf(sections, bytes), abiVersion: abi?.slice(1).join(".") };
}

function languageOf({ custom, exports }: ModuleDescription, bytes: Uint8Array): string | undefined {
  const names = new Set(custom.map(({ name }) => name));
  const producers = custom.find(({ name }) => name === "producers");
  const texts = producers === undefined ? [] : textsOf(producers.bytes);
  const after = (word: string) => {
    const at = texts.indexOf(word);
    return at < 0 ? undefined : texts[at + 1];
  };
  const rust = after("rustc");
  if (rust !== undefined) return `Rust ${rust.split(" ")[0]}`;
  const tinyGo = after("TinyGo");
  if (tinyGo !== undefined || exports.some(({ name }) => name.startsWith("asyncify_")) || names.has("tinygo"))
    return `TinyGo ${tinyGo ?? ""}`.trim();
  if (names.has("go:buildid") || texts.includes("Go")) return "Go";
  const clang = after("clang");
  if (clang !== undefined) return `C or C++ (clang ${clang.split(" ")[0]})`;
  return Buffer.from(bytes).includes(Buffer.from("~lib/", "utf16le")) ||
    Buffer.from(bytes).includes(Buffer.from("as-proxy-wasm-sdk"))
    ? "AssemblyScript"
    : undefined;
}

/** All texts of the section in order, without its structure: a name's value follows it. */
function textsOf(section: Uint8Array): readonly string[] {
  const texts: string[] = [];
  for (let at = 0; at < section.length; ) {
    const length = section[at] ?? 0;
    const text = Buffer.from(section.subarray(at + 1, at + 1 + length)).toString("latin1");
    // Counts and lengths look alike; a text is printable to its end.
    if (length > 1 && text.length === length && /^[\x20-\x7e]+$/.test(text)) {
      texts.push(text);
      at += 1 + length;
    } else at++;
  }
  return texts;
}

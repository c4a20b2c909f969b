// Whose code a trap was in: Envoy writes the innermost ten frames with the names that the module's "name" section gives
// its functions, and nothing else that would tell one module from another.
// https://webassembly.github.io/spec/core/appendix/custom.html#name-section
import { isMalformed, Reader, unsigned, Writer } from "../module/binary.ts";
import { MODULE_HEADER, readSections, sectionIds } from "../module/sections.ts";
import { functionsOf } from "./functions.ts";

const NAME_SECTION = "name";
const FUNCTION_NAMES = 1;

/**
 * Returns the module with each function of its own named by the mark, before the name that its author gave it: any ten
 * frames say whose they are.
 */
export function withMark(module: Uint8Array, mark: string): Uint8Array {
  const sections = readSections(module);
  const { imported, all } = functionsOf(sections);
  const given = new Map<number, string>();
  const written = new Writer().add(MODULE_HEADER);
  for (const { id, body } of sections) {
    if (id === sectionIds.custom && new Reader(body).name() === NAME_SECTION) readFunctionNames(body, given);
    else written.add([id]).addSized(body);
  }
  return written.add([sectionIds.custom]).addSized(nameSection(mark, { imported, all }, given)).bytes;
}

function nameSection(
  mark: string,
  { imported, all }: { readonly imported: number; readonly all: number },
  given: ReadonlyMap<number, string>,
): Uint8Array {
  const text = new TextEncoder();
  const names = new Writer().add(unsigned(all - imported));
  for (let index = imported; index < all; index++) {
    const name = given.get(index);
    names.add(unsigned(index)).addSized(text.encode(name === undefined || name === "" ? mark : `${mark} ${name}`));
  }
  return new Writer().addSized(text.encode(NAME_SECTION)).add([FUNCTION_NAMES]).addSized(names.bytes).bytes;
}

/** What cannot be read gives no names: the section is for people, and no module is wrong for it. */
function readFunctionNames(body: Uint8Array, into: Map<number, string>): void {
  try {
    const reader = new Reader(body);
    reader.name();
    while (!reader.isAtEnd) {
      const id = reader.byte();
      const content = new Reader(reader.take(reader.u32()));
      if (id !== FUNCTION_NAMES) continue;
      for (let left = content.u32(); left > 0; left--) into.set(content.u32(), content.name());
    }
  } catch (error) {
    if (!isMalformed(error)) throw error;
  }
}

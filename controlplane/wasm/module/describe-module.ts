// What a module says of itself without being run: imports, exports, custom sections. Reads bytes of strangers: bounded,
// never throws.
import { type Failure, failed } from "../../model/failure.ts";
import { isMalformed, Reader } from "./binary.ts";
import {
  hasModuleHeader,
  type ModuleExport,
  type ModuleImport,
  readExports,
  readImports,
  readSections,
  sectionIds,
} from "./sections.ts";

export interface ModuleDescription {
  readonly imports: readonly ModuleImport[];
  readonly exports: readonly ModuleExport[];
  /** Custom sections by name, as they stand in the module; `.debug_…` and the like are among them. */
  readonly custom: readonly { readonly name: string; readonly bytes: Uint8Array }[];
  /** Bytes of code and of data. */
  readonly codeBytes: number;
  readonly dataBytes: number;
}

/** Returns what a module says of itself; a failure's message goes on after the module's name. */
export function describeModule(bytes: Uint8Array): ModuleDescription | Failure<"no-module" | "malformed-module"> {
  if (!hasModuleHeader(bytes)) return failed("no-module", "is no WebAssembly module");
  try {
    const sections = readSections(bytes);
    const bodies = (id: number): readonly Uint8Array[] => sections.flatMap((each) => (each.id === id ? each.body : []));
    const sizeOf = (id: number): number => bodies(id).reduce((sum, body) => sum + body.length, 0);
    return {
      imports: bodies(sectionIds.import).flatMap(readImports),
      exports: bodies(sectionIds.export).flatMap(readExports),
      custom: bodies(sectionIds.custom).map(readCustom),
      codeBytes: sizeOf(sectionIds.code),
      dataBytes: sizeOf(sectionIds.data),
    };
  } catch (error) {
    if (!isMalformed(error)) throw error;
    return failed("malformed-module", "is a WebAssembly module that ends too soon or is malformed");
  }
}

function readCustom(body: Uint8Array): ModuleDescription["custom"][number] {
  const reader = new Reader(body);
  return { name: reader.name(), bytes: body.subarray(reader.offset) };
}

// The functions of a module by their indices: what is imported stands before what is defined in every index space.
import { malformed, Reader } from "../module/binary.ts";
import { bodyOf, type ModuleImport, readImports, type Section, sectionIds } from "../module/sections.ts";

export interface FunctionSpace {
  /** How many functions a module imports, and how many it has with those: the indices of its own come after. */
  readonly imported: number;
  readonly all: number;
  /** How many globals it has, with the imported ones. */
  readonly globals: number;
  /** Returns the index of a function's type. Throws ModuleFormatError where there is no such function. */
  typeOf(index: number): number;
}

/** Returns a module's functions. Throws ModuleFormatError for what no host of filters gives, too. */
export function functionsOf(sections: readonly Section[]): FunctionSpace {
  const imports = readImports(bodyOf(sections, sectionIds.import));
  requireImportable(imports);
  const types = [...imports.flatMap(({ type }) => type ?? []), ...readIndices(bodyOf(sections, sectionIds.function))];
  const globals = imports.filter(({ kind }) => kind === "global").length;
  return {
    imported: imports.length - globals,
    all: types.length,
    globals: globals + new Reader(bodyOf(sections, sectionIds.global)).u32(),
    typeOf(index) {
      const type = types[index];
      if (type === undefined) throw malformed(`it exports the function ${index}, which it does not have`);
      return type;
    },
  };
}

/** Returns the number of parameters of each function type. Throws ModuleFormatError. */
export function readParameterCounts(types: Uint8Array): readonly number[] {
  const reader = new Reader(types);
  return Array.from({ length: reader.u32() }, () => {
    if (reader.byte() !== 0x60) throw malformed("it has a type that is not a function's");
    const parameters = reader.u32();
    for (let left = parameters; left > 0; left--) reader.skipValueType();
    for (let left = reader.u32(); left > 0; left--) reader.skipValueType();
    return parameters;
  });
}

function requireImportable(imports: readonly ModuleImport[]): void {
  if (!imports.every(({ kind }) => kind === "function" || kind === "global"))
    throw malformed("it imports something that is neither a function nor a global: no host of filters gives it");
}

function readIndices(body: Uint8Array): readonly number[] {
  const reader = new Reader(body);
  return Array.from({ length: reader.u32() }, () => reader.u32());
}

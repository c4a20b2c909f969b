// Modules of nothing but imports, exports and custom sections: for tests of what looks into modules without running
// them.

/**
 * Returns a module that imports functions (`env.proxy_log`) and exports functions by name; each takes nothing, returns
 * nothing and does nothing.
 */
export function wasmModule(
  imports: readonly string[],
  exports: readonly string[] = [],
  custom: Readonly<Record<string, string>> = {},
): Uint8Array {
  return new Uint8Array([
    0x00,
    0x61,
    0x73,
    0x6d,
    1,
    0,
    0,
    0,
    ...section(1, [1, 0x60, 0, 0]),
    ...section(
      2,
      vector(imports.map((name) => [...text(name.split(".")[0] ?? ""), ...text(name.split(".")[1] ?? ""), 0, 0])),
    ),
    ...section(3, vector(exports.map(() => [0]))),
    ...section(7, vector(exports.map((name, index) => [...text(name), 0, ...leb(imports.length + index)]))),
    ...section(10, vector(exports.map(() => [2, 0, 0x0b]))),
    ...Object.entries(custom).flatMap(([name, content]) => section(0, [...text(name), ...Buffer.from(content)])),
  ]);
}

function section(id: number, content: readonly number[]): number[] {
  return [id, ...leb(content.length), ...content];
}

function vector(items: readonly (readonly number[])[]): number[] {
  return [...leb(items.length), ...items.flat()];
}

function text(value: string): number[] {
  const bytes = [...Buffer.from(value)];
  return [...leb(bytes.length), ...bytes];
}

/** Unsigned LEB128. */
function leb(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...leb(value >>> 7)];
}

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import asc from "assemblyscript/asc";
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { meterModule } from "./meter.ts";

const SOURCE = `
@external("env", "back") declare function back(): void;
let calls: i32 = 0;
export function proxy_on_turns(turns: i32): i32 { let sum = 0; for (let i = 0; i < turns; i++) sum += i; return sum; }
export function proxy_on_forever(): void { while (true) { calls++; } }
function deep(n: i32): i32 { return n == 0 ? 0 : 1 + deep(n - 1); }
export function proxy_on_deep(n: i32): i32 { return deep(n); }
export function proxy_on_memory_allocate(size: i32): i32 { return size; }
// Calls the host again and again, which calls back each time.
export function proxy_on_around(): void { while (true) back(); }
export function proxy_on_inner(): i32 { return ++calls; }
export function proxy_on_grow(pages: i32): i32 { return memory.grow(pages); }
export function helper(): i32 { return 7; }
`;

let module: Uint8Array<ArrayBuffer>;

beforeAll(async () => {
  const files: Record<string, Uint8Array> = {};
  const { error, stderr } = await asc.main(
    ["m.ts", "--runtime", "stub", "-O2", "--outFile", "m.wasm", "--use", "abort="],
    {
      readFile: (name) => (name === "m.ts" ? SOURCE : null),
      writeFile: (name, data) => void (files[name] = data as Uint8Array),
      listFiles: () => [],
    },
  );
  if (error !== null) throw new Error(stderr.toString());
  module = new Uint8Array(files["m.wasm"] ?? expect.fail("no module"));
});

type Callbacks = Record<string, (...args: number[]) => number>;

function run(bytes: Uint8Array, back: (exports: Callbacks) => void = () => undefined): Callbacks {
  const exports: { now?: Callbacks } = {};
  const instance = new WebAssembly.Instance(new WebAssembly.Module(new Uint8Array(bytes)), {
    env: { back: () => exports.now && back(exports.now) },
  });
  exports.now = instance.exports as unknown as Callbacks;
  return exports.now;
}

function metered(bytes: Uint8Array, limits = { turns: 100_000, memoryPages: 16 }): Uint8Array {
  const result = meterModule(bytes, limits);
  if (result.kind === "failed") throw new Error(result.message);
  return result.bytes;
}

function isValid(bytes: Uint8Array): boolean {
  try {
    return new WebAssembly.Module(new Uint8Array(bytes)) !== undefined;
  } catch {
    return false;
  }
}

describe("meterModule", () => {
  it("leaves what a callback does within its budget as it was", () => {
    const { proxy_on_turns: turns, proxy_on_deep: deep, helper } = run(metered(module));
    expect([turns?.(1_000), deep?.(50), helper?.()]).toEqual([499_500, 50, 7]);
  });
  it("ends a callback that never would", () =>
    expect(() => run(metered(module))["proxy_on_forever"]?.()).toThrow(/unreachable/));
  it("ends one that takes more turns than its budget, and not one that takes fewer", () => {
    const { proxy_on_turns: turns } = run(metered(module, { turns: 1_000, memoryPages: 16 }));
    expect(turns?.(990)).toBe(489_555);
    expect(() => turns?.(1_010)).toThrow(/unreachable/);
  });
  it("counts calls of functions", () =>
    expect(() => run(metered(module, { turns: 100, memoryPages: 16 }))["proxy_on_deep"]?.(200)).toThrow(/unreachable/));
  it("renews the budget for each call of the host", () => {
    const { proxy_on_turns: turns } = run(metered(module, { turns: 1_000, memoryPages: 16 }));
    for (let i = 0; i < 100; i++) expect(turns?.(900)).toBe(404_550);
  });
  it("does not renew it when a host call leads back into the module", () => {
    const callbacks = run(metered(module, { turns: 5_000, memoryPages: 16 }), (exports) => {
      exports["proxy_on_inner"]?.();
      exports["proxy_on_memory_allocate"]?.(8);
    });
    expect(() => callbacks["proxy_on_around"]?.()).toThrow(/unreachable/);
  });
  it("ends memory at the ceiling", () => {
    const { proxy_on_grow: grow } = run(metered(module, { turns: 1_000, memoryPages: 16 }));
    expect(grow?.(10)).toBeGreaterThanOrEqual(0);
    expect(grow?.(10)).toBe(-1);
  });
  it("refuses a module that starts above the ceiling", () => {
    const bytes = Uint8Array.from([0, 97, 115, 109, 1, 0, 0, 0, 5, 3, 1, 0, 20]);
    expect(meterModule(bytes, { turns: 1, memoryPages: 16 })).toEqual({
      kind: "failed",
      code: "malformed-module",
      message: "it asks for 20 pages of memory at its start, the ceiling is 16 (1 MiB)",
    });
  });
  it("may be done again, with the lower of both budgets", () => {
    expect(() => run(metered(metered(module, { turns: 100, memoryPages: 16 })))["proxy_on_turns"]?.(200)).toThrow(
      /unreachable/,
    );
  });

  it.each(["authz", "ratelimit", "router", "telemetry"])(
    "gives a valid module for the %s filter, little larger than before",
    (name) => {
      const bytes = readFileSync(fileURLToPath(new URL(`../../../filters/build/${name}.wasm`, import.meta.url)));
      const result = metered(bytes, { turns: 20_000_000, memoryPages: 1_024 });
      expect(isValid(result)).toBe(true);
      expect(result.length / bytes.length).toBeLessThan(1.4);
    },
  );

  it("makes a valid module of a valid one, and never throws at any other", () => {
    fc.assert(
      fc.property(fc.nat(module.length - 1), fc.nat(255), (at, byte) => {
        const changed = module.slice();
        changed[at] = byte;
        for (const bytes of [module.slice(0, at), changed]) {
          const result = meterModule(bytes, { turns: 10, memoryPages: 16 });
          if (!isValid(bytes)) continue;
          if (result.kind === "failed") expect(result.message).toContain("pages of memory at its start");
          else expect(isValid(result.bytes)).toBe(true);
        }
      }),
      { numRuns: 500 },
    );
  });
});

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import asc from "assemblyscript/asc";
import { describe, expect, it } from "vitest";
import { unsigned, Writer } from "../module/binary.ts";
import { withMark } from "./function-names.ts";
import { meterModule } from "./meter.ts";

const MARK = "81c73599681ea3f";

async function compiled(...options: readonly string[]): Promise<Uint8Array> {
  const files: Record<string, Uint8Array> = {};
  const source = `@external("env", "back") declare function back(): void;
function deep(n: i32): i32 { return n == 0 ? unreachable() : 1 + deep(n - 1); }
export function proxy_on_deep(n: i32): i32 { back(); return deep(n); }`;
  const { error, stderr } = await asc.main(
    ["m.ts", "--runtime", "stub", "--outFile", "m.wasm", "--use", "abort=", ...options],
    {
      readFile: (name) => (name === "m.ts" ? source : null),
      writeFile: (name, data) => void (files[name] = data as Uint8Array),
      listFiles: () => [],
    },
  );
  if (error !== null) throw new Error(stderr.toString());
  return files["m.wasm"] ?? expect.fail("no module");
}

/** The names in the frames of a trap, innermost first, as V8 has them; Envoy looks them up in the same section. */
function framesOf(bytes: Uint8Array, depth: number): readonly string[] {
  const instance = new WebAssembly.Instance(new WebAssembly.Module(new Uint8Array(bytes)), {
    env: { back: () => undefined },
  });
  try {
    (instance.exports["proxy_on_deep"] as (n: number) => number)(depth);
  } catch (error) {
    return [...String((error as Error).stack).matchAll(/at (.*?) \(wasm:/g)].map(([, name = ""]) => name);
  }
  return expect.fail("it did not trap");
}

function marked(bytes: Uint8Array): Uint8Array {
  const metered = meterModule(bytes, { turns: 1_000, memoryPages: 16 });
  return metered.kind === "metered" ? withMark(metered.bytes, MARK) : expect.fail(metered.message);
}

describe("withMark", () => {
  it.each([0, 50])("names every frame of a trap %i calls deep, of a module without names of its own", async (depth) => {
    const frames = framesOf(marked(await compiled()), depth);
    expect(frames.length).toBeGreaterThan(1);
    expect(new Set(frames)).toEqual(new Set([MARK]));
  });
  it("puts the author's name behind the mark", async () =>
    expect(framesOf(marked(await compiled("--debug")), 0)[0]).toBe(`${MARK} m/deep`));
  it("cannot be undone by a module that names its functions as another's, or twice, or wrongly", async () => {
    const text = new TextEncoder();
    const claim = (names: readonly number[]) =>
      new Writer().addSized(text.encode("name")).add([1]).addSized(Uint8Array.from(names)).bytes;
    const other = "0123456789abcde";
    const entries = [1, 2, 3, 4].flatMap((index) => [...unsigned(index), other.length, ...text.encode(other)]);
    const withSection = async (...bodies: readonly Uint8Array[]) =>
      bodies.reduce((module, body) => module.add([0]).addSized(body), new Writer().add(await compiled())).bytes;
    for (const module of [
      await withSection(claim([4, ...entries])),
      await withSection(claim([4, ...entries]), claim([4, ...entries])),
      await withSection(claim([200, 1, 255])),
    ]) {
      for (const frame of framesOf(marked(module), 0)) expect(frame).toMatch(new RegExp(`^${MARK}( |$)`));
    }
  });
  it.each(["authz", "mesh"])("adds little to the %s filter, and leaves it valid", (name) => {
    const bytes = readFileSync(fileURLToPath(new URL(`../../../filters/build/${name}.wasm`, import.meta.url)));
    const result = withMark(bytes, MARK);
    expect(() => new WebAssembly.Module(new Uint8Array(result))).not.toThrow();
    expect(result.length / bytes.length).toBeLessThan(1.15);
  });
});

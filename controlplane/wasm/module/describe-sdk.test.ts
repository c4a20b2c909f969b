import { describe, expect, it } from "vitest";
import { wasmModule } from "../../../test/fakes/wasm-module.ts";
import { isFailed } from "../../model/failure.ts";
import { describeModule } from "./describe-module.ts";
import { describeSdk } from "./describe-sdk.ts";

/** A `producers` section: fields, each with pairs of texts. */
function producers(...fields: readonly (readonly [string, readonly (readonly [string, string])[]])[]): string {
  const text = (value: string) => `${String.fromCharCode(value.length)}${value}`;
  const list = (entries: readonly string[]) => `${String.fromCharCode(entries.length)}${entries.join("")}`;
  return list(fields.map(([name, pairs]) => `${text(name)}${list(pairs.map((pair) => pair.map(text).join("")))}`));
}

function originOf(exports: readonly string[], custom: Readonly<Record<string, string>> = {}): unknown {
  const bytes = wasmModule(["env.proxy_log"], exports, custom);
  const description = describeModule(bytes);
  return !isFailed(description) && describeSdk(description, bytes);
}

describe("with what a module was written", () => {
  it.each([
    [
      "Rust 1.85.0",
      {
        producers: producers(
          ["language", [["Rust", ""]]],
          [
            "processed-by",
            [
              ["rustc", "1.85.0 (4d91de4e4 2025-02-17)"],
              ["walrus", "0.23.3"],
            ],
          ],
        ),
      },
    ],
    [
      "TinyGo 0.37.0",
      {
        producers: producers(
          ["language", [["C99", ""]]],
          [
            "processed-by",
            [
              ["clang", "19.1.2"],
              ["TinyGo", "0.37.0"],
            ],
          ],
        ),
      },
    ],
    [
      "C or C++ (clang 19.1.2)",
      { producers: producers(["processed-by", [["clang", "19.1.2 (https://example.com)"]]]) },
    ],
    ["Go", { "go:buildid": "x" }],
    ["AssemblyScript", { tag: Buffer.from("~lib/rt/stub.ts", "utf16le").toString("latin1") }],
    [undefined, {}],
  ])("is %s", (language, custom) =>
    expect(originOf(["proxy_abi_version_0_2_1"], custom)).toEqual({ language, abiVersion: "0.2.1" }),
  );

  it("knows a module that is none of proxy-wasm", () =>
    expect(originOf(["run"])).toEqual({ language: undefined, abiVersion: undefined }));
});

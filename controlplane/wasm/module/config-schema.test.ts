import { existsSync, readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { fitConfiguration, schemaFault } from "./config-schema.ts";

const schema = {
  type: "object",
  required: ["name"],
  additionalProperties: false,
  properties: {
    name: { type: "string", pattern: "^x-[a-z]+$" },
    level: { enum: ["low", "high"] },
    kind: { const: "a" },
    port: { anyOf: [{ type: "integer" }, { type: "string" }] },
    limits: { type: "array", items: { $ref: "#/$defs/limit" } },
    "odd/name": { type: "number" },
    // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema
    mode: { if: { const: "x" }, then: { minLength: 2 } },
  },
  $defs: { limit: { type: "object", properties: { rate: { type: "integer", minimum: 1 } } } },
};
const fitOf = (configuration: unknown, against: Record<string, unknown> = schema) =>
  fitConfiguration(JSON.stringify(configuration), against);

describe("a configuration held against the schema of its module's manifest", () => {
  it("fits", () => {
    expect(fitOf({ name: "x-a", level: "low", port: "80", limits: [{ rate: 3 }] })).toEqual({ kind: "fits" });
    expect(fitConfiguration("", { type: "object" })).toEqual({ kind: "fits" });
  });

  it.each<[unknown, string, string]>([
    [{}, "spec.pluginConfig", 'must have "name"'],
    [{ name: 3 }, "spec.pluginConfig.name", "must be string"],
    [{ name: "y" }, "spec.pluginConfig.name", 'must match pattern "^x-[a-z]+$"'],
    [{ name: "x-a", colour: 1 }, "spec.pluginConfig", 'must not have "colour"'],
    [{ name: "x-a", level: "mid" }, "spec.pluginConfig.level", 'must be one of ["low","high"]'],
    [{ name: "x-a", kind: "b" }, "spec.pluginConfig.kind", 'must be "a"'],
    [{ name: "x-a", port: [] }, "spec.pluginConfig.port", "must match a schema in anyOf"],
    [{ name: "x-a", limits: [{ rate: 1 }, { rate: 0 }] }, "spec.pluginConfig.limits[1].rate", "must be >= 1"],
    [{ name: "x-a", "odd/name": "" }, 'spec.pluginConfig["odd/name"]', "must be number"],
    [{ name: "x-a", mode: "x" }, "spec.pluginConfig.mode", "must not have fewer than 2 characters"],
    [[], "spec.pluginConfig", "must be object"],
  ])("%j does not: %s %s", (configuration, field, reason) => {
    expect(fitOf(configuration)).toEqual({
      kind: "misfit",
      field,
      reason: `${reason}, as its module's manifest says by configSchema`,
    });
  });

  it("is none where it is needed, or is not JSON", () => {
    expect(fitConfiguration("", schema)).toMatchObject({
      kind: "misfit",
      reason: expect.stringContaining('must have "name"') as string,
    });
    expect(fitConfiguration("name=x", schema)).toMatchObject({ kind: "misfit", field: "spec.pluginConfig" });
  });

  it("may be of three drafts, and of the newest where none is named", () => {
    const tuple = { prefixItems: [{ type: "string" }] };
    expect(fitOf([1], tuple).kind).toBe("misfit");
    expect(fitOf([1], { $schema: "https://json-schema.org/draft/2020-12/schema", ...tuple }).kind).toBe("misfit");
    expect(fitOf([1], { $schema: "http://json-schema.org/draft-07/schema#", items: [{ type: "string" }] }).kind).toBe(
      "misfit",
    );
    expect(fitOf([1], { $schema: "http://json-schema.org/draft-04/schema#" })).toMatchObject({
      kind: "unusable",
      reason: expect.stringContaining("draft-04") as string,
    });
  });
});

describe("a schema of a stranger", () => {
  const nested = (depth: number): Record<string, unknown> =>
    depth === 0 ? {} : { properties: { a: nested(depth - 1) } };

  it.each<[string, Record<string, unknown>, string]>([
    ["refers elsewhere", { $ref: "https://example.com/schema.json" }, "can't resolve reference"],
    ["refers to a file", { $ref: "file:///etc/passwd" }, "can't resolve reference"],
    ["is too deep", nested(40), "nested deeper than 48"],
    ["is too wide", { enum: Array.from({ length: 20_000 }, (_, index) => index) }, "more than 10000 parts"],
    ["answers later", { $async: true, type: "string" }, "asynchronous"],
    ["is no schema", { type: "text" }, "cannot be applied"],
    ["has a pattern that RE2 lacks", { pattern: "(?=a)b" }, "cannot be applied"],
    ["has a pattern that explodes when it is compiled", { pattern: "((a{100}){100}){100}" }, "cannot be applied"],
    ["has a pattern without end", { pattern: "a".repeat(2_000) }, "more than 1024 characters"],
    ["is a circle", { $ref: "#" }, "cannot be applied"],
  ])("that %s is not applied", (_what, against, reason) => {
    expect(fitOf("x", against)).toMatchObject({ kind: "unusable", reason: expect.stringContaining(reason) as string });
  });

  it("has patterns that take time in proportion to the text", () => {
    expect(fitOf(`${"a".repeat(50_000)}!`, { pattern: "^(a+)+$" }).kind).toBe("misfit");
    expect(fitOf({ ["a".repeat(50_000)]: 1 }, { patternProperties: { "^(a|a)*b$": false } }).kind).toBe("fits");
  });

  it("writes patterns as JavaScript does", () => {
    expect(fitOf("é/1", { pattern: "^\\u00e9\\/\\d$" }).kind).toBe("fits");
    expect(fitOf("abc", { pattern: "b" }).kind).toBe("fits");
  });

  it("changes nothing for the next one, whatever it calls itself", () => {
    expect(fitOf("x", { $id: "https://json-schema.org/draft/2020-12/schema", type: "number" }).kind).not.toBe("fits");
    expect(fitOf("x", { type: "string" }).kind).toBe("fits");
    expect(
      fitOf(
        {},
        JSON.parse(
          '{"properties": {"__proto__": {"type": "string"}, "constructor": {"type": "string"}}, ' +
            '"default": {"__proto__": {"polluted": 1}}}',
        ) as Record<string, unknown>,
      ).kind,
    ).toBe("fits");
    expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
  });
});

describe("the schemas of the filters here", () => {
  const filters = fileURLToPath(new URL("../../../filters", import.meta.url));
  // That of all functions together is made of the others' files.
  const names = readdirSync(filters).filter(
    (name) => name !== "mesh" && existsSync(`${filters}/${name}/config.schema.json`),
  );
  const read = (file: string) => JSON.parse(readFileSync(`${filters}/${file}`, "utf8")) as Record<string, unknown>;

  it.each(names)("that of %s can be applied, and its example fits", (name) => {
    expect(schemaFault(read(`${name}/config.schema.json`))).toBeUndefined();
    expect(fitOf(read(`${name}/example.json`), read(`${name}/config.schema.json`))).toEqual({ kind: "fits" });
  });
});

// Of every field that nobody obeys it is said so where it is used, once, and its value is checked as any other's.
import { stringify } from "yaml";
import { describe, expect, it } from "vitest";
import { allKinds, kindDefinitions } from "../../controlplane/model/kinds.ts";
import { loadText } from "../../controlplane/store/load.ts";
import { fieldsOf, type Holder, isMarked, pathText, type Schema, schemaOf } from "./schema-fields.ts";

const HOLDERS: readonly Holder[] = [...allKinds, "MeshConfig"];
const FORMATS: Readonly<Record<string, string>> = {
  duration: "5s",
  "host-port": "a.com:80",
  "ip-block": "10.0.0.1",
  re2: "a",
  "header-text": "a",
};

/** Returns a value that fits the schema, with no more in it than must be. */
function valueOf(schema: Schema): unknown {
  switch (schema.type) {
    case "string":
      return schema.enum?.[0] ?? FORMATS[schema.format ?? ""] ?? "a";
    case "integer":
    case "number":
      return Math.max(schema.minimum ?? 1, 1);
    case "boolean":
      return true;
    case "array":
      return [valueOf(schema.items ?? {})];
    default:
      return schema.patternProperties === undefined
        ? fieldsIn(schema)
        : { a: valueOf(Object.values(schema.patternProperties)[0] ?? {}) };
  }
}

function fieldsIn(schema: Schema): Record<string, unknown> {
  const names = new Set([...(schema.required ?? []), ...(schema["x-one-of"]?.slice(0, 1) ?? [])]);
  if (names.size === 0 && schema.minProperties) names.add(Object.keys(schema.properties ?? {})[0] ?? "");
  return Object.fromEntries([...names].map((name) => [name, valueOf(schema.properties?.[name] ?? {})]));
}

/** Returns a payload in which the field at the path has this value. */
function withField(schema: Schema, [name, ...rest]: readonly string[], value: unknown): unknown {
  if (name === undefined) return value;
  if (name === "[]") return [withField(schema.items ?? {}, rest, value)];
  if (name === "*") return { a: withField(Object.values(schema.patternProperties ?? {})[0] ?? {}, rest, value) };
  const oneOf = schema["x-one-of"] ?? [];
  const beside = Object.entries(fieldsIn(schema)).filter(([other]) => !(oneOf.includes(name) && oneOf.includes(other)));
  return { ...Object.fromEntries(beside), [name]: withField(schema.properties?.[name] ?? {}, rest, value) };
}

/** Returns what is said of the field at the path, when it has this value. */
function saidOf(holder: Holder, path: readonly string[], value: unknown): readonly string[] {
  const payload = withField(schemaOf(holder), path, value) as object;
  const where = path
    .reduce((text, name) => (name === "[]" ? `${text}[0]` : `${text}.${name === "*" ? "a" : name}`), "")
    .slice(1);
  const mesh = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "istio", namespace: "istio-system" } };
  const { apiVersions, payload: at } = kindDefinitions[holder === "MeshConfig" ? "ConfigMap" : holder];
  const head = { apiVersion: apiVersions[0], kind: holder, metadata: { name: "a" } };
  const document =
    holder === "MeshConfig"
      ? { ...mesh, data: { mesh: stringify(payload) } }
      : { ...head, ...(at === "top" ? payload : { spec: payload }) };
  const prefix = holder === "MeshConfig" ? "data.mesh: " : at === "top" ? "" : "spec.";
  return loadText(stringify(document))
    .violations.map(({ severity, field, message }) => ({ severity, text: `${field}: ${message}` }))
    .filter(({ text }) => text.startsWith(`${prefix}${where}: `))
    .map(({ severity, text }) => `${severity} ${text.slice(prefix.length + where.length + 2)}`);
}

const marked = HOLDERS.flatMap((holder) =>
  fieldsOf(schemaOf(holder))
    .filter(({ schema }) => isMarked(schema))
    .map(({ path, schema }) => ({ holder, path, schema, name: `${holder} ${pathText(path)}` })),
);
const values = HOLDERS.flatMap((holder) =>
  fieldsOf(schemaOf(holder)).flatMap(({ path, schema }) =>
    (schema["x-values-not-yet"] ?? []).map((value) => ({
      holder,
      path,
      value,
      name: `${holder} ${pathText(path)} ${value}`,
    })),
  ),
);

describe("a field that nobody obeys", () => {
  it.each(marked)("$name is told of, and its value is checked", ({ holder, path, schema }) => {
    const { "x-no-effect": because } = schema;
    const expected =
      because === undefined
        ? "error is not supported yet: the object is refused"
        : `warning ${because === true ? "is not supported yet and has no effect" : `has no effect: ${because}`}`;
    expect(saidOf(holder, path, valueOf(schema))).toContain(expected);
    expect(saidOf(holder, path, valueOf(schema)).filter((said) => said === expected)).toHaveLength(1);
    const wrong = schema.type === "object" || schema.type === "array" ? 17 : { wrong: [] };
    expect(saidOf(holder, path, wrong).join("\n")).toMatch(/^error must be /m);
  });

  it.each(values)("$name is refused by name", ({ holder, path, value }) => {
    expect(saidOf(holder, path, value)).toEqual([`error ${value} is not supported yet: the object is refused`]);
  });
});

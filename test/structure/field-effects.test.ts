// What a field does is what is said of it: every field that is accepted without a word changes what proxies are told,
// what is run, or what is accepted, when it is left out or has another value.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { parseAllDocuments, parse, stringify } from "yaml";
import { translateProxy } from "../../controlplane/cli/translate-proxy.ts";
import { allKinds, isKind, kindDefinitions } from "../../controlplane/model/kinds.ts";
import { planRouters } from "../../controlplane/pods/gateway-plan.ts";
import { planWorkloads } from "../../controlplane/pods/workload-plan.ts";
import { loadText } from "../../controlplane/store/load.ts";
import { pluginSource } from "../../controlplane/wasm/plugin-source.ts";
import { CERTIFICATE, KEY } from "../golden/tls-material.ts";
import { scenarioNames } from "../golden/scenario.ts";
import { fieldKey, fieldsOf, type Holder, isMarked, pathText, type Schema, schemaOf } from "./schema-fields.ts";

const golden = fileURLToPath(new URL("../golden", import.meta.url));
const probes = fileURLToPath(new URL("probes", import.meta.url));

const CREDENTIAL = ["default", "istio-system"]
  .map((namespace) =>
    stringify({
      apiVersion: "v1",
      kind: "Secret",
      metadata: { name: "edge", namespace },
      stringData: { "tls.crt": CERTIFICATE, "tls.key": KEY },
    }),
  )
  .join("---\n");

/** Fields that do nothing to a directory's mesh, and why. */
const WITHOUT_EFFECT: Readonly<Record<string, string>> = {
  "Deployment.selector": "only its matchLabels are looked at: the template must have them",
  "Gateway.servers[].name": "for people, as Istio says",
  ...Object.fromEntries(
    ["", "[].matchExpressions", "[].matchExpressions[].key", "[].matchExpressions[].operator"]
      .concat("[].matchExpressions[].values", "[].matchLabels")
      .map((field) => [`MeshConfig.discoverySelectors${field}`, "which objects of a cluster are told at all"]),
  ),
};

/** A document's part that a schema describes, and what becomes of the mesh's text when it is another. */
interface Payload {
  readonly schema: Schema;
  readonly value: unknown;
  readonly textWith: (value: unknown) => string;
}

type Fields = Readonly<Record<string, unknown>>;

const isFields = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Returns what the mesh is: what is said of it, what is run, and what each proxy is told. */
function outcomeOf(text: string, alsoFor: string): string {
  const { world, violations } = loadText(text);
  const modules = {
    builtin: (name: string) => ({ sha256: name, bytes: Uint8Array.of(0, 0x61, 0x73, 0x6d) }),
    differsByProxy: () => false,
    plugin: () => ({ kind: "unavailable", reason: "none" }) as const,
  };
  const routers = planRouters(world);
  const plans = planWorkloads(world, "every");
  const names = [alsoFor, ...[...plans.workloads, ...routers].map(({ namespace, name }) => `${namespace}/${name}`)];
  const told = [...new Set(names)].map((name) => {
    const made = translateProxy(world, name, modules);
    return made.kind === "translated" ? [made.resources, made.notes] : made;
  });
  const around = {
    secret: (namespace: string, name: string) => world.get("Secret", namespace, name),
    pluginTrust: world.mesh.pluginTrust,
  };
  const plugins = world.list("WasmPlugin").map((plugin) => pluginSource(plugin, around));
  const said = violations.map(({ field, message }) => [field, message]);
  return JSON.stringify([said, world.mesh.defaultConcurrency, routers, plans, plugins, told], (_key, value: unknown) =>
    value instanceof Map ? [...value] : typeof value === "bigint" ? String(value) : value,
  );
}

/** Returns the parts of a mesh's documents that schemas describe. */
function payloadsOf(documents: readonly Fields[]): readonly Payload[] {
  return documents.flatMap((document, index): readonly Payload[] => {
    const textOf = (other: unknown) => documents.map((one, at) => stringify(at === index ? other : one)).join("---\n");
    const { kind, metadata, data } = document;
    if (typeof kind !== "string" || !isKind(kind)) return [];
    const isMesh = kind === "ConfigMap" && isFields(metadata) && metadata["name"] === "istio" && isFields(data);
    if (isMesh)
      return [
        {
          schema: schemaOf("MeshConfig"),
          value: parse(String(data["mesh"])),
          textWith: (mesh) => textOf({ ...document, data: { mesh: stringify(mesh) } }),
        },
      ];
    const { payload } = kindDefinitions[kind];
    if (payload === "top") return [{ schema: schemaOf(kind), value: document, textWith: textOf }];
    const { status } = document;
    const value = { ...(document["spec"] as Fields), ...(payload === "spec+status" && isFields(status) && { status }) };
    return [
      {
        schema: schemaOf(kind),
        value,
        textWith: (other) => {
          const { status: changed, ...spec } = other as Fields;
          return textOf({ ...document, spec, ...(payload === "spec+status" && { status: changed }) });
        },
      },
    ];
  });
}

/** A field as it stands in a payload. */
interface Written {
  readonly key: string;
  readonly path: readonly (string | number)[];
  readonly value: unknown;
  readonly schema: Schema;
}

function writtenFields(schema: Schema, value: unknown, path: readonly (string | number)[] = []): readonly Written[] {
  if (Array.isArray(value))
    return value.flatMap((item, index) => writtenFields(schema.items ?? {}, item, [...path, index]));
  if (!isFields(value)) return [];
  return Object.entries(value).flatMap(([name, inner]) => {
    const field = schema.properties?.[name];
    const at = [...path, name];
    if (field !== undefined)
      return [
        { key: fieldKey(schema, name), path: at, value: inner, schema: field },
        ...(isMarked(field) ? [] : writtenFields(field, inner, at)),
      ];
    const entries = Object.values(schema.patternProperties ?? {})[0];
    return entries === undefined ? [] : writtenFields(entries, inner, at);
  });
}

/** Returns other values that the field may have; undefined leaves it out. */
function othersOf({ schema, value }: Written): readonly unknown[] {
  if (typeof value === "boolean") return [!value, undefined];
  if (typeof value === "number") return [value + 1, value + 2, value - 1, undefined];
  if (schema.enum !== undefined) return [...schema.enum, ...(schema["x-values-not-yet"] ?? []), undefined];
  if (schema.format === "duration") return ["7s", "2500ms", undefined];
  if (schema.format === "ip-block") return ["10.99.0.0/16", undefined];
  if (typeof value === "string") return [`${value}x`, "9", undefined];
  return [undefined];
}

function replaced(value: unknown, [name, ...rest]: readonly (string | number)[], by: unknown): unknown {
  if (name === undefined) return by;
  if (Array.isArray(value))
    return value.map((item: unknown, index) => (index === name ? replaced(item, rest, by) : item));
  const fields = value as Fields;
  const inner = replaced(fields[name], rest, by);
  const others = Object.entries(fields).map(([key, field]) => [key, key === String(name) ? inner : field] as const);
  return Object.fromEntries(others.filter(([, field]) => field !== undefined));
}

/** Takes the fields of the mesh that have an effect out of `pending`. */
function tryFields(text: string, workload: string, pending: Map<string, string>): void {
  const documents = parseAllDocuments(text)
    .map((document) => document.toJS() as unknown)
    .filter(isFields);
  const payloads = payloadsOf(documents).map((payload) => ({
    payload,
    written: writtenFields(payload.schema, payload.value),
  }));
  let before: string | undefined;
  for (const { payload, written } of payloads) {
    for (const field of written.toReversed()) {
      if (!pending.has(field.key)) continue;
      before ??= outcomeOf(documents.map((one) => stringify(one)).join("---\n"), workload);
      const changes = othersOf(field).some(
        (other) => outcomeOf(payload.textWith(replaced(payload.value, field.path, other)), workload) !== before,
      );
      // What is around a field that does something does so too.
      const around = written.filter(({ path }) => path.every((part, index) => part === field.path[index]));
      if (changes) for (const { key } of around) pending.delete(key);
    }
  }
}

describe("every field that is accepted", () => {
  it("has an effect, or stands here with a reason", { timeout: 300_000 }, () => {
    const holders: readonly Holder[] = [...allKinds, "MeshConfig"];
    const pending = new Map(
      holders
        .flatMap((holder) =>
          fieldsOf(schemaOf(holder))
            .filter(({ schema }) => !isMarked(schema))
            .map(({ key, path }) => [key, `${holder}.${pathText(path)}`] as const),
        )
        .toReversed(),
    );
    for (const file of readdirSync(probes))
      tryFields(`${readFileSync(join(probes, file), "utf8")}---\n${CREDENTIAL}`, "default/web", pending);
    for (const name of scenarioNames(golden)) {
      const read = (file: string) => readFileSync(join(golden, name, file), "utf8");
      tryFields(read("input.yaml"), read("proxy.txt").trim(), pending);
    }
    expect([...pending.values()].sort()).toEqual(Object.keys(WITHOUT_EFFECT).sort());
  });
});

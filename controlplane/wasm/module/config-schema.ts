// consumes: a plugin's configuration, the JSON Schema in its module's manifest
// produces: whether the one fits the other, and where it does not
// never does: make a stranger's schema harmless by itself: one can be written that takes forever, so this runs in the
// check's child, which can be killed.
//             References lead nowhere outside it, and patterns are RE2's, which take time in proportion to the text.
import type { ErrorObject, Options } from "ajv";
import { Ajv } from "ajv";
import { Ajv2019 } from "ajv/dist/2019.js";
import { Ajv2020 } from "ajv/dist/2020.js";
import { RE2JS } from "re2js";

export type ConfigFit =
  | { readonly kind: "fits" }
  /** `field` is the place in the WasmPlugin: `spec.pluginConfig.limits[0].rate`. */
  | { readonly kind: "misfit"; readonly field: string; readonly reason: string }
  /** The schema itself is at fault. `reason` goes on after "configSchema". */
  | { readonly kind: "unusable"; readonly reason: string };

const CONFIG_FIELD = "spec.pluginConfig";
const DEEPEST = 48;
const MOST_PARTS = 10_000;
const LONGEST_PATTERN = 1_024;
/** In RE2's instructions. */
const LARGEST_PATTERN = 32_768;
const LONGEST_SAID = 200;

/**
 * By what `$schema` begins with; without it a schema is of the newest draft. Older drafts mean other things by the same
 * words.
 */
const DRAFTS: readonly (readonly [uri: string, library: new (options: Options) => Pick<Ajv, "compile">])[] = [
  ["https://json-schema.org/draft/2020-12/schema", Ajv2020],
  ["https://json-schema.org/draft/2019-09/schema", Ajv2019],
  ["http://json-schema.org/draft-07/schema", Ajv],
];

/** Returns whether a configuration fits; "", none, is held against the schema as `{}`. */
export function fitConfiguration(configuration: string, configSchema: Readonly<Record<string, unknown>>): ConfigFit {
  const compiled = compile(configSchema);
  if (compiled.kind === "unusable") return compiled;
  let value: unknown;
  try {
    value = JSON.parse(configuration === "" ? "{}" : configuration);
  } catch {
    return {
      kind: "misfit",
      field: CONFIG_FIELD,
      reason: "is not JSON, and its module's manifest says by configSchema what JSON it takes",
    };
  }
  try {
    if (compiled.validate(value) === true) return { kind: "fits" };
  } catch (error) {
    return { kind: "unusable", reason: `cannot be applied: ${shortened(error)}` };
  }
  return describe(compiled.validate.errors ?? []);
}

/**
 * Returns what is wrong with a schema itself, in words that go on after "configSchema"; undefined if it can be applied.
 */
export function schemaFault(configSchema: Readonly<Record<string, unknown>>): string | undefined {
  const compiled = compile(configSchema);
  return compiled.kind === "unusable" ? compiled.reason : undefined;
}

interface Validate {
  (value: unknown): unknown;
  readonly errors?: readonly ErrorObject[] | null;
}

function compile({
  $schema,
  ...schema
}: Readonly<Record<string, unknown>>):
  | { readonly kind: "compiled"; readonly validate: Validate }
  | Extract<ConfigFit, { kind: "unusable" }> {
  const unusable = (reason: string) => ({ kind: "unusable" as const, reason });
  const size = sizeOf(schema, 1);
  if (size > MOST_PARTS) return unusable(`is nested deeper than ${DEEPEST} or has more than ${MOST_PARTS} parts`);
  const [, Library] =
    DRAFTS.find(
      ([uri]) => $schema === undefined || (typeof $schema === "string" && $schema.replace(/#$/, "") === uri),
    ) ?? [];
  if (Library === undefined)
    return unusable(
      `is of ${shortened(JSON.stringify($schema))}, and only the drafts 2020-12, 2019-09 and 07 are read`,
    );
  try {
    const validate = new Library({
      strict: false,
      validateFormats: false,
      ownProperties: true,
      logger: false,
      code: { regExp: linearPattern },
    }).compile(schema);
    // Its answer would be a promise, and a promise is neither yes nor no.
    return "$async" in validate ? unusable("is asynchronous") : { kind: "compiled", validate };
  } catch (error) {
    return unusable(`cannot be applied: ${shortened(error)}`);
  }
}

/** Parts of a JSON value; Infinity when it is too deep. */
function sizeOf(value: unknown, depth: number): number {
  if (typeof value !== "object" || value === null) return 1;
  if (depth > DEEPEST) return Number.POSITIVE_INFINITY;
  return Object.values(value).reduce((sum: number, each) => sum + sizeOf(each, depth + 1), 1);
}

/** JavaScript's own expressions can take time that grows with the power of the text. */
function linearPattern(pattern: string) {
  if (pattern.length > LONGEST_PATTERN) throw new Error(`a pattern has more than ${LONGEST_PATTERN} characters`);
  const compiled = RE2JS.compile(RE2JS.translateRegExp(pattern));
  if (compiled.programSize() > LARGEST_PATTERN)
    throw new Error(`the pattern ${JSON.stringify(pattern)} is too complex`);
  return { test: (text: string) => compiled.matcher(text).find(), toString: () => pattern };
}
linearPattern.code = "linearPattern";

/** The first thing that is wrong, and where; of alternatives the word on all of them, which comes last. */
function describe(errors: readonly ErrorObject[]): ConfigFit {
  const telling = errors.filter(({ keyword }) => keyword !== "if");
  const error = telling.at(-1) ?? errors[0];
  const field = `${CONFIG_FIELD}${(error?.instancePath ?? "").split("/").slice(1).map(step).join("")}`;
  return {
    kind: "misfit",
    field: field.slice(0, LONGEST_SAID),
    reason: `${shortened(said(error))}, as its module's manifest says by configSchema`,
  };
}

function step(pointer: string): string {
  const name = pointer.replaceAll("~1", "/").replaceAll("~0", "~");
  return /^\d+$/.test(name) ? `[${name}]` : /^[A-Za-z_$][\w$-]*$/.test(name) ? `.${name}` : `[${JSON.stringify(name)}]`;
}

function said(
  { keyword, message = "does not fit", params }: Pick<ErrorObject, "keyword" | "message" | "params"> = {
    keyword: "",
    params: {},
  },
): string {
  const given = params as Readonly<Record<string, unknown>>;
  switch (keyword) {
    case "additionalProperties":
      return `must not have ${JSON.stringify(given["additionalProperty"])}`;
    case "unevaluatedProperties":
      return `must not have ${JSON.stringify(given["unevaluatedProperty"])}`;
    case "required":
      return `must have ${JSON.stringify(given["missingProperty"])}`;
    case "enum":
      return `must be one of ${JSON.stringify(given["allowedValues"])}`;
    case "const":
      return `must be ${JSON.stringify(given["allowedValue"])}`;
    case "false schema":
      return "must not be there";
    default:
      return message.replaceAll("NOT", "not");
  }
}

function shortened(what: unknown): string {
  const text = what instanceof Error ? what.message : String(what);
  return text.length > LONGEST_SAID ? `${text.slice(0, LONGEST_SAID)}…` : text;
}

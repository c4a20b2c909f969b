// Consumes: a description.
// Produces: the text of a Helm template that makes the same objects of a chart's values as `render.ts` does.
// Never does: read values.
import { stringify } from "yaml";
import {
  type Condition,
  type Description,
  Each,
  ISTIO_NAMESPACE,
  JsonText,
  type Piece,
  piecesOf,
  SPREAD,
  When,
} from "./description.ts";

type Lines = readonly string[];

/** What is being gone through: inside, `.` is no longer the chart. */
interface Place {
  readonly indent: string;
  readonly locals: readonly string[];
}

/** Returns the template of these objects, a document each. */
export function helmTemplate(descriptions: readonly Description[]): string {
  const lines = descriptions.flatMap((description) => documentLines(description, { indent: "", locals: [] }));
  return `${lines.join("\n")}\n`;
}

function documentLines(description: Description, place: Place): Lines {
  if (description instanceof When)
    return [
      `{{- if ${conditionOf(description.condition, place)} }}`,
      ...documentLines(description.then, place),
      "{{- end }}",
    ];
  if (description instanceof Each) return loop(description, place, documentLines);
  return ["---", ...blockOf(description, place)];
}

function loop({ path, names, body }: Each, place: Place, linesOf: (body: Description, place: Place) => Lines): Lines {
  const inner = { ...place, locals: [...place.locals, ...names] };
  const variables = names.map((name) => `$${name}`).join(", ");
  return [`{{- range ${variables} := ${valueOf(path, place)} }}`, ...linesOf(body, inner), "{{- end }}"];
}

/** Returns a value on lines of its own. */
function blockOf(description: Description, place: Place): Lines {
  if (isList(description)) return description.flatMap((item) => itemLines(item, place));
  if (isMap(description)) {
    const names = Object.keys(description).filter((name) => name !== SPREAD);
    return Object.entries(description).flatMap(([name, field]) =>
      name === SPREAD ? spreadLines(String(field), names, place) : fieldLines([name, field], place),
    );
  }
  return [`${place.indent}${scalarOf(description, place)}`];
}

function fieldLines([name, field]: readonly [string, Description], place: Place): Lines {
  const { indent } = place;
  if (field instanceof When)
    return [
      `${indent}{{- if ${conditionOf(field.condition, place)} }}`,
      ...fieldLines([name, field.then], place),
      `${indent}{{- end }}`,
    ];
  const key = scalarText(name);
  if (isEmptyBlock(field)) return [`${indent}${key}: ${isList(field) ? "[]" : "{}"}`];
  if (isList(field) || isMap(field))
    return [`${indent}${key}:`, ...blockOf(field, { ...place, indent: `${indent}  ` })];
  return [`${indent}${key}: ${scalarOf(field, place)}`];
}

function itemLines(item: Description, place: Place): Lines {
  const { indent } = place;
  if (item instanceof When)
    return [
      `${indent}{{- if ${conditionOf(item.condition, place)} }}`,
      ...itemLines(item.then, place),
      `${indent}{{- end }}`,
    ];
  if (item instanceof Each) return loop(item, place, itemLines);
  if (isEmptyBlock(item)) return [`${indent}- ${isList(item) ? "[]" : "{}"}`];
  const lines = blockOf(item, { ...place, indent: `${indent}  ` });
  const [first = "", ...rest] = lines;
  return first.trimStart().startsWith("{{-")
    ? [`${indent}-`, ...lines]
    : [`${indent}- ${first.slice(indent.length + 2)}`, ...rest];
}

/** The entries of a map that is a value, but for those that are there already. */
function spreadLines(text: string, names: readonly string[], place: Place): Lines {
  const { indent } = place;
  const [piece] = piecesOf(text);
  const path = piece?.kind === "value" ? piece.path : "";
  const known = `list ${names.map((name) => JSON.stringify(name)).join(" ")}`;
  return [
    `${indent}{{- range $key, $entry := ${valueOf(path, place)} }}`,
    `${indent}{{- if not (has $key (${known.trimEnd()})) }}`,
    `${indent}{{ $key | toJson }}: {{ $entry | toJson }}`,
    `${indent}{{- end }}`,
    `${indent}{{- end }}`,
  ];
}

function scalarOf(description: Description, place: Place): string {
  if (description instanceof JsonText) return `{{ ${jsonOf(description.paths, place)} | toPrettyJson | toJson }}`;
  if (typeof description !== "string") return String(description);
  const pieces = piecesOf(description);
  if (pieces.every(({ kind }) => kind === "literal")) return scalarText(description);
  const [only] = pieces;
  if (pieces.length === 1 && only?.kind === "value") return `{{ ${valuePiece(only, place)} | toJson }}`;
  return `"${pieces.map((piece) => textOf(piece, place)).join("")}"`;
}

/** Helm reads YAML 1.1, where `on` is true. */
function scalarText(text: string): string {
  return text.includes("\n") ? JSON.stringify(text) : stringify(text, { lineWidth: 0, version: "1.1" }).trimEnd();
}

/** What stands within a text has no quotes in it: the values' schemas see to that. */
function textOf(piece: Piece, place: Place): string {
  if (piece.kind === "literal") return JSON.stringify(piece.text).slice(1, -1);
  if (piece.kind === "value") return `{{ ${valuePiece(piece, place)} }}`;
  const value = valueOf(piece.path, place);
  return piece.path === "namespace"
    ? `{{ if ne ${value} "${ISTIO_NAMESPACE}" }}-{{ ${value} }}{{ end }}`
    : `{{ with ${value} }}-{{ . }}{{ end }}`;
}

function valuePiece({ path, otherwise }: Extract<Piece, { readonly kind: "value" }>, place: Place): string {
  const value = valueOf(path, place);
  return otherwise === undefined ? value : `${value} | default ${JSON.stringify(otherwise)}`;
}

function valueOf(path: string, { locals }: Place): string {
  if (locals.includes(path)) return `$${path}`;
  const root = locals.length > 0 ? "$" : "";
  return path === "namespace" ? `${root}.Release.Namespace` : `${root}.Values.${path}`;
}

function conditionOf(condition: Condition, place: Place): string {
  if (typeof condition === "string") return valueOf(condition, place);
  if ("not" in condition) return `not ${nested(condition.not, place)}`;
  if ("equals" in condition) return `eq ${valueOf(condition.equals[0], place)} ${JSON.stringify(condition.equals[1])}`;
  return `and ${condition.both.map((each) => nested(each, place)).join(" ")}`;
}

function nested(condition: Condition, place: Place): string {
  const text = conditionOf(condition, place);
  return text.includes(" ") ? `(${text})` : text;
}

function jsonOf(paths: JsonText["paths"], place: Place): string {
  if (typeof paths === "string") return valueOf(paths, place);
  const entries = Object.entries(paths).map(([name, path]) => `${JSON.stringify(name)} ${valueOf(path, place)}`);
  return `dict ${entries.join(" ")}`;
}

function isList(description: Description): description is readonly Description[] {
  return Array.isArray(description);
}

function isMap(description: Description): description is { readonly [field: string]: Description } {
  return (
    typeof description === "object" &&
    !isList(description) &&
    !(description instanceof When || description instanceof Each || description instanceof JsonText)
  );
}

function isEmptyBlock(description: Description): boolean {
  return typeof description === "object" && !(description instanceof JsonText) && Object.keys(description).length === 0;
}

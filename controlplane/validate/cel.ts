// Expressions in CEL as Envoy's access logs take them: Envoy compiles them when it loads a listener, and refuses the
// whole listener for one that it cannot compile. What it can was tried on Envoy 1.40.
import { parse } from "@bufbuild/cel";
import { quote, regexFault } from "./formats.ts";

type Expr = ReturnType<typeof parse>["expr"];
type Call = Extract<Expr["exprKind"], { case: "callExpr" }>["value"];
type Constant = Extract<Expr["exprKind"], { case: "constExpr" }>["value"];

/** Functions with one argument. */
const CONVERSIONS = new Set(["bool", "bytes", "double", "duration", "dyn", "int", "timestamp", "type", "uint"]);
/** How many arguments these take; written as a method, what they are called on is one of them. */
const TEXT_FUNCTIONS = new Map([
  ["contains", 2],
  ["endsWith", 2],
  ["matches", 2],
  ["size", 1],
  ["startsWith", 2],
]);
const TIME_METHOD = /^get(?:FullYear|Month|Date|DayOf(?:Month|Week|Year)|Hours|Minutes|Seconds|Milliseconds)$/;
/** In the namespace `re`. */
const REGEX_FUNCTIONS = new Map([
  ["capture", 2],
  ["captureN", 2],
  ["extract", 3],
]);
const MAX_LENGTH = 1_024;
/** Envoy's parser goes no deeper. */
const MAX_DEPTH = 31;
/** Envoy compiles an expression's patterns with its own bound, whatever the bootstrap says. */
const MAX_PROGRAM_SIZE = 100;
const [MIN_INT, MAX_INT, MAX_UINT] = [-(2n ** 63n), 2n ** 63n - 1n, 2n ** 64n - 1n];

/** Returns what is wrong with an expression that Envoy is to compile. */
export function celFault(text: string): string | undefined {
  if (text.length > MAX_LENGTH) return `is longer than ${MAX_LENGTH} characters`;
  if (nestingOf(text) > MAX_DEPTH) return `is nested deeper than ${MAX_DEPTH}: Envoy cannot compile it`;
  try {
    const { expr } = parse(text);
    return escapeFault(text) ?? faultIn(expr, 0);
  } catch (error) {
    const said = error instanceof Error ? error.message : String(error);
    return `must be a valid CEL expression: ${said.replace(/^<input>:(\d+):(\d+):/, "line $1, column $2:")}`;
  }
}

function nestingOf(text: string): number {
  let depth = 0,
    deepest = 0;
  for (const character of text) {
    depth += "([{".includes(character) ? 1 : ")]}".includes(character) ? -1 : 0;
    deepest = Math.max(deepest, depth);
  }
  return deepest;
}

const RAW = /(?:[rR][bB]?|[bB][rR])(?:"""[\s\S]*?"""|'''[\s\S]*?'''|"[^"]*"|'[^']*')/;
const COOKED = /"""(?:\\[\s\S]|[^\\])*?"""|'''(?:\\[\s\S]|[^\\])*?'''|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'/;
const LITERAL = new RegExp(`${RAW.source}|(${COOKED.source})`, "g");
const ESCAPE = /^\\(?:[abfnrtv?`"'\\]|[xX][0-9a-f]{2}|u[0-9a-f]{4}|U000[0-9a-f]{5}|U0010[0-9a-f]{4}|[0-3][0-7]{2})/i;

/** The parser takes any escape in a text, Envoy's the known ones only. */
function escapeFault(text: string): string | undefined {
  for (const [, cooked = ""] of text.matchAll(LITERAL))
    for (const { 0: pair, index } of cooked.matchAll(/\\[\s\S]/g))
      if (!ESCAPE.test(cooked.slice(index)))
        return `must be a valid CEL expression: ${pair} is no escape; a backslash is \\\\, or write r${quote("…")}`;
  return undefined;
}

function faultIn(expr: Expr | undefined, depth: number): string | undefined {
  if (depth > MAX_DEPTH) return `is nested deeper than ${MAX_DEPTH}: Envoy cannot compile it`;
  const kind = expr?.exprKind;
  switch (kind?.case) {
    case "constExpr":
      return constantFault(kind.value);
    case "selectExpr":
      return faultIn(kind.value.operand, depth + 1);
    case "callExpr":
      return callFault(kind.value) ?? faultInCall(kind.value, depth);
    case "listExpr":
      return firstFault(kind.value.elements, depth + 1);
    case "structExpr":
      if (kind.value.messageName !== "")
        return `cannot make a message ${kind.value.messageName}: Envoy knows none here`;
      return firstFault(
        kind.value.entries.flatMap(({ keyKind, value }) => [
          keyKind.case === "mapKey" ? keyKind.value : undefined,
          value,
        ]),
        depth + 1,
      );
    case "comprehensionExpr":
      return "cannot go through a list or map (all, exists, exists_one, filter, map): Envoy has that turned off";
    default:
      return undefined;
  }
}

function firstFault(parts: readonly (Expr | undefined)[], depth: number): string | undefined {
  for (const part of parts) {
    const fault = faultIn(part, depth);
    if (fault !== undefined) return fault;
  }
  return undefined;
}

function constantFault({ constantKind }: Constant): string | undefined {
  const { case: type, value } = constantKind;
  if (type === "int64Value" && (value < MIN_INT || value > MAX_INT))
    return `holds a number that is too large: ${value}`;
  return type === "uint64Value" && value > MAX_UINT ? `holds a number that is too large: ${value}u` : undefined;
}

/** Chains of && and || are balanced by Envoy's parser, however long. */
function faultInCall({ function: name, target, args }: Call, depth: number): string | undefined {
  const isFlat = name === "_&&_" || name === "_||_";
  return firstFault([target, ...args], isFlat ? depth : depth + 1);
}

function callFault(call: Call): string | undefined {
  const { function: name, target, args } = call;
  if (!/^[A-Za-z]\w*$/.test(name)) return undefined;
  const taken = target === undefined ? args.length : args.length + 1;
  const isKnown =
    (target === undefined && CONVERSIONS.has(name) && taken === 1) ||
    (target !== undefined && TIME_METHOD.test(name) && taken <= 2) ||
    (isNamed(target, "re") && REGEX_FUNCTIONS.get(name) === args.length) ||
    TEXT_FUNCTIONS.get(name) === taken;
  if (!isKnown) return `calls ${name}() with ${args.length} arguments, which Envoy's CEL has not`;
  const pattern = name === "matches" ? args.at(-1)?.exprKind : undefined;
  if (pattern?.case !== "constExpr" || pattern.value.constantKind.case !== "stringValue") return undefined;
  const fault = regexFault(pattern.value.constantKind.value, MAX_PROGRAM_SIZE);
  return fault === undefined ? undefined : `matches a pattern that ${fault}`;
}

function isNamed(target: Expr | undefined, name: string): boolean {
  return target?.exprKind.case === "identExpr" && target.exprKind.value.name === name;
}

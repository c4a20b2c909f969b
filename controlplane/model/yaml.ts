// YAML text to documents with places. Pure: text in, documents or problems out.
import {
  Composer,
  type CST,
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  Parser,
  YAMLParseError,
} from "yaml";
import type { FieldPath, PlaceInText, SourceDocument, SourceProblem } from "./document.ts";
import { fileOrigin } from "./origin.ts";
import { findPlace, type FoundPlace, placeAt, type Places, placesOf } from "./yaml-places.ts";

/** Largest file that is read, in characters: bigger ones are refused before any parsing. */
export const MAX_TEXT_LENGTH = 4 * 1024 * 1024;
/** How often aliases may be expanded, as a product over nested anchors. */
const MAX_ALIASES = 100;
/** Most aliases of one document: each is looked up among all anchors. */
const MAX_ALIAS_NODES = 1_000;
/** Deepest nesting of maps and lists. */
const MAX_DEPTH = 64;

/** The piece of a file between two `---`, with the number of lines before it. */
export interface TextPiece {
  readonly text: string;
  readonly linesBefore: number;
}

/**
 * What one piece of text says, without its place in the file, so that it can be kept while the text around it moves.
 */
export type ParsedPiece =
  | { readonly kind: "empty" }
  /** `places`: of its fields; left out where they are cheaply found when somebody asks. */
  | {
      readonly kind: "document";
      readonly value: unknown;
      readonly line: number;
      readonly column: number;
      readonly places?: Places;
    }
  | { readonly kind: "broken"; readonly problems: readonly Place[] };

/** A problem's place inside its piece, both from 1. */
interface Place {
  readonly line: number;
  readonly column: number;
  readonly message: string;
}

/**
 * Returns the documents' texts. A line that begins with `---` ends a document wherever it stands (YAML 1.2 §9.1.2), so
 * no parsing is needed to cut; comments and directives before the first `---` stay with the document after them.
 */
export function splitDocuments(text: string): readonly TextPiece[] {
  const pieces: TextPiece[] = [];
  let start = 0,
    linesBefore = 0,
    line = 0,
    marked = false,
    hasContent = false;
  const cut = (end: number) => {
    if (hasContent) pieces.push({ text: text.slice(start, end), linesBefore });
    [start, linesBefore, marked, hasContent] = [end, line, false, false];
  };
  for (let at = 0; at < text.length; ) {
    const newline = text.indexOf("\n", at);
    const end = newline < 0 ? text.length : newline + 1;
    const isMarker = text.startsWith("---", at) && (at + 3 >= text.length || " \t\r\n".includes(text[at + 3] ?? ""));
    const isEnd = text.startsWith("...", at) && text.slice(at, end).trim() === "...";
    if (isEnd || (isMarker && (marked || hasContent))) cut(isEnd ? end : at);
    if (isEnd) linesBefore = line + 1;
    else if (isMarker) marked = true;
    if (!isEnd && hasContentIn(text, isMarker ? at + 3 : at, end)) hasContent = true;
    line += 1;
    at = end;
  }
  cut(text.length);
  return pieces;
}

/** Returns whether the line holds more than blanks, a comment or a directive. */
function hasContentIn(text: string, at: number, end: number): boolean {
  const rest = text.slice(at, end).trim();
  return rest !== "" && !rest.startsWith("#") && !rest.startsWith("%") && rest !== "\uFEFF";
}

/**
 * Returns what one piece says; with the places of its fields where these are asked for. Never throws, whatever the
 * text.
 */
export function parsePiece(text: string, options: { readonly withPlaces?: boolean } = {}): ParsedPiece {
  try {
    const lines = new LineCounter();
    const document = parseTree(text, lines);
    const faults = [...document.errors, ...document.warnings];
    if (faults.length > 0) {
      const problems = faults.map((fault) => ({ ...placeAt(lines, fault.pos[0]), message: readable(fault.message) }));
      return { kind: "broken", problems: withoutRepetition(problems).slice(0, 20) };
    }
    const fault = faultOfTree(document);
    if (fault !== undefined)
      return { kind: "broken", problems: [{ ...placeAt(lines, fault.offset), message: fault.message }] };
    if (document.contents === null || (isScalar(document.contents) && document.contents.value === null))
      return { kind: "empty" };
    const value: unknown = document.toJS({ maxAliasCount: MAX_ALIASES });
    const place = placeAt(lines, document.contents.range?.[0] ?? 0);
    if (deeperThan(value, MAX_DEPTH))
      return { kind: "broken", problems: [{ ...place, message: `nested deeper than ${MAX_DEPTH} levels` }] };
    return {
      kind: "document",
      value,
      ...place,
      ...(options.withPlaces === true && { places: placesOf(document, lines) }),
    };
  } catch (error) {
    // A RangeError of the stack and the alias limit's ReferenceError: both mean a document made to exhaust us.
    return {
      kind: "broken",
      problems: [{ line: 1, column: 1, message: readable(error instanceof Error ? error.message : String(error)) }],
    };
  }
}

type Problem = (ParsedPiece & { kind: "broken" })["problems"][number];

/** The parser may say the same of one place more than once. */
function withoutRepetition(problems: readonly Problem[]): readonly Problem[] {
  return [
    ...new Map(problems.map((problem) => [`${problem.line}:${problem.column}:${problem.message}`, problem])).values(),
  ];
}

/** The parser's message in one line; what it says when its stack is used up, in words that help. */
function readable(message: string): string {
  return /call stack/i.test(message) ? `nested deeper than ${MAX_DEPTH} levels` : firstLine(message);
}

/** Returns the document of a parsed piece, at its place in `file`. */
export function documentOf(parsed: ParsedPiece & { kind: "document" }, piece: TextPiece, file: string): SourceDocument {
  const placeOf = placesIn(parsed, piece);
  return {
    value: parsed.value,
    locate(path, inside) {
      const { line, column } = placeOf(path, inside);
      return fileOrigin(file, line, column);
    },
  };
}

/** Returns what finds the fields of a parsed piece in the text that it was cut from; see SourceDocument's `locate`. */
export function placesIn(
  parsed: ParsedPiece & { kind: "document" },
  { text, linesBefore }: TextPiece,
): (path: FieldPath, inside?: PlaceInText) => PlaceInText {
  let { places } = parsed;
  return (path, inside) => {
    if (path.length === 0) return { line: parsed.line + linesBefore, column: parsed.column };
    // Only documents with something to report are parsed again: places of all others would be kept for nothing.
    if (places === undefined) {
      const lines = new LineCounter();
      places = placesOf(parseTree(text, lines), lines);
    }
    const found = findPlace(places, path);
    const { line, column } = (inside && placeInBlock(found, inside, text)) ?? found;
    return { line: line + linesBefore, column };
  };
}

/** Returns the problems of a broken piece at their places in `file`. */
export function problemsOf(
  parsed: ParsedPiece & { kind: "broken" },
  piece: TextPiece,
  file: string,
): readonly SourceProblem[] {
  return parsed.problems.map(({ line, column, message }) => ({
    origin: fileOrigin(file, line + piece.linesBefore, column),
    message,
  }));
}

/** Returns a document whose every path stands under `prefix` of another: an item of a List. */
export function nestedDocument(outer: SourceDocument, prefix: FieldPath, value: unknown): SourceDocument {
  return {
    value,
    locate: (path, inside) => outer.locate([...prefix, ...path], inside),
  };
}

function parseTree(text: string, lineCounter: LineCounter): Document {
  // The parser compares each key of a map with all before it: a map of 200,000 keys would take minutes. faultOfTree
  // looks for repeated ones.
  const composer = new Composer({
    version: "1.2",
    schema: "core",
    merge: true,
    uniqueKeys: false,
    strict: true,
    prettyErrors: false,
    logLevel: "error",
  });
  const [document, another] = composer.compose(
    notTooDeep(new Parser(lineCounter.addNewLine).parse(text)),
    true,
    text.length,
  );
  if (document === undefined) throw new RangeError("holds no document");
  if (another !== undefined)
    document.errors.push(
      new YAMLParseError([another.range[0], another.range[1]], "MULTIPLE_DOCS", "holds more than one document"),
    );
  return document as Document;
}

/**
 * Passes tokens on. The composer calls itself for each level, and where it is out of stack at the wrong moment (in a
 * regular expression) all of Node aborts, whoever catches what.
 */
function* notTooDeep(tokens: Iterable<CST.Token>): Iterable<CST.Token> {
  for (const token of tokens) {
    if (isTokenDeeperThan(token, 2 * MAX_DEPTH)) throw new RangeError(`nested deeper than ${MAX_DEPTH} levels`);
    yield token;
  }
}

function isTokenDeeperThan(outermost: CST.Token, levels: number): boolean {
  const open: { readonly token: CST.Token; readonly depth: number }[] = [{ token: outermost, depth: 0 }];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { token, depth } = next;
    if (depth > levels) return true;
    if (token.type === "document") {
      if (token.value !== undefined) open.push({ token: token.value, depth });
    } else if ("items" in token) {
      for (const { key, value } of token.items)
        for (const inner of [key, value])
          if (inner !== undefined && inner !== null && "items" in inner) open.push({ token: inner, depth: depth + 1 });
    }
  }
  return false;
}

/**
 * Returns a key that a map has twice (`1` and `"1"` are one key), or the alias that is one too many. Takes time in
 * proportion to the nodes.
 */
function faultOfTree(document: Document): { readonly offset: number; readonly message: string } | undefined {
  const open: unknown[] = [document.contents];
  let aliases = 0;
  for (let node = open.pop(); open.length > 0 || node !== undefined; node = open.pop()) {
    if (isAlias(node)) {
      aliases += 1;
      if (aliases > MAX_ALIAS_NODES)
        return { offset: node.range?.[0] ?? 0, message: `more than ${MAX_ALIAS_NODES} aliases` };
    } else if (isSeq(node)) {
      // Not push(...items): a call takes only so many arguments.
      for (const item of node.items) open.push(item);
    } else if (isMap(node)) {
      const names = new Set<string>();
      for (const { key, value } of node.items) {
        const name = isScalar(key) ? String(key.value) : undefined;
        if (name !== undefined && names.has(name))
          return { offset: (key as Node).range?.[0] ?? 0, message: "Map keys must be unique" };
        if (name !== undefined) names.add(name);
        open.push(key, value);
      }
    }
  }
  return undefined;
}

function firstLine(message: string): string {
  return message.split("\n", 1)[0] ?? message;
}

/**
 * Returns the place of a line and column of a literal block's text; undefined if the value is written in another way.
 */
function placeInBlock({ literalLine }: FoundPlace, inside: PlaceInText, text: string): PlaceInText | undefined {
  if (literalLine === undefined) return undefined;
  const content = text.split("\n").slice(literalLine);
  const indent = /^ */.exec(content.find((line) => line.trim() !== "") ?? "")?.[0].length ?? 0;
  return { line: literalLine + inside.line, column: indent + inside.column };
}

function deeperThan(value: unknown, levels: number): boolean {
  if (typeof value !== "object" || value === null) return false;
  if (levels === 0) return true;
  return Object.values(value).some((inner) => deeperThan(inner, levels - 1));
}

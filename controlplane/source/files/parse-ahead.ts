// Long texts parsed before anybody asks what they say, without keeping others waiting: large documents in a thread
// beside this one, small ones a few at a time.
import { setImmediate as nextTurn } from "node:timers/promises";
import { MAX_TEXT_LENGTH, type ParsedPiece, parsePiece, splitDocuments } from "../../model/yaml.ts";
import type { ParsedFile } from "./parse-file.ts";
import type { ParsedAside, ParsedAsideFailure } from "./yaml-thread.ts";

/** Parses one document's text somewhere else. */
export type ParseAside = (text: string) => Promise<ParsedAside>;

/** What the documents of a text say, by their texts; or why that is not known. */
export type ParsedAhead =
  | { readonly kind: "parsed"; readonly pieces: ReadonlyMap<string, ParsedPiece> }
  | ParsedAsideFailure;

/** Characters that are parsed in one go: about 20 ms. */
const AT_ONCE = 16 * 1024;

/**
 * Returns whether so much of a text is new that parsing it would keep others waiting. `before` is what the file's last
 * parse returned.
 */
export function isLong(text: string, before: ParsedFile | undefined): boolean {
  return (
    text.length > AT_ONCE &&
    text.length <= MAX_TEXT_LENGTH &&
    newTexts(text, before).reduce((sum, { length }) => sum + length, 0) > AT_ONCE
  );
}

/** Returns what `parseFile` needs not parse any more. Never rejects. */
export async function parseAhead(
  text: string,
  before: ParsedFile | undefined,
  parseAside: ParseAside = async (large) => parsePiece(large),
): Promise<ParsedAhead> {
  const pieces = new Map(before?.pieces);
  let sinceTurn = 0;
  for (const one of newTexts(text, before)) {
    const isLarge = one.length > AT_ONCE;
    if (!isLarge && sinceTurn + one.length > AT_ONCE) {
      await nextTurn();
      sinceTurn = 0;
    }
    sinceTurn += isLarge ? 0 : one.length;
    const parsed = isLarge ? await parseAside(one) : parsePiece(one);
    if (parsed.kind === "failed") return parsed;
    pieces.set(one, parsed);
  }
  return { kind: "parsed", pieces };
}

function newTexts(text: string, before: ParsedFile | undefined): readonly string[] {
  return [...new Set(splitDocuments(text).map((piece) => piece.text))].filter(
    (one) => before?.pieces.has(one) !== true,
  );
}

// Consumes: the text of one file.
// Produces: its documents, each knowing its place, and what keeps the rest from being read.
// Never does: touch the file system, or judge what the documents say.
import type { SourceDocument, SourceProblem } from "../../model/document.ts";
import { fileOrigin } from "../../model/origin.ts";
import {
  documentOf,
  MAX_TEXT_LENGTH,
  nestedDocument,
  type ParsedPiece,
  parsePiece,
  problemsOf,
  splitDocuments,
} from "../../model/yaml.ts";

/** What a file says. */
export interface ParsedFile {
  readonly documents: readonly SourceDocument[];
  readonly problems: readonly SourceProblem[];
  /** The pieces by their text: given to the next parse of the file, it makes unchanged documents keep their values. */
  readonly pieces: ReadonlyMap<string, ParsedPiece>;
}

/** Most documents a file may hold. */
const MAX_DOCUMENTS = 50_000;

/**
 * Returns the documents of a YAML or JSON text, in order. `before` is what the file's last parse returned, or what was
 * parsed ahead. Never throws.
 */
export function parseFile(text: string, file: string, before?: Pick<ParsedFile, "pieces">): ParsedFile {
  if (text.length > MAX_TEXT_LENGTH) {
    return {
      documents: [],
      problems: [
        { origin: fileOrigin(file), message: `is larger than ${MAX_TEXT_LENGTH / 1024 / 1024} MiB: split it` },
      ],
      pieces: new Map(),
    };
  }
  const documents: SourceDocument[] = [];
  const problems: SourceProblem[] = [];
  const pieces = new Map<string, ParsedPiece>();
  for (const piece of splitDocuments(text)) {
    const parsed = pieces.get(piece.text) ?? before?.pieces.get(piece.text) ?? parsePiece(piece.text);
    pieces.set(piece.text, parsed);
    if (parsed.kind === "broken") problems.push(...problemsOf(parsed, piece, file));
    else if (parsed.kind === "document") documents.push(...unfolded(documentOf(parsed, piece, file)));
    if (documents.length > MAX_DOCUMENTS) {
      return {
        documents: [],
        problems: [{ origin: fileOrigin(file), message: `holds more than ${MAX_DOCUMENTS} documents` }],
        pieces,
      };
    }
  }
  return { documents, problems, pieces };
}

/** Returns the items of a List (as `kubectl get -o yaml` writes them), else the document itself. */
function unfolded(document: SourceDocument): readonly SourceDocument[] {
  const value = document.value;
  if (typeof value !== "object" || value === null || !("kind" in value) || !("items" in value)) return [document];
  const { kind, items } = value;
  if (typeof kind !== "string" || !kind.endsWith("List") || !Array.isArray(items)) return [document];
  return items.map((item: unknown, index) => nestedDocument(document, ["items", index], item));
}

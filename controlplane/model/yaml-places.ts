// Where each field of a document stands in its text: all that is kept of a parsed tree, small enough to be handed from
// one thread to another. By hand: the yaml library knows places only as long as its whole tree is kept.
import { type Document, isAlias, isMap, isScalar, isSeq, type LineCounter, type Node } from "yaml";
import type { FieldPath, PlaceInText } from "./document.ts";

// The nodes of the tree in the order of the text, each with its children behind it:
//
//     spec:                 0 map
//       hosts: [a, b]       1   "spec" map, 4 nodes
//                           2     "hosts" list, 3 nodes
//                           3       a
//                           4       b
const [KEY, LINE, COLUMN, VALUE_LINE, SIZE, ALIAS_OF, KIND, FIELDS] = [0, 1, 2, 3, 4, 5, 6, 7] as const;
/** In the place of a key: an item of a list (or the whole), a key that is no text, and `<<`. */
const NO_KEY = -1,
  OTHER_KEY = -2,
  MERGE_KEY = -3;
const [OTHER, MAP, LIST, LITERAL] = [0, 1, 2, 3] as const;
const NOTHING = -1;

/** The places of a document's fields. Plain data; `nodes` may be transferred. */
export interface Places {
  /** The names that occur as keys, each once. */
  readonly keys: readonly string[];
  readonly nodes: Int32Array;
}

/** Where a field stands; `literalLine` is the line of the `|` where its value is a literal block. */
export interface FoundPlace extends PlaceInText {
  readonly literalLine: number | undefined;
}

/** Returns the places of a document's fields. Takes time in proportion to the nodes. */
export function placesOf(document: Document, lines: LineCounter): Places {
  const keys = new Map<string, number>(),
    nodes: number[] = [],
    anchors = new Map<string, number>();
  const add = (key: number, keyNode: Node | null, node: Node | null): void => {
    const at = nodes.length / FIELDS;
    const own = placeAt(lines, node?.range?.[0] ?? 0),
      place = keyNode?.range == null ? own : placeAt(lines, keyNode.range[0]);
    const kind = isMap(node)
      ? MAP
      : isSeq(node)
        ? LIST
        : isScalar(node) && node.type === "BLOCK_LITERAL"
          ? LITERAL
          : OTHER;
    nodes.push(
      key,
      place.line,
      place.column,
      own.line,
      1,
      isAlias(node) ? (anchors.get(node.source) ?? NOTHING) : NOTHING,
      kind,
    );
    if (!isAlias(node) && node?.anchor !== undefined) anchors.set(node.anchor, at);
    if (isMap(node))
      for (const pair of node.items) add(keyOf(pair.key), pair.key as Node | null, pair.value as Node | null);
    else if (isSeq(node)) for (const item of node.items) add(NO_KEY, null, item as Node | null);
    nodes[at * FIELDS + SIZE] = nodes.length / FIELDS - at;
  };
  const keyOf = (key: unknown): number => {
    if (!isScalar(key)) return OTHER_KEY;
    if (key.value === "<<" || typeof key.value === "symbol") return MERGE_KEY;
    const name = String(key.value);
    if (!keys.has(name)) keys.set(name, keys.size);
    return keys.get(name)!;
  };
  add(NO_KEY, null, document.contents as Node | null);
  return { keys: [...keys.keys()], nodes: Int32Array.from(nodes) };
}

/** Returns the place of an offset in the text, both from 1. */
export function placeAt(lines: LineCounter, offset: number): PlaceInText {
  const { line, col } = lines.linePos(offset);
  return { line: Math.max(line, 1), column: Math.max(col, 1) };
}

/** Returns the place of the deepest part of `path` that exists: a field's key, a list's item. */
export function findPlace(places: Places, path: FieldPath): FoundPlace {
  const { field, resolved, childAt } = readerOf(places);
  let place = 0,
    node = resolved(0);
  for (const part of path) {
    const next = childAt(node, part);
    if (next === undefined) break;
    place = next;
    node = resolved(next);
  }
  return {
    line: field(place, LINE),
    column: field(place, COLUMN),
    literalLine: field(node, KIND) === LITERAL ? field(node, VALUE_LINE) : undefined,
  };
}

/** Finds its way among the nodes, by their numbers. */
interface Reader {
  field(node: number, which: number): number;
  /** What an alias stands for; else the node itself. */
  resolved(node: number): number;
  /** The field of a map, merged ones too, or the item of a list. */
  childAt(node: number, part: string | number): number | undefined;
}

/** Kept with what they went through: a long list may have much to report. */
const readers = new WeakMap<Places, Reader>();

function readerOf(places: Places): Reader {
  let reader = readers.get(places);
  if (reader === undefined) readers.set(places, (reader = createReader(places)));
  return reader;
}

function createReader({ keys, nodes }: Places): Reader {
  const known = new Map<number, readonly number[]>();
  const field = (node: number, which: number): number => nodes[node * FIELDS + which] ?? NOTHING;
  const childrenOf = (node: number): readonly number[] => {
    let children = known.get(node);
    if (children === undefined) known.set(node, (children = childrenIn(nodes, node)));
    return children;
  };
  /** What an alias stands for stands before it. */
  const resolved = (node: number): number =>
    field(node, ALIAS_OF) === NOTHING ? node : resolved(field(node, ALIAS_OF));
  const inMap = (map: number, name: string): number | undefined => {
    const all = childrenOf(map);
    return (
      all.find((child) => keys[field(child, KEY)] === name) ??
      firstOf(all.filter((child) => field(child, KEY) === MERGE_KEY).map(resolved), name)
    );
  };
  const firstOf = (merged: readonly number[], name: string): number | undefined => {
    for (const source of merged.flatMap((node) =>
      field(node, KIND) === LIST ? childrenOf(node).map(resolved) : [node],
    )) {
      const found = field(source, KIND) === MAP ? inMap(source, name) : undefined;
      if (found !== undefined) return found;
    }
    return undefined;
  };
  return {
    field,
    resolved,
    childAt(node, part) {
      if (field(node, KIND) === MAP) return inMap(node, String(part));
      return field(node, KIND) === LIST && typeof part === "number" ? childrenOf(node)[part] : undefined;
    },
  };
}

function childrenIn(nodes: Int32Array, node: number): readonly number[] {
  const children: number[] = [];
  for (
    let child = node + 1, end = node + nodes[node * FIELDS + SIZE]!;
    child < end;
    child += nodes[child * FIELDS + SIZE]!
  )
    children.push(child);
  return children;
}

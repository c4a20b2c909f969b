// The syntax tree between the parser and the compiler of regular expressions.

/** What a node stands for. */
export enum NodeKind {
  /** Matches nothing's worth of input: the empty string. */
  Empty,
  /** One byte out of `ranges`. */
  Class,
  /** A position: `min` holds the `Assertion`. */
  Assert,
  Concat,
  Alternate,
  /** `children[0]` from `min` to `max` times; max -1 is without end. */
  Repeat,
}

/** Conditions on a position that consume nothing. */
export enum Assertion {
  BeginText,
  EndText,
  BeginLine,
  EndLine,
  WordBoundary,
  NoWordBoundary,
}

/** A node of the tree. */
export class Node {
  children: Node[] = [];
  ranges: i32[] = [];
  min: i32 = 0;
  max: i32 = 0;

  constructor(public kind: NodeKind) {}

  /** Returns a node of one byte out of a normalized set. */
  static ofClass(ranges: i32[]): Node {
    const node = new Node(NodeKind.Class);
    node.ranges = ranges;
    return node;
  }

  /** Returns a node that asserts something about the position. */
  static ofAssertion(assertion: Assertion): Node {
    const node = new Node(NodeKind.Assert);
    node.min = assertion;
    return node;
  }

  /** Returns the sequence or choice of `children`, without a wrapper around an only child. */
  static ofList(kind: NodeKind, children: Node[]): Node {
    if (children.length == 1) return children[0];
    const node = new Node(children.length == 0 ? NodeKind.Empty : kind);
    node.children = children;
    return node;
  }

  /** Returns `child` repeated from `min` to `max` times. */
  static ofRepeat(child: Node, min: i32, max: i32): Node {
    const node = new Node(NodeKind.Repeat);
    node.children.push(child);
    node.min = min;
    node.max = max;
    return node;
  }
}

/** Returns whether the counted repetitions of a tree multiply to at most `budget` (RE2 refuses more than 1,000). */
export function repetitionFits(node: Node, budget: i32): bool {
  let left = budget;
  if (node.kind == NodeKind.Repeat) {
    const most = node.max < 0 ? node.min : node.max;
    if (node.max == 0) return true;
    if (most > left) return false;
    if (most > 0) left /= most;
  }
  for (let i = 0; i < node.children.length; i++) {
    if (!repetitionFits(node.children[i], left)) return false;
  }
  return true;
}

// As much of CEL as filters' conditions usually need: attributes, strings, numbers, booleans, comparisons, && || !, and
// the string methods startsWith, endsWith and contains. Envoy has all of CEL; what is missing here is named, not
// guessed.
import { HostError } from "./errors.ts";

export type CelValue = string | number | boolean;
/** An expression that can be evaluated; undefined: it has no value (an attribute is absent, types do not fit). */
export type CelExpression = (attribute: (path: readonly string[]) => CelValue | undefined) => CelValue | undefined;

const TEXT = /("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')/.source;
const NUMBER = /(\d+(?:\.\d+)?)/.source;
const NAME = /([A-Za-z_]\w*)/.source;
const SIGN = /(==|!=|<=|>=|&&|\|\||[<>!()[\].,+\-*/?:%{}])/.source;
const TOKEN = new RegExp(`\\s*(?:${TEXT}|${NUMBER}|${NAME}|${SIGN})`, "y");
const METHODS: Readonly<Record<string, (text: string, argument: string) => boolean>> = {
  startsWith: (text, argument) => text.startsWith(argument),
  endsWith: (text, argument) => text.endsWith(argument),
  contains: (text, argument) => text.includes(argument),
};
const COMPARISONS: Readonly<Record<string, (one: CelValue, other: CelValue) => boolean>> = {
  "==": (one, other) => one === other,
  "!=": (one, other) => one !== other,
  "<": (one, other) => one < other,
  "<=": (one, other) => one <= other,
  ">": (one, other) => one > other,
  ">=": (one, other) => one >= other,
};

type Token = { readonly kind: "text" | "number" | "name" | "sign" | "end"; readonly value: string };

class SyntaxProblem extends Error {}

function tokens(source: string): Token[] {
  const found: Token[] = [];
  TOKEN.lastIndex = 0;
  while (source.slice(TOKEN.lastIndex).trim() !== "") {
    const match = TOKEN.exec(source);
    if (!match) throw new SyntaxProblem();
    const [, text, number, name, sign] = match;
    if (text !== undefined) found.push({ kind: "text", value: text.slice(1, -1).replaceAll(/\\(.)/g, "$1") });
    else if (number !== undefined) found.push({ kind: "number", value: number });
    else if (name !== undefined) found.push({ kind: "name", value: name });
    else found.push({ kind: "sign", value: sign ?? "" });
  }
  return [...found, { kind: "end", value: "" }];
}

class Parser {
  #at = 0;
  readonly #tokens: readonly Token[];

  constructor(source: string) {
    this.#tokens = tokens(source);
  }

  parse(): CelExpression {
    const expression = this.#or();
    if (this.#peek().kind !== "end") this.#unknown();
    return expression;
  }

  #peek(): Token {
    return this.#tokens[this.#at] ?? { kind: "end", value: "" };
  }

  #take(sign: string): boolean {
    const token = this.#peek();
    if (token.kind !== "sign" || token.value !== sign) return false;
    this.#at++;
    return true;
  }

  #expect(sign: string): void {
    if (!this.#take(sign)) this.#unknown();
  }

  /** A mistake, or more of CEL than there is here. */
  #unknown(): never {
    const token = this.#peek();
    if (token.kind === "end" || (token.kind === "sign" && ")].,".includes(token.value))) throw new SyntaxProblem();
    throw new HostError(
      "UNSUPPORTED",
      `this host's CEL does not know "${token.value}": ` +
        "give foreignFunctions.expr_create, expr_evaluate and expr_delete of your own",
    );
  }

  // Either side without a value leaves the other to decide, as in CEL.
  #or(): CelExpression {
    let left = this.#and();
    while (this.#take("||")) {
      const [one, other] = [left, this.#and()];
      left = (read) =>
        one(read) === true || other(read) === true
          ? true
          : one(read) === false && other(read) === false
            ? false
            : undefined;
    }
    return left;
  }

  #and(): CelExpression {
    let left = this.#comparison();
    while (this.#take("&&")) {
      const [one, other] = [left, this.#comparison()];
      left = (read) =>
        one(read) === false || other(read) === false
          ? false
          : one(read) === true && other(read) === true
            ? true
            : undefined;
    }
    return left;
  }

  #comparison(): CelExpression {
    const left = this.#unary();
    const compare = this.#peek().kind === "sign" ? COMPARISONS[this.#peek().value] : undefined;
    if (!compare) return left;
    this.#at++;
    const right = this.#unary();
    return (read) => {
      const [one, other] = [left(read), right(read)];
      return one === undefined || other === undefined || typeof one !== typeof other ? undefined : compare(one, other);
    };
  }

  #unary(): CelExpression {
    if (!this.#take("!")) return this.#primary();
    const value = this.#unary();
    return (read) => {
      const one = value(read);
      return typeof one === "boolean" ? !one : undefined;
    };
  }

  #primary(): CelExpression {
    if (this.#take("(")) {
      const inner = this.#or();
      this.#expect(")");
      return inner;
    }
    const token = this.#peek();
    if (token.kind === "text" || token.kind === "number") {
      this.#at++;
      const value = token.kind === "text" ? token.value : Number(token.value);
      return this.#method(() => value);
    }
    if (token.kind !== "name") this.#unknown();
    this.#at++;
    if (token.value === "true" || token.value === "false") return () => token.value === "true";
    return this.#path([token.value]);
  }

  #path(path: string[]): CelExpression {
    for (;;) {
      const next = this.#tokens[this.#at + 1];
      const isMethod = this.#peek().value === "." && next?.kind === "name" && this.#tokens[this.#at + 2]?.value === "(";
      if (isMethod || (this.#peek().value !== "." && this.#peek().value !== "["))
        return this.#method((read) => read(path));
      const isIndex = this.#peek().value === "[";
      if (next?.kind !== (isIndex ? "text" : "name")) this.#unknown();
      path.push(next?.value ?? "");
      this.#at += 2;
      if (isIndex) this.#expect("]");
    }
  }

  #method(value: CelExpression): CelExpression {
    if (!this.#take(".")) return value;
    const method = METHODS[this.#peek().value];
    if (!method) this.#unknown();
    this.#at++;
    this.#expect("(");
    const argument = this.#or();
    this.#expect(")");
    return (read) => {
      const [text, wanted] = [value(read), argument(read)];
      return typeof text === "string" && typeof wanted === "string" ? method(text, wanted) : undefined;
    };
  }
}

/** The expression; undefined for a mistake in it. Throws a HostError for what this host does not know of CEL. */
export function parseCel(source: string): CelExpression | undefined {
  try {
    return new Parser(source).parse();
  } catch (error) {
    if (error instanceof SyntaxProblem) return undefined;
    throw error;
  }
}

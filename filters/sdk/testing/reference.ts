// Consumes: the SDK's sources. Produces: its reference, one entry for each public symbol, from the comments that stand
// above them.
// Never does: invents: a symbol without a comment is reported.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const SDK = fileURLToPath(new URL("..", import.meta.url));

interface Entry {
  readonly name: string;
  readonly signature: string;
  readonly doc: string;
  readonly members: readonly Member[];
}

interface Member {
  readonly signature: string;
  readonly doc: string;
}

/** The reference, and what lacks a comment: `file.ts: name`. */
export interface Reference {
  readonly markdown: string;
  readonly undocumented: readonly string[];
}

/** Files in the order of index.ts, with the names it takes from each (undefined: all). */
function publicFiles(): (readonly [string, readonly string[] | undefined])[] {
  const index = readFileSync(`${SDK}index.ts`, "utf8");
  return [...index.matchAll(/^export (?:\*|\{([^}]*)\}) from "\.\/([\w/-]+)";/gm)].map(
    ([, names, file]) =>
      [
        file ?? "",
        names
          ?.split(",")
          .map((name) => name.trim())
          .filter((name) => name !== ""),
      ] as const,
  );
}

/** The text of a comment, without its stars; `@param` as a list. */
function commentText(lines: readonly string[]): string {
  const text = lines
    .map((line) =>
      line
        .trim()
        .replace(/^\/\*\*\s?/, "")
        .replace(/\s*\*\/$/, "")
        .replace(/^\*\s?/, ""),
    )
    .filter((line, i, all) => line !== "" || (i > 0 && i < all.length - 1));
  return text
    .map((line) => line.replace(/^@param (\w+)/, "- `$1`:").replace(/^@returns/, "- returns"))
    .reduce((all, line) => all + (all === "" || BEGINS_ANEW.test(line) || all.endsWith("\n") ? "\n" : " ") + line, "")
    .trim();
}

/** An empty line, an item of a list, a row of a drawing: all else goes on with the line above. */
const BEGINS_ANEW = /^(?:$|- |Source: | )/;

/** The lines of a source, each signature that was broken over several in one. */
function linesOf(source: string): string[] {
  return source
    .replace(
      /^( {2})?((?:export )?[\w ]+\()\n((?:\s+[^\n]*,\n)+)\s*\)/gm,
      (_all, indent = "", head, parameters) =>
        `${indent}${head}${parameters.trim().replace(/,$/, "").split(/\n\s*/).join(" ")})`,
    )
    .split("\n");
}

const DECORATION = /^\s*(\/\/ @ts-ignore: decorator|@\w+(\s+@\w+)*)\s*$/;

/**
 * Walks lines; calls back with each line that is neither comment nor decoration, and the comment that stood before it.
 */
function eachDeclaration(lines: readonly string[], visit: (line: string, doc: string, at: number) => void): void {
  let doc = "";
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i] ?? "";
    if (line.trim().startsWith("/**")) {
      const begin = i;
      while (!(lines[i] ?? "").includes("*/")) i++;
      doc = commentText(lines.slice(begin, i + 1));
    } else if (!DECORATION.test(line)) {
      visit(line, doc, i);
      doc = "";
    }
  }
}

function blockAt(lines: readonly string[], at: number): string[] {
  const end = lines.findIndex((line, i) => i > at && line === "}");
  return lines.slice(at + 1, end < 0 ? lines.length : end);
}

const NO_MEMBER = /(?!private|protected|constructor|\}|\/\/|return\b|if\b|for\b|while\b)/.source;
const SIGNATURE = /((?:static |abstract |readonly |get |set )*\w+(?:\(.*\))?[?!]?(?::[^={;]+)?)/.source;
const MEMBER = new RegExp(`^ {2}${NO_MEMBER}${SIGNATURE}(?:\\s*[={;].*)?$`);

function classMembers(lines: readonly string[]): Member[] {
  const members: Member[] = [];
  eachDeclaration(lines, (line, doc) => {
    const signature = MEMBER.exec(line)?.[1];
    if (signature !== undefined) members.push({ signature: signature.trim(), doc });
  });
  return members;
}

function enumMembers(lines: readonly string[]): Member[] {
  const members: Member[] = [];
  eachDeclaration(lines, (line, doc) => {
    const signature = /^ {2}(\w+ = \d+),?$/.exec(line)?.[1];
    if (signature !== undefined) members.push({ signature, doc });
  });
  return members;
}

/** The type of a constant, given what stands behind its name. */
function constantType(rest: string): string {
  const made = /^ = new (\w+)/.exec(rest)?.[1];
  return /^:\s*[^=]+/.exec(rest)?.[0].trimEnd() ?? (made === undefined ? "" : `: ${made}`);
}

function entriesOf(source: string): Entry[] {
  const lines = linesOf(source);
  const entries: Entry[] = [];
  eachDeclaration(lines, (line, doc, at) => {
    const declaration = /^(?:@lazy )?export (const enum|enum|(?:abstract )?class|function|const) (\w+)(.*)$/.exec(line);
    if (!declaration) return;
    const [, kind = "", name = "", rest = ""] = declaration;
    const block = blockAt(lines, at);
    if (kind.endsWith("class"))
      entries.push({
        name,
        signature: `${kind} ${name}${rest.replace(/\s*\{.*$/, "")}`,
        doc,
        members: classMembers(block),
      });
    else if (kind.endsWith("enum")) entries.push({ name, signature: `enum ${name}`, doc, members: enumMembers(block) });
    else if (kind === "function")
      entries.push({ name, signature: `${name}${rest.replace(/\s*\{.*$/, "")}`, doc, members: [] });
    else
      entries.push({
        name,
        signature: `${name}${constantType(rest)}`,
        doc,
        members: [],
      });
  });
  return entries;
}

function entryText({ signature, doc, members }: Entry): string {
  const list = members.map(
    (member) => `- \`${member.signature}\`${member.doc === "" ? "" : ` ${member.doc.replaceAll("\n", "\n  ")}`}`,
  );
  return [`**\`${signature}\`** ${doc}`.trimEnd(), ...(list.length > 0 ? ["", ...list] : [])].join("\n");
}

/** Reads the sources and writes the reference. */
export function sdkReference(): Reference {
  const undocumented: string[] = [];
  const sections = publicFiles().map(([file, names]) => {
    const entries = entriesOf(readFileSync(`${SDK}${file}.ts`, "utf8")).filter(
      ({ name }) => names === undefined || names.includes(name),
    );
    for (const { name, doc, members } of entries) {
      if (doc === "") undocumented.push(`${file}.ts: ${name}`);
      for (const member of members)
        if (member.doc === "" && member.signature.includes("("))
          undocumented.push(`${file}.ts: ${name}.${member.signature}`);
    }
    return `## ${file.replace("abi/", "")}\n\n${entries.map(entryText).join("\n\n")}`;
  });
  const head =
    "# as-proxy-wasm-sdk: reference\n\nEvery public symbol, by file. Made from the comments in the sources " +
    "(`UPDATE_REFERENCE=1 npx vitest run --project filters filters/sdk/reference.test.ts`).\n" +
    "How it fits together: [README.md](README.md).";
  return { markdown: `${[head, ...sections].join("\n\n")}\n`, undocumented };
}

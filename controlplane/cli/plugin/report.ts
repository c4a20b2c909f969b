// What `scrim plugin inspect` tells of a module, as JSON and in words.
import type { PluginManifest } from "../../wasm/module/plugin-manifest.ts";

/** What `-o json` prints. */
export interface PluginReport {
  readonly source: string;
  readonly sha256: string;
  readonly bytes: number;
  readonly codeBytes: number;
  readonly dataBytes: number;
  readonly image?: { readonly digest: string; readonly manifestDigest: string; readonly layout: string };
  readonly abiVersion: string | null;
  /** The language or toolchain, where the module tells. */
  readonly sdk: string | null;
  readonly imports: readonly string[];
  readonly callbacks: readonly string[];
  readonly otherExports: readonly string[];
  readonly manifest: PluginManifest | null;
  readonly capabilities: {
    readonly wants: readonly string[];
    readonly declared: boolean;
    readonly importedButNotDeclared: readonly string[];
  };
  /** `problem`: why they could not be looked for. */
  readonly signatures: { readonly found: number; readonly byKey: boolean | null; readonly problem?: string };
  /** What it did when it was tried with the configuration given. `starts`: null where the trial itself failed. */
  readonly trial?: { readonly starts: boolean | null; readonly problems: readonly string[] };
  readonly against?: {
    readonly source: string;
    readonly sha256: string;
    readonly wantsMore: readonly string[];
    readonly wantsLess: readonly string[];
  };
}

/** Returns the report for people: a line for each fact, the same words each time. */
export function renderReport(report: PluginReport): string {
  const { image, against } = report;
  const lines: readonly Line[] = [
    ["module", `sha256:${report.sha256}`],
    ["size", `${report.bytes} bytes (code ${report.codeBytes}, data ${report.dataBytes})`],
    ...linesOf(image, ({ digest, layout }) => [
      ["image", digest],
      ["layout", layout],
    ]),
    ["abi", report.abiVersion ?? "none: not a proxy-wasm module"],
    ["sdk", report.sdk ?? "not known"],
    ["imports", list(report.imports)],
    ["callbacks", list(report.callbacks)],
    ["exports", list(report.otherExports)],
    ...wantedLines(report.capabilities),
    ...manifestLines(report.manifest),
    ["signatures", signedWords(report.signatures)],
    ...linesOf(report.trial, trialLines),
    ...linesOf(against, ({ sha256, source, wantsMore, wantsLess }) => [
      ["against", `sha256:${sha256} (${source})`],
      ["wants more", list(wantsMore)],
      ["wants less", list(wantsLess)],
    ]),
  ];
  const width = Math.max(...lines.map(([name]) => name.length));
  return lines.map(([name, value]) => `${name.padEnd(width)}   ${value}\n`).join("");
}

type Line = readonly [name: string, value: string];

/** Lines about what may not be there. */
function linesOf<T>(thing: T | undefined, of: (thing: T) => readonly Line[]): readonly Line[] {
  return thing === undefined ? [] : of(thing);
}

function wantedLines({ wants, declared, importedButNotDeclared: refused }: PluginReport["capabilities"]): Line[] {
  const why = declared ? " (as its manifest says)" : " (by its imports: it declares nothing)";
  return [
    ["wants", `${list(wants)}${why}`],
    ...(refused.length === 0 ? [] : [["refused", `${list(refused)} (imported and not declared)`] as const]),
  ];
}

const STOPS_ALONE = "headers alone, and gets the body (allowOnHeadersStopIteration)";

function manifestLines(manifest: PluginManifest | null): Line[] {
  const { name, version, configSchema } = manifest ?? {};
  const title = [name, version].filter((each) => each !== undefined).join(" ") || "without a name";
  const fields = Object.keys((configSchema?.["properties"] ?? {}) as object);
  return [
    ...(manifest === null ? [] : [["manifest", title] as const]),
    ...(manifest?.allowOnHeadersStopIteration === undefined
      ? []
      : [["stops", manifest.allowOnHeadersStopIteration ? STOPS_ALONE : "headers and all that follows"] as const]),
    ...((manifest?.unread ?? []).length === 0 ? [] : [["unread", list(manifest?.unread ?? [])] as const]),
    ["config", configSchema === undefined ? "no schema" : `schema with ${list(fields)}`],
  ];
}

function trialLines({ starts, problems }: NonNullable<PluginReport["trial"]>): readonly Line[] {
  if (starts === true && problems.length === 0) return [["trial", "it starts, and what is sent through it goes on"]];
  const begin = starts === null ? "it could not be tried: " : starts ? "" : "it does not start: ";
  return problems.map((problem) => ["trial", `${begin}${problem}`]);
}

function signedWords({ found, byKey }: PluginReport["signatures"]): string {
  if (byKey === null) return `${found}`;
  return `${found}, ${byKey ? "one by the key given" : "none by the key given"}`;
}

function list(names: readonly string[]): string {
  return names.length === 0 ? "nothing" : names.join(", ");
}

// `scrim plugin inspect`: what is in a module, and what it may do, without running it.
import type { KeyObject } from "node:crypto";
import { isFailed } from "../../model/failure.ts";
import { parsePublicKeys } from "../../model/public-key.ts";
import { undeclaredImports, wantedGroups } from "../../model/wasm-capabilities.ts";
import type { AcquiredModule } from "../../wasm/acquired-module.ts";
import { describeOrigin } from "../../wasm/module/describe-sdk.ts";
import { findManifest, type PluginManifest } from "../../wasm/module/plugin-manifest.ts";
import { describeModule } from "../../wasm/module/describe-module.ts";
import { isSignatureBy } from "../../wasm/trust/signature.ts";
import type { CommandContext } from "../context.ts";
import { CommandFailure, exitCodes } from "../exit-codes.ts";
import { renderValue } from "../output.ts";
import type { RegistryOptions } from "./options.ts";
import { readNamedFile } from "./read-file.ts";
import { readModule } from "./read-module.ts";

export interface InspectOptions extends RegistryOptions {
  readonly against?: string;
  readonly key?: string;
  readonly output: "text" | "json" | "yaml";
}

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
  readonly against?: {
    readonly source: string;
    readonly sha256: string;
    readonly wantsMore: readonly string[];
    readonly wantsLess: readonly string[];
  };
}

/**
 * Prints what is in the module; with `--against`, what it wants that the other does not. Throws CommandFailure when it
 * is not signed by `--key`.
 */
export async function inspectPlugin(source: string, options: InspectOptions, context: CommandContext): Promise<void> {
  const keys = await readKeys(options.key);
  const report = await reportOn(source, await readModule(source, options, context), keys);
  const other =
    options.against === undefined
      ? undefined
      : await reportOn(options.against, await readModule(options.against, options, context), undefined);
  const whole = other === undefined ? report : { ...report, against: compare(report, other) };
  context.terminal.out(options.output === "text" ? renderReport(whole) : renderValue(whole, options.output));
  // Who asks by a script reads no report.
  if (report.signatures.byKey === false)
    throw new CommandFailure(
      exitCodes.failed,
      `${source} carries no signature by a key of ${options.key}${report.signatures.problem === undefined ? "" : `: ${report.signatures.problem}`}.`,
    );
}

async function readKeys(file: string | undefined): Promise<readonly KeyObject[] | undefined> {
  if (file === undefined) return undefined;
  const text = await readNamedFile(`--key ${file}`, file);
  const keys = parsePublicKeys(text);
  if (!keys.ok) throw new CommandFailure(exitCodes.failed, `--key ${file} ${keys.message}.`);
  return keys.keys;
}

async function reportOn(
  source: string,
  { module, image, signatures }: AcquiredModule,
  keys: readonly KeyObject[] | undefined,
): Promise<PluginReport> {
  const sections = describeModule(module.bytes);
  if (isFailed(sections)) throw new CommandFailure(exitCodes.failed, `${source} ${sections.message}.`);
  const manifest = findManifest(sections, image?.annotations);
  if (manifest !== undefined && isFailed(manifest))
    throw new CommandFailure(exitCodes.failed, `${source}: ${manifest.message}.`);
  const fetched = await signatures.fetch();
  const signed = isFailed(fetched) ? [] : fetched;
  const thing = { bytes: module.bytes, imageDigests: image === undefined ? [] : [image.digest, image.manifestDigest] };
  const { language, abiVersion } = describeOrigin(sections, module.bytes);
  const names = sections.exports.map(({ name }) => name).sort();
  return {
    source,
    sha256: module.sha256,
    bytes: module.bytes.length,
    codeBytes: sections.codeBytes,
    dataBytes: sections.dataBytes,
    ...(image !== undefined && {
      image: { digest: image.digest, manifestDigest: image.manifestDigest, layout: image.layout },
    }),
    abiVersion: abiVersion ?? null,
    sdk: language ?? null,
    imports: sections.imports.map((each) => `${each.module}.${each.name}`).sort(),
    callbacks: names.filter((name) => name.startsWith("proxy_on_")),
    otherExports: names.filter((name) => !name.startsWith("proxy_on_")),
    manifest: manifest ?? null,
    capabilities: {
      wants: wantedGroups(sections, manifest?.capabilities),
      declared: manifest?.capabilities !== undefined,
      importedButNotDeclared:
        manifest?.capabilities === undefined ? [] : undeclaredImports(sections, manifest.capabilities),
    },
    signatures: {
      found: signed.length,
      byKey: keys === undefined ? null : signed.some((signature) => isSignatureBy(signature, thing, keys)),
      ...(isFailed(fetched) && (image !== undefined || keys !== undefined) && { problem: fetched.message }),
    },
  };
}

function compare(report: PluginReport, other: PluginReport): NonNullable<PluginReport["against"]> {
  const [now, before] = [report.capabilities.wants, other.capabilities.wants];
  return {
    source: other.source,
    sha256: other.sha256,
    wantsMore: now.filter((group) => !before.includes(group)),
    wantsLess: before.filter((group) => !now.includes(group)),
  };
}

/** Returns the report for people: a line for each fact, the same words each time. */
export function renderReport(report: PluginReport): string {
  const { capabilities, signatures, image, manifest, against } = report;
  const signed =
    signatures.byKey === null
      ? `${signatures.found}`
      : `${signatures.found}, ${signatures.byKey ? "one by the key given" : "none by the key given"}`;
  const lines: (readonly [string, string])[] = [
    ["module", `sha256:${report.sha256}`],
    ["size", `${report.bytes} bytes (code ${report.codeBytes}, data ${report.dataBytes})`],
    ...(image === undefined ? [] : [["image", image.digest] as const, ["layout", image.layout] as const]),
    ["abi", report.abiVersion ?? "none: not a proxy-wasm module"],
    ["sdk", report.sdk ?? "not known"],
    ["imports", list(report.imports)],
    ["callbacks", list(report.callbacks)],
    ["exports", list(report.otherExports)],
    [
      "wants",
      `${list(capabilities.wants)}${capabilities.declared ? " (as its manifest says)" : " (by its imports: it declares nothing)"}`,
    ],
    ...(capabilities.importedButNotDeclared.length === 0
      ? []
      : [["refused", `${list(capabilities.importedButNotDeclared)} (imported and not declared)`] as const]),
    ...(manifest === null
      ? []
      : [
          [
            "manifest",
            [manifest.name, manifest.version].filter((each) => each !== undefined).join(" ") || "without a name",
          ] as const,
        ]),
    [
      "config",
      manifest?.configSchema === undefined
        ? "no schema"
        : `schema with ${list(Object.keys((manifest.configSchema["properties"] ?? {}) as object))}`,
    ],
    ["signatures", signed],
    ...(against === undefined
      ? []
      : [
          ["against", `sha256:${against.sha256} (${against.source})`] as const,
          ["wants more", list(against.wantsMore)] as const,
          ["wants less", list(against.wantsLess)] as const,
        ]),
  ];
  const width = Math.max(...lines.map(([name]) => name.length));
  return lines.map(([name, value]) => `${name.padEnd(width)}   ${value}\n`).join("");
}

function list(names: readonly string[]): string {
  return names.length === 0 ? "nothing" : names.join(", ");
}

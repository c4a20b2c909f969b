// `scrim plugin inspect`: what is in a module, what it may do, and what it does when it is tried.
import type { KeyObject } from "node:crypto";
import { isFailed } from "../../model/failure.ts";
import { parsePublicKeys } from "../../model/public-key.ts";
import { undeclaredImports, wantedGroups } from "../../model/wasm-capabilities.ts";
import type { AcquiredModule } from "../../wasm/acquired-module.ts";
import { describeSdk } from "../../wasm/module/describe-sdk.ts";
import { findManifest, type PluginManifest } from "../../wasm/module/plugin-manifest.ts";
import { describeModule, type ModuleDescription } from "../../wasm/module/describe-module.ts";
import { isSignatureBy } from "../../wasm/trust/signature.ts";
import type { CommandContext } from "../context.ts";
import { commandFailure } from "../exit-codes.ts";
import { renderValue } from "../output.ts";
import type { RegistryOptions } from "./options.ts";
import { readNamedFile } from "./read-file.ts";
import { readModule } from "./read-module.ts";
import { type PluginReport, renderReport } from "./report.ts";
import { type Trial, tryPlugin } from "./trial.ts";

export interface InspectOptions extends RegistryOptions {
  readonly config?: string;
  readonly against?: string;
  readonly key?: string;
  readonly output: "text" | "json" | "yaml";
}

/**
 * Prints what is in the module; with `--against`, what it wants that the other does not. Throws CommandFailure when it
 * is not signed by `--key`.
 */
export async function inspectPlugin(source: string, options: InspectOptions, context: CommandContext): Promise<void> {
  const keys = await readKeys(options.key);
  const acquired = await readModule(source, options, context);
  const described = await reportOn(source, acquired, keys);
  const report = { ...described, trial: trialOf(await tryPlugin(source, acquired, options, context), options) };
  const other =
    options.against === undefined
      ? undefined
      : await reportOn(options.against, await readModule(options.against, options, context), undefined);
  const whole = other === undefined ? report : { ...report, against: compare(report, other) };
  context.terminal.out(options.output === "text" ? renderReport(whole) : renderValue(whole, options.output));
  // Who asks by a script reads no report.
  const { byKey, problem } = report.signatures;
  const why = problem === undefined ? "" : `: ${problem}`;
  if (byKey === false)
    throw commandFailure("failed", `${source} carries no signature by a key of ${options.key}${why}.`);
}

function trialOf({ result }: Trial, { config }: InspectOptions): NonNullable<PluginReport["trial"]> {
  const hint = config === undefined ? "; it was given no configuration: --config JSON" : "";
  switch (result.kind) {
    case "good":
      return { starts: true, problems: result.warnings ?? [] };
    case "bad":
      return { starts: false, problems: [`${configWord(result.field)}${result.reason}${hint}`] };
    case "failed":
      return { starts: null, problems: [result.message] };
  }
}

function configWord(field: string | undefined): string {
  return field === undefined ? "" : `--config${field.replace("spec.pluginConfig", "")} `;
}

async function readKeys(file: string | undefined): Promise<readonly KeyObject[] | undefined> {
  if (file === undefined) return undefined;
  const text = await readNamedFile(`--key ${file}`, file);
  const keys = parsePublicKeys(text);
  if (keys.kind === "failed") throw commandFailure("failed", `--key ${file} ${keys.message}.`);
  return keys.keys;
}

async function reportOn(
  source: string,
  acquired: AcquiredModule,
  keys: readonly KeyObject[] | undefined,
): Promise<PluginReport> {
  const { module, image } = acquired;
  const sections = describeModule(module.bytes);
  if (isFailed(sections)) throw commandFailure("failed", `${source} ${sections.message}.`);
  const manifest = findManifest(sections, image?.annotations);
  if (manifest !== undefined && isFailed(manifest)) throw commandFailure("failed", `${source}: ${manifest.message}.`);
  const { language, abiVersion } = describeSdk(sections, module.bytes);
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
    capabilities: capabilitiesOf(sections, manifest),
    signatures: await signaturesOf(acquired, keys),
  };
}

function capabilitiesOf(
  described: ModuleDescription,
  manifest: PluginManifest | undefined,
): PluginReport["capabilities"] {
  const declared = manifest?.capabilities;
  return {
    wants: wantedGroups(described, declared),
    declared: declared !== undefined,
    importedButNotDeclared: declared === undefined ? [] : undeclaredImports(described, declared),
  };
}

async function signaturesOf(
  { module, image, signatures }: AcquiredModule,
  keys: readonly KeyObject[] | undefined,
): Promise<PluginReport["signatures"]> {
  const fetched = await signatures.fetch();
  const signed = isFailed(fetched) ? [] : fetched;
  const thing = { bytes: module.bytes, imageDigests: image === undefined ? [] : [image.digest, image.manifestDigest] };
  return {
    found: signed.length,
    byKey: keys === undefined ? null : signed.some((signature) => isSignatureBy(signature, thing, keys)),
    ...(isFailed(fetched) && (image !== undefined || keys !== undefined) && { problem: fetched.message }),
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

// `scrim inject`, and `kube-inject`: what the webhook does with pods, done to files.
import type { Command } from "commander";
import { isUtf8 } from "node:buffer";
import { readFile, writeFile } from "node:fs/promises";
import { injectDocument, type Note } from "../injector/documents.ts";
import type { InjectionContext } from "../injector/inject.ts";
import { injectionValues } from "../injector/values.ts";
import { isJsonObject } from "../model/json-object.ts";
import { documentOf, parsePiece, problemsOf, splitDocuments, type TextPiece } from "../model/yaml.ts";
import { describeOrigin } from "../model/origin.ts";
import { SCRIM_VERSION } from "../settings/version.ts";
import { loadText } from "../store/load.ts";
import { formatViolation } from "../validate/violation.ts";
import type { World } from "../world/world.ts";
import type { CommandContext } from "./context.ts";
import { commandFailure } from "./exit-codes.ts";
import { examples } from "./options.ts";
import { renderValue } from "./output.ts";

export interface InjectOptions {
  readonly filename: string;
  readonly output?: string;
  readonly meshConfigFile?: string;
  readonly valuesFile?: string;
  readonly revision?: string;
  readonly namespace: string;
  readonly injectConfigFile?: string;
  readonly injectConfigMapName?: string;
}

/** Adds `scrim inject`. */
export function addInject(program: Command, context: CommandContext): void {
  program
    .command("inject")
    .alias("kube-inject")
    .description("add the proxy to the pods of a cluster's YAML, as the webhook does")
    .requiredOption("-f, --filename <file>", "the YAML; - is standard input")
    .option("-o, --output <file>", "where to write (default: standard output)")
    .option("--meshConfigFile <file>", "the mesh's settings (MeshConfig)")
    .option("--valuesFile <file>", "the values that the control plane was installed with")
    .option("--revision <name>", "of the control plane that the proxies are to have")
    .option("-n, --namespace <name>", "of pods that name none", "default")
    .option("--injectConfigFile <file>", "templates of one's own: there are none")
    .option("--injectConfigMapName <name>", "templates of one's own: there are none")
    .addHelpText(
      "after",
      examples(
        "scrim inject -f deployment.yaml | kubectl apply -f -",
        "scrim kube-inject -f deployment.yaml -o injected.yaml --meshConfigFile mesh.yaml --revision canary",
      ),
    )
    .action((options: InjectOptions) => injectCommand(options, context));
}

/** Writes the documents with their pods injected; what is left alone, and why, goes to standard error. */
async function injectCommand(options: InjectOptions, { terminal }: CommandContext): Promise<void> {
  const { injectConfigFile, injectConfigMapName } = options;
  if (injectConfigFile !== undefined || injectConfigMapName !== undefined)
    throw commandFailure(
      "usage",
      "there are no injection templates of one's own: annotations of the pod, or a container istio-proxy in it, say " +
        "what is to be different.",
    );
  const context = await readContext(options, terminal.err);
  const file = options.filename;
  const text = await readInput(file);
  const pieces = splitDocuments(text).map((piece) => injectPiece(piece, file, context));
  for (const { notes } of pieces) for (const note of notes) terminal.err(`${note.text}\n`);
  if (pieces.some(({ notes }) => notes.some(({ kind }) => kind === "failed")))
    throw commandFailure("invalid", "nothing was written: not all of it can be read, or injected as it asks for.");
  const injected = pieces.map((piece) => `${piece.text.replace(/\n*$/, "\n")}---\n`).join("");
  if (options.output === undefined) terminal.out(injected);
  else await writeFile(options.output, injected);
}

interface InjectedPiece {
  readonly text: string;
  readonly notes: readonly { readonly kind: Note["kind"]; readonly text: string }[];
}

/** What makes no pods is written as it was read. */
function injectPiece(piece: TextPiece, file: string, context: Omit<InjectionContext, "workload">): InjectedPiece {
  const parsed = parsePiece(piece.text);
  if (parsed.kind === "broken")
    throw commandFailure(
      "invalid",
      problemsOf(parsed, piece, file)
        .map(({ origin, message }) => `${describeOrigin(origin)}: ${message}`)
        .join("\n"),
    );
  if (parsed.kind === "empty") return { text: "", notes: [] };
  const { value, notes } = injectDocument(parsed.value, context);
  const document = documentOf(parsed, piece, file);
  const words = { failed: "error", left: "note", warning: "warning" } as const;
  return {
    text: value === parsed.value ? piece.text.replace(/^---[ \t]*\r?\n/, "") : renderValue(value, "yaml"),
    notes: notes.map(({ kind, at, object, message }) => ({
      kind,
      text: [
        describeOrigin(document.locate(at), "line"),
        words[kind],
        ...(object === "" ? [] : [object]),
        message,
      ].join(": "),
    })),
  };
}

async function readContext(
  { meshConfigFile, valuesFile, revision, namespace }: InjectOptions,
  tell: (text: string) => void,
): Promise<Omit<InjectionContext, "workload">> {
  const written = valuesFile === undefined ? {} : await readDocument(valuesFile);
  const values = { ...(isJsonObject(written) ? written : {}), ...(revision !== undefined && { revision }) };
  const world = meshConfigFile === undefined ? loadText("").world : await readMesh(meshConfigFile, tell);
  return { namespace, world, values: injectionValues(values, SCRIM_VERSION) };
}

/** The World of nothing but the mesh's settings. */
async function readMesh(file: string, tell: (text: string) => void): Promise<World> {
  const metadata = { name: "istio", namespace: "istio-system" };
  const data = { mesh: await readInput(file) };
  const { world, violations } = loadText(JSON.stringify({ apiVersion: "v1", kind: "ConfigMap", metadata, data }), {
    file,
  });
  for (const violation of violations) tell(`${formatViolation(violation)}\n`);
  if (violations.some(({ severity }) => severity === "error"))
    throw commandFailure("invalid", `${file} is no valid MeshConfig.`);
  return world;
}

async function readDocument(file: string): Promise<unknown> {
  const parsed = parsePiece(await readInput(file));
  if (parsed.kind === "broken") throw commandFailure("invalid", `${file} is no valid YAML.`);
  return parsed.kind === "document" ? parsed.value : {};
}

async function readInput(file: string): Promise<string> {
  const bytes = await readFile(file === "-" ? "/dev/stdin" : file).catch((error: Error) => {
    throw commandFailure("failed", `${file} cannot be read: ${error.message}`);
  });
  const text = bytes.toString("utf8");
  if (isUtf8(bytes)) return text;
  const line = text.slice(0, text.indexOf("\uFFFD")).split("\n").length;
  throw commandFailure("invalid", `${file}:${line}: is no text in UTF-8`);
}

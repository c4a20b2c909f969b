// `scrim plugin pull`: a module out of an image (or from a URL) into a file.
import { rename, writeFile } from "node:fs/promises";
import type { CommandContext } from "../context.ts";
import { CommandFailure, exitCodes } from "../exit-codes.ts";
import { renderValue } from "../output.ts";
import type { RegistryOptions } from "./options.ts";
import { readModule } from "./read-module.ts";

export interface PullOptions extends RegistryOptions {
  readonly file: string;
  readonly output: "text" | "json";
}

/** Writes the module and prints what it is. */
export async function pullPlugin(source: string, options: PullOptions, context: CommandContext): Promise<void> {
  const { module, image } = await readModule(source, options, context);
  try {
    await writeFile(`${options.file}.new`, module.bytes);
    await rename(`${options.file}.new`, options.file);
  } catch (error) {
    throw new CommandFailure(exitCodes.failed, `${options.file} cannot be written: ${error instanceof Error ? error.message : String(error)}.`, { cause: error });
  }
  const result = { file: options.file, bytes: module.bytes.length, sha256: module.sha256, ...(image !== undefined && { image: image.digest, layout: image.layout }) };
  context.terminal.out(options.output === "json" ? renderValue(result, "json") : `${options.file}: ${result.bytes} bytes, sha256:${module.sha256}${image === undefined ? "" : `\nimage ${image.digest} (${image.layout})`}\n`);
}

// `scrim plugin pull`: a module out of an image (or from a URL) into a file.
import { stat, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { replaceFile } from "../../disk/replace-file.ts";
import { isFailed } from "../../model/failure.ts";
import { describeModule } from "../../wasm/module/describe-module.ts";
import type { CommandContext } from "../context.ts";
import { commandFailure } from "../exit-codes.ts";
import { renderValue } from "../output.ts";
import type { RegistryOptions } from "./options.ts";
import { describeFileError } from "./read-file.ts";
import { readModule } from "./read-module.ts";

export interface PullOptions extends RegistryOptions {
  readonly file: string;
  readonly output: "text" | "json";
}

/** Writes the module and prints what it is. */
export async function pullPlugin(source: string, options: PullOptions, context: CommandContext): Promise<void> {
  const { module, image } = await readModule(source, options, context);
  const described = describeModule(module.bytes);
  if (isFailed(described)) throw commandFailure("failed", `${source} ${described.message}.`);
  await write(options.file, module.bytes);
  const result = {
    file: options.file,
    bytes: module.bytes.length,
    sha256: module.sha256,
    ...(image !== undefined && { image: image.digest, layout: image.layout }),
  };
  const whence = image === undefined ? "" : `\nimage ${image.digest} (${image.layout})`;
  context.terminal.out(
    options.output === "json"
      ? renderValue(result, "json")
      : `${options.file}: ${result.bytes} bytes, sha256:${module.sha256}${whence}\n`,
  );
}

/** Whole or not at all. A folder that is not there is more likely a slip than a wish. */
async function write(file: string, bytes: Uint8Array): Promise<void> {
  try {
    await stat(dirname(file));
    const there = await stat(file).catch(() => undefined);
    // What is no file (a device, a pipe) is written to, not replaced by one.
    if (there !== undefined && !there.isFile()) await writeFile(file, bytes);
    else await replaceFile(file, bytes, { mode: 0o644 });
  } catch (error) {
    throw commandFailure("failed", `${file} cannot be written: ${describeFileError(error)}.`, {
      cause: error,
    });
  }
}

// What the `scrim plugin` commands have in common: credentials, registries, limits.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { isFailed } from "../../model/failure.ts";
import { readFetchOptions } from "../../settings/fetch-options.ts";
import { credentialFor, helperFor, parseDockerConfig, type RegistryCredential } from "../../wasm/oci/credentials.ts";
import type { ImageReference } from "../../wasm/oci/reference.ts";
import type { CommandContext } from "../context.ts";
import { commandFailure } from "../exit-codes.ts";
import { askCredentialHelper } from "./credential-helper.ts";
import { readNamedFile } from "./read-file.ts";

/** As commander gives them. */
export interface RegistryOptions {
  readonly dockerConfig?: string;
  readonly username?: string;
  readonly passwordStdin?: boolean;
  readonly plainRegistry?: readonly string[];
}

/** Whoever types a command decides where it goes: only metadata services stay closed. */
export const EVERYWHERE: readonly string[] = ["0.0.0.0/0", "::/0"];
export const MAX_MODULE_BYTES = 64 * 1_024 * 1_024;
export const TIMEOUT_MS = 60_000;

/** Returns the registries without TLS. Throws CommandFailure. */
export function plainRegistriesOf(options: RegistryOptions): readonly string[] {
  const read = readFetchOptions({ plainRegistry: options.plainRegistry ?? [] }, true);
  if (read.kind === "failed") throw commandFailure("usage", read.message);
  return read.settings.plainRegistries;
}

/**
 * Returns the credential for an image: from the options, else from Docker's configuration file or the helper that it
 * names; undefined if there is none. Throws CommandFailure.
 */
export async function registryCredentialOf(
  reference: ImageReference,
  options: RegistryOptions,
  { environment, terminal }: Pick<CommandContext, "environment" | "terminal">,
): Promise<RegistryCredential | undefined> {
  if (options.username !== undefined) {
    if (options.passwordStdin !== true)
      throw commandFailure(
        "usage",
        "--username needs --password-stdin: a password on the command line can be read by others.",
      );
    return { kind: "password", username: options.username, password: await passwordOf(options) };
  }
  if (options.passwordStdin === true)
    throw commandFailure("usage", "--password-stdin needs --username: whose password is it?");
  const { DOCKER_CONFIG: folder, HOME: home } = environment.variables;
  const file =
    options.dockerConfig ??
    (folder === undefined ? join(home ?? "", ".docker", "config.json") : join(folder, "config.json"));
  if (options.dockerConfig === undefined && !existsSync(file)) return undefined;
  const text = await readNamedFile(file, file);
  const config = parseDockerConfig(text);
  if (isFailed(config)) throw commandFailure("failed", `${file} ${config.message}.`);
  const helper = helperFor(config, reference);
  const kept = helper === undefined ? undefined : await askCredentialHelper(helper, environment.variables);
  if (kept?.kind === "credential") return kept.credential;
  // What is public can be had without it.
  if (kept?.kind === "failed") terminal.err(`scrim: ${kept.message} (it is named in ${file}): going on without it\n`);
  return credentialFor(config, reference);
}

const passwords = new WeakMap<RegistryOptions, Promise<string>>();

/** Standard input can be read once; two images of one command have one password. */
function passwordOf(options: RegistryOptions): Promise<string> {
  const password = passwords.get(options) ?? readStdin();
  passwords.set(options, password);
  return password;
}

async function readStdin(): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
  const password = Buffer.concat(chunks)
    .toString("utf8")
    .replace(/\r?\n$/, "");
  if (password === "")
    throw commandFailure(
      "failed",
      "No password came on standard input: pipe it in, as in: scrim plugin … --password-stdin < password.txt",
    );
  return password;
}

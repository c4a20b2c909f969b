// The programs with which Docker's client keeps passwords out of its configuration file.
// Protocol: https://github.com/docker/docker-credential-helpers#usage
import { spawn } from "node:child_process";
import { type Failure, failed } from "../../model/failure.ts";
import type { RegistryCredential } from "../../wasm/oci/credentials.ts";

export type KeptCredential =
  | { readonly kind: "credential"; readonly credential: RegistryCredential }
  | { readonly kind: "none" }
  /** `message` is a sentence without its end. */
  | Failure<"helper-failed">;

/** Long enough to unlock a keychain by hand. */
const TIMEOUT_MS = 60_000;
/** What it wrote is here long before that, once it has ended. */
const LAST_WORDS_MS = 1_000;
const MAX_ANSWER = 64 * 1_024;
/** In the place of a user: the secret is a token. */
const TOKEN_USER = "<token>";

/** Returns what `docker-credential-<helper>` knows of a server. */
export async function askCredentialHelper(
  { helper, server }: { readonly helper: string; readonly server: string },
  env: Readonly<Record<string, string>>,
): Promise<KeptCredential> {
  const program = `docker-credential-${helper}`;
  const ended = await runToEnd(program, server, env);
  if (typeof ended === "string") return helperFailed(`${program} cannot be asked: ${ended}`);
  // On failure a helper says why on standard output, as it says secrets on success: only this one sentence of it is of
  // use.
  if (ended.code !== 0)
    return /credentials not found/i.test(ended.output)
      ? { kind: "none" }
      : helperFailed(`${program} ended with exit code ${ended.code}`);
  const credential = credentialIn(ended.output);
  return credential === undefined
    ? helperFailed(`${program} gave no answer that is understood`)
    : { kind: "credential", credential };
}

const helperFailed = (message: string) => failed("helper-failed", message);

function credentialIn(output: string): RegistryCredential | undefined {
  try {
    const { Username: username, Secret: secret } = JSON.parse(output) as {
      readonly Username?: unknown;
      readonly Secret?: unknown;
    };
    if (typeof username !== "string" || typeof secret !== "string" || secret === "") return undefined;
    return username === TOKEN_USER
      ? { kind: "identity-token", token: secret }
      : { kind: "password", username, password: secret };
  } catch {
    return undefined;
  }
}

function runToEnd(
  program: string,
  input: string,
  env: Readonly<Record<string, string>>,
): Promise<{ readonly code: number | null; readonly output: string } | string> {
  return new Promise((resolve) => {
    // What it has to ask of the person it asks on the terminal.
    const child = spawn(program, ["get"], { env, stdio: ["pipe", "pipe", "inherit"], timeout: TIMEOUT_MS });
    let output = "";
    child.stdout.on("data", (chunk: Buffer) => {
      output += chunk.toString("utf8");
      if (output.length > MAX_ANSWER) child.kill();
    });
    child.on("error", (error: NodeJS.ErrnoException) =>
      resolve(error.code === "ENOENT" ? "there is no such program on PATH" : error.message),
    );
    // What it leaves running (an agent that remembers a passphrase) may keep its output open for ever.
    child.on("exit", () => void setTimeout(() => child.stdout.destroy(), LAST_WORDS_MS).unref());
    child.on("close", (code, signal) => resolve(signal === null ? { code, output } : `it was ended (${signal})`));
    child.stdin.on("error", () => undefined);
    child.stdin.end(input);
  });
}

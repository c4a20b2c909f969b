// Consumes: what the set-up built of the sources here.
// Produces: the clients in Go as functions: arguments in, the JSON that they print out.
// Never does: builds them (deploy/setup/go-programs.mjs does, at `npm test`).
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

export const goClients = fileURLToPath(new URL("../../../build/go/xds-clients", import.meta.url));

/** Why the tests of these clients are left out; undefined where they run. */
export const withoutGo = existsSync(goClients) ? undefined : "no Go that could build them (see the set-up's message)";

/**
 * A control plane's port, and what is shown there. Without a root certificate or `insecure` it is spoken to in
 * plaintext.
 */
export interface Target {
  readonly address: string;
  readonly root?: string;
  readonly token?: string;
  readonly insecure?: boolean;
}

export function targetArguments({ address, root, token, insecure }: Target): string[] {
  return [
    "--address",
    address,
    ...(root === undefined ? [] : ["--root", root]),
    ...(token === undefined ? [] : ["--token", token]),
    ...(insecure === true ? ["--insecure"] : []),
  ];
}

/** Runs one; resolves to what it printed. Rejects with what it complained of. */
export function runGoClient<T>(args: readonly string[], input = ""): Promise<T> {
  return new Promise((resolve, reject) => {
    const child = spawn(goClients, args, { stdio: ["pipe", "pipe", "pipe"] });
    let output = "";
    let complaint = "";
    child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
    child.stderr.on("data", (chunk: Buffer) => (complaint += chunk.toString()));
    child.on("error", reject);
    child.on("close", (code) =>
      code === 0
        ? resolve(JSON.parse(output) as T)
        : reject(new Error(`${args[0]} ended with ${code}: ${complaint.trim()}`)),
    );
    child.stdin.on("error", () => undefined);
    child.stdin.end(input);
  });
}

/** What Go's reading of messages says of them. */
export interface Opinion {
  readonly problems: readonly string[];
  readonly deprecated: readonly string[];
  /** How many of each message were looked at, those inside others too. */
  readonly messages: Readonly<Record<string, number>>;
}

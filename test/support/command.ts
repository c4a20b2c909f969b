// Runs a command to its end.
import { spawn } from "node:child_process";
import { scrim } from "./mesh.ts";

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Returns what a command printed and how it ended. */
export function run(
  command: string,
  args: readonly string[],
  { input = "", env = {} }: { readonly input?: string; readonly env?: Readonly<Record<string, string>> } = {},
): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { env: { ...process.env, ...env } });
    const output = { stdout: "", stderr: "" };
    child.stdout.on("data", (chunk: Buffer) => (output.stdout += chunk.toString("utf8")));
    child.stderr.on("data", (chunk: Buffer) => (output.stderr += chunk.toString("utf8")));
    child.on("error", reject);
    child.on("close", (code) => resolve({ code, ...output }));
    child.stdin.on("error", () => undefined);
    child.stdin.end(input);
  });
}

/** Runs `scrim` with these arguments. */
export function runScrim(args: readonly string[], options: Parameters<typeof run>[2] = {}): Promise<Ended> {
  return run(process.execPath, [scrim, ...args], options);
}

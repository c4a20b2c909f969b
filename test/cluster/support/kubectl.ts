// The test cluster from inside a test: programs on its first node, and kubectl as its administrator.
import { inject } from "vitest";
import { startChild } from "../../support/children.ts";
import { insideCluster } from "../cluster.mjs";

/** What a command came to. */
export interface Done {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program on the cluster's first node to its end, whatever it exits with. */
export function inCluster(command: readonly string[], input?: string): Promise<Done> {
  const [program = "", ...args] = insideCluster(inject("cluster"), command);
  return new Promise((resolve, reject) => {
    const child = startChild(program, args, { stdio: [input === undefined ? "ignore" : "pipe", "pipe", "pipe"] });
    let stdout = "";
    let stderr = "";
    child.stdout?.on("data", (chunk) => (stdout += chunk));
    child.stderr?.on("data", (chunk) => (stderr += chunk));
    child.on("error", reject);
    child.on("close", (code) => resolve({ code: code ?? 1, stdout, stderr }));
    child.stdin?.end(input);
  });
}

/** Runs kubectl and returns what it prints; throws with what it says when it fails. */
export async function kubectl(args: readonly string[], input?: string): Promise<string> {
  const { code, stdout, stderr } = await inCluster(["kubectl", ...args], input);
  if (code !== 0) throw new Error(`kubectl ${args.join(" ")}: ${stderr}${stdout}`);
  return stdout;
}

/** Applies documents, given as YAML or as objects. */
export async function apply(...documents: readonly (string | object)[]): Promise<void> {
  const texts = documents.map((each) => (typeof each === "string" ? each : JSON.stringify(each)));
  await kubectl(["apply", "-f", "-"], texts.join("\n---\n"));
}

// Whether a module starts with its configuration: tried in a child process, which can be killed when it hangs or eats
// memory.
import { spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import { type Failure, failed, isFailed } from "../model/failure.ts";
import type { PluginSettings } from "../model/plugin.ts";
import type { WasmModule } from "../model/wasm-module.ts";
import { meteredModule } from "./meter/metered-module.ts";
import type { PluginManifest } from "./module/plugin-manifest.ts";

export type CheckResult =
  /** It starts. `warnings` are what it did wrong when it was called. */
  | { readonly kind: "good"; readonly warnings?: readonly string[] }
  /**
   * The module's own fault, or its configuration's (then `field` says where): it will not get better by asking again.
   */
  | { readonly kind: "bad"; readonly reason: string; readonly field?: string }
  /** Ours: the check itself could not be done. */
  | Failure<"check-failed">;

/** A JSON Schema that a module's manifest gives for its configuration. */
export type ConfigSchema = NonNullable<PluginManifest["configSchema"]>;

export interface PluginChecker {
  /**
   * Holds the configuration against the schema, if there is one, and tries the module as proxies get it: with its
   * budget.
   */
  check(module: WasmModule, settings: PluginSettings, configSchema?: ConfigSchema): Promise<CheckResult>;
}

export interface ProcessCheckerOptions {
  /** The built child, `check-plugin.mjs` (source: check-plugin.ts). */
  readonly script: string;
  readonly timeoutMs?: number;
  /** Resident memory at which the child is killed. */
  readonly maxMemoryBytes?: number;
}

/**
 * What the child reads: one line of JSON, then the module's bytes. It answers a line at each of the stages below, and
 * one CheckResult.
 */
export interface CheckRequest {
  readonly settings: PluginSettings;
  readonly configSchema?: ConfigSchema | undefined;
}

export const READY_LINE = '{"ready":true}';
/** Printed when the configuration was held against the schema. */
export const FITS_LINE = '{"fits":true}';
/** Printed between the start of the module and its trial calls. */
export const STARTED_LINE = '{"started":true}';

const MEMORY_POLL_MS = 50;
const MAX_CHILDREN = 2;

/** Returns a checker that runs one child per check, and few at a time. */
export function createProcessChecker(options: ProcessCheckerOptions): PluginChecker {
  const waiting: (() => void)[] = [];
  let running = 0;
  return {
    async check(module, settings, configSchema) {
      const metered = meteredModule(module, settings.budget);
      if (isFailed(metered)) return { kind: "bad", reason: metered.message };
      if (running >= MAX_CHILDREN) await new Promise<void>((resolve) => waiting.push(resolve));
      else running++;
      try {
        return await runChild(metered.bytes, { settings, configSchema }, options);
      } finally {
        const next = waiting.shift();
        if (next === undefined) running--;
        else next();
      }
    },
  };
}

function runChild(bytes: Uint8Array, request: CheckRequest, options: ProcessCheckerOptions): Promise<CheckResult> {
  const { timeoutMs = 15_000, maxMemoryBytes = 768 * 1024 * 1024 } = options;
  return new Promise((resolve) => {
    // Nothing of our environment: the module's code is a stranger's.
    const child = spawn(process.execPath, ["--max-old-space-size=256", options.script], {
      env: {},
      stdio: ["pipe", "pipe", "ignore"],
    });
    let killedFor: string | undefined;
    const kill = (reason: string) => {
      killedFor = reason;
      child.kill("SIGKILL");
    };
    const timeout = setTimeout(() => kill(`did not start within ${timeoutMs / 1000} s`), timeoutMs);
    const memory = setInterval(() => {
      void residentBytes(child.pid).then(
        (resident) =>
          resident > maxMemoryBytes && kill(`took more than ${maxMemoryBytes >> 20} MiB of memory while it started`),
      );
    }, MEMORY_POLL_MS);
    let output = "";
    child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString("utf8")));
    const end = (result: CheckResult) => {
      clearTimeout(timeout);
      clearInterval(memory);
      resolve(result);
    };
    child.on("error", (error) => end(failed("check-failed", error.message)));
    child.on("close", (code, signal) =>
      end(killedFor === undefined ? parseAnswer(output, code, signal) : killed(killedFor, output)),
    );
    // A child that is gone already has said why by its end.
    child.stdin.on("error", () => undefined);
    child.stdin.write(`${JSON.stringify(request)}\n`);
    child.stdin.end(bytes);
  });
}

/** A module that starts and then runs on in a trial call is a bad one too: a proxy would stand still. */
function killed(reason: string, output: string): CheckResult {
  const instead = (start: string, meanwhile: string) =>
    reason.replace("did not start", start).replace("while it started", meanwhile);
  if (output.includes(STARTED_LINE))
    return { kind: "bad", reason: `the module ${instead("did not end its trial calls", "in its trial calls")}` };
  if (output.includes(FITS_LINE)) return { kind: "bad", reason: `the module ${reason}` };
  return {
    kind: "bad",
    reason: `its manifest's configSchema ${instead("could not be applied", "while it was applied")}`,
  };
}

function parseAnswer(output: string, code: number | null, signal: NodeJS.Signals | null): CheckResult {
  try {
    const answer: unknown = JSON.parse(output.trim().split("\n").at(-1) ?? "");
    if (typeof answer === "object" && answer !== null && "kind" in answer) {
      if (answer.kind === "good")
        return {
          kind: "good",
          warnings: "warnings" in answer && Array.isArray(answer.warnings) ? answer.warnings.map(String) : [],
        };
      if (answer.kind === "bad")
        return {
          kind: "bad",
          reason: "reason" in answer ? String(answer.reason) : "the module does not start",
          ...("field" in answer && { field: String(answer.field) }),
        };
    }
  } catch {
    // Said below.
  }
  if (output.includes(STARTED_LINE))
    return {
      kind: "good",
      warnings: [`the module ended the process that called it on trial (${signal ?? `exit code ${code}`})`],
    };
  return !output.includes(READY_LINE) || (signal === null && code === 0)
    ? failed("check-failed", "the check gave no answer")
    : { kind: "bad", reason: `the module ended the process that tried it (${signal ?? `exit code ${code}`})` };
}

/** Where there is no /proc the limit is Node's own. */
async function residentBytes(pid: number | undefined): Promise<number> {
  try {
    const [, pages = "0"] = (await readFile(`/proc/${pid}/statm`, "utf8")).split(" ");
    return Number(pages) * 4_096;
  } catch {
    return 0;
  }
}

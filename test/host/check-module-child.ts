import { fork } from "node:child_process";
import type { CheckResult } from "./check-module.ts";
import { failed } from "./errors.ts";

/** What the child is asked. */
export interface CheckRequest {
  readonly module: Uint8Array;
  readonly configuration: string | Uint8Array;
  readonly vmConfiguration: string | Uint8Array;
}

/**
 * Asks a child process to check the module, and kills it when it takes longer than `timeoutMs`.
 * @param childFile a JavaScript file that runs `answerChecks` (check-module-main.ts, bundled)
 */
export function checkModuleInChild(childFile: string, request: CheckRequest, timeoutMs: number): Promise<CheckResult> {
  return new Promise((resolve) => {
    const child = fork(childFile, [], {
      serialization: "advanced",
      stdio: ["ignore", "ignore", "ignore", "ipc"],
      execArgv: ["--max-old-space-size=512"],
    });
    const finish = (result: CheckResult): void => {
      clearTimeout(timer);
      child.removeAllListeners();
      child.on("error", () => {});
      child.kill("SIGKILL");
      resolve(result);
    };
    const timer = setTimeout(
      () => finish(failed("timeout", `the module did not start within ${timeoutMs} ms`)),
      timeoutMs,
    );
    child.on("message", (result) => finish(result as CheckResult));
    child.on("error", (error) => finish(failed("crash", `the check could not run: ${error.message}`)));
    child.on("exit", (code, signal) =>
      finish(failed("crash", `the check ended without an answer (${signal ?? `exit code ${code}`})`)),
    );
    child.send(request, (error) => error && finish(failed("crash", `the check could not run: ${error.message}`)));
  });
}

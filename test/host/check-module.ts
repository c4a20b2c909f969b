import type { Failure } from "./errors.ts";
import { startHost, type StartStage } from "./host.ts";

/** What a proxy would make of a module and its configuration. */
export type CheckResult = { readonly kind: "good" } | Failure<StartStage | "timeout" | "crash">;

/**
 * Compiles, links, starts and configures the module as Envoy does before it tells its workers. Runs the module's own
 * code, which may never return: use `checkModuleInChild` for modules one does not trust to.
 */
export function checkModule(
  bytes: Uint8Array,
  configuration: string | Uint8Array = "",
  vmConfiguration: string | Uint8Array = "",
): CheckResult {
  const result = startHost({ module: bytes, configuration, vmConfiguration });
  return result.kind === "failed" ? result : { kind: "good" };
}

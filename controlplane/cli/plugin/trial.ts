// What a module does with one configuration when it is started and called, as the control plane tries it before any
// proxy gets it: in a child process that can be killed.
import { isFailed } from "../../model/failure.ts";
import type { PluginSettings } from "../../model/plugin.ts";
import type { AcquiredModule } from "../../wasm/acquired-module.ts";
import { type CheckResult, createProcessChecker } from "../../wasm/process-checker.ts";
import { verifyModule, withVerified } from "../../wasm/trust/verify-module.ts";
import type { CommandContext } from "../context.ts";
import { commandFailure } from "../exit-codes.ts";
import { readNamedFile } from "./read-file.ts";

export interface TrialOptions {
  /** JSON, or `@FILE` that holds it. */
  readonly config?: string;
  readonly rootId?: string;
}

export interface Trial {
  readonly settings: PluginSettings;
  readonly result: CheckResult;
}

/** Tries the module with what its manifest allows. Throws CommandFailure where its manifest is not understood. */
export async function tryPlugin(
  source: string,
  acquired: AcquiredModule,
  { config, rootId = "" }: TrialOptions,
  { installation }: CommandContext,
): Promise<Trial> {
  const configuration = await readConfiguration(config);
  const verified = await verifyModule(acquired, { demands: [], grants: [] });
  if (isFailed(verified)) throw commandFailure("failed", `${source}: ${verified.message}.`);
  const settings = withVerified({ configuration, rootId, environment: {}, hostEnvironment: [] }, verified);
  const checker = createProcessChecker({ script: installation.pluginCheckScript });
  return { settings, result: await checker.check(acquired.module, settings, verified.configSchema) };
}

async function readConfiguration(text: string | undefined): Promise<string> {
  if (text === undefined || !text.startsWith("@")) return text ?? "";
  return readNamedFile(`the file of --config ${text}`, text.slice(1));
}

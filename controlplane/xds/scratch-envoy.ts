// consumes: contents that a proxy rejected without saying which
// produces: the ones that an Envoy of the control plane's own, which serves nobody, cannot load either
// never does: try anything on a proxy that serves, or run longer than its patience
import { spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { EncodedResource } from "../snapshot/encode.ts";
import { findCulprits } from "./culprit-search.ts";
import { buildTrialBootstrap } from "./trial-bootstrap.ts";

export interface ScratchEnvoyOptions {
  /** Where the binary is; undefined when there is none to be had. Asked when it is first needed. */
  readonly findBinary: () => Promise<string | undefined>;
  readonly timeoutMs?: number;
}

const TIMEOUT_MS = 20_000;
/** Judgements that are remembered: a storm of rejections asks for the same ones again and again. */
const MAX_REMEMBERED = 200;

/** Returns an `examine` for an XdsServer, which starts `envoy --mode validate`, one at a time. */
export function createScratchEnvoy({ findBinary, timeoutMs = TIMEOUT_MS }: ScratchEnvoyOptions): (resources: readonly EncodedResource[]) => Promise<readonly EncodedResource[]> {
  const known = new Map<string, Promise<readonly EncodedResource[]>>();
  let last: Promise<unknown> = Promise.resolve();
  let binary: Promise<string | undefined> | undefined;
  const isGood = async (set: readonly EncodedResource[]): Promise<boolean | undefined> => {
    const bootstrap = buildTrialBootstrap(set);
    const path = await (binary ??= findBinary());
    return path === undefined || bootstrap === undefined ? undefined : validate(path, bootstrap, timeoutMs);
  };
  return (resources) => {
    const key = resources.map(({ version }) => version).join(" ");
    const before = known.get(key);
    if (before !== undefined) return before;
    const found = last.then(() => findCulprits(resources, isGood));
    last = found.catch(() => undefined);
    known.set(key, found);
    if (known.size > MAX_REMEMBERED) known.delete(known.keys().next().value!);
    return found;
  };
}

async function validate(binary: string, bootstrap: Uint8Array, timeoutMs: number): Promise<boolean | undefined> {
  const directory = await mkdtemp(join(tmpdir(), "scrim-trial-"));
  try {
    const config = join(directory, "bootstrap.pb");
    await writeFile(config, bootstrap, { mode: 0o600 });
    return await run(binary, ["--mode", "validate", "--config-path", config, "--concurrency", "1", "--use-dynamic-base-id", "--log-level", "critical"], timeoutMs);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** True or false by the exit code; undefined when it did not end by itself. */
function run(binary: string, args: readonly string[], timeoutMs: number): Promise<boolean | undefined> {
  return new Promise((resolve) => {
    const child = spawn(binary, args, { env: {}, stdio: "ignore" });
    const timer = setTimeout(() => child.kill("SIGKILL"), timeoutMs);
    const end = (outcome: boolean | undefined): void => {
      clearTimeout(timer);
      resolve(outcome);
    };
    child.once("error", () => end(undefined));
    child.once("exit", (code) => end(code === null ? undefined : code === 0));
  });
}

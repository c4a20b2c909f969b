// consumes: contents that a proxy rejected
// produces: whether an Envoy of the control plane's own, which serves nobody, can load them, and of several the ones
// that it cannot
// never does: try anything on a proxy that serves, run longer than its patience, or run twice for the same question
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { EncodedResource } from "../../snapshot/encode.ts";
import { findCulprits } from "./culprit-search.ts";
import type { XdsServerOptions } from "../server-options.ts";
import { buildScratchBootstrap } from "./scratch-bootstrap.ts";

export interface ScratchEnvoyOptions {
  /** Where the binary is; undefined when there is none to be had. Asked when it is first needed. */
  readonly findBinary: () => Promise<string | undefined>;
  readonly timeoutMs?: number;
}

/** What an XdsServer asks of it; it starts `envoy --mode validate`, one at a time. */
export type ScratchEnvoy = Required<Pick<XdsServerOptions, "examine" | "judge">>;

const TIMEOUT_MS = 20_000;
/**
 * Answers that are remembered: a storm of rejections asks for the same ones again and again. An examination holds on to
 * what it found.
 */
const MAX_ANSWERS = 10_000,
  MAX_EXAMINATIONS = 200;
/**
 * Judgements that one pod's rejections may have waiting. Who rejects everything does not hold up what others need to
 * know.
 */
const MAX_WAITING_PER_POD = 4;

/** An Envoy that was not started yet. */
export function createScratchEnvoy({ findBinary, timeoutMs = TIMEOUT_MS }: ScratchEnvoyOptions): ScratchEnvoy {
  const isLoadable = createLoadTest(findBinary, timeoutMs);
  const examinations = new Map<string, Promise<readonly EncodedResource[]>>();
  const waitingOf = new Map<string, number>();
  const judge = async (resource: EncodedResource, good: EncodedResource | undefined): Promise<boolean | undefined> => {
    const loads = await isLoadable([resource]);
    // What cannot be loaded here although a proxy has it says nothing about what cannot be loaded here either.
    return loads === false && good !== undefined && (await isLoadable([good])) !== true ? undefined : loads;
  };
  return {
    examine(resources) {
      const key = keyOf(resources);
      const found = examinations.get(key) ?? findCulprits(resources, isLoadable);
      found.catch(() => examinations.delete(key));
      return remember(examinations, key, found, MAX_EXAMINATIONS);
    },
    async judge(resource, good, asker) {
      const waiting = waitingOf.get(asker) ?? 0;
      if (waiting >= MAX_WAITING_PER_POD) return undefined;
      waitingOf.set(asker, waiting + 1);
      try {
        return await judge(resource, good);
      } finally {
        const left = waitingOf.get(asker)! - 1;
        if (left === 0) waitingOf.delete(asker);
        else waitingOf.set(asker, left);
      }
    },
  };
}

/** Whether a set can be loaded, asked once for each set; what was loaded once is not tried again. */
function createLoadTest(
  findBinary: () => Promise<string | undefined>,
  timeoutMs: number,
): (set: readonly EncodedResource[]) => Promise<boolean | undefined> {
  const answers = new Map<string, Promise<boolean | undefined>>();
  const loaded = new Map<string, true>();
  let binary: Promise<string | undefined> | undefined;
  let last: Promise<unknown> = Promise.resolve();
  const run = async (set: readonly EncodedResource[]): Promise<boolean | undefined> => {
    const bootstrap = buildScratchBootstrap(set);
    const path = await (binary ??= findBinary());
    const isGood =
      path === undefined || bootstrap === undefined ? undefined : await validate(path, bootstrap, timeoutMs);
    if (isGood === undefined) answers.delete(keyOf(set));
    if (isGood === true) for (const { version } of set) remember(loaded, version, true, MAX_ANSWERS);
    return isGood;
  };
  return (set) => {
    if (set.every(({ version }) => loaded.has(version))) return Promise.resolve(true);
    const key = keyOf(set);
    const known = answers.get(key);
    if (known !== undefined) return known;
    const answer = last.then(() => run(set));
    // A disk that was full says nothing of the set.
    last = answer.catch(() => answers.delete(key));
    return remember(answers, key, answer, MAX_ANSWERS);
  };
}

function keyOf(resources: readonly EncodedResource[]): string {
  return createHash("sha256")
    .update(resources.map(({ version }) => version).join(" "))
    .digest("base64");
}

/** The value, kept as the newest of so many. */
function remember<V>(memory: Map<string, V>, key: string, value: V, most: number): V {
  memory.set(key, value);
  if (memory.size > most) memory.delete(memory.keys().next().value!);
  return value;
}

async function validate(binary: string, bootstrap: Uint8Array, timeoutMs: number): Promise<boolean | undefined> {
  const directory = await mkdtemp(join(tmpdir(), "scrim-scratch-"));
  try {
    const config = join(directory, "bootstrap.pb");
    await writeFile(config, bootstrap, { mode: 0o600 });
    return await run(
      binary,
      [
        "--mode",
        "validate",
        "--config-path",
        config,
        "--concurrency",
        "1",
        "--use-dynamic-base-id",
        "--log-level",
        "critical",
      ],
      timeoutMs,
    );
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

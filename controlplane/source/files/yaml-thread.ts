// Consumes: large YAML texts.
// Produces: what each says, parsed by a thread beside this one, which is there only while there is something to parse.
// Never does: wait for a text for ever, or fail because that thread ended.
import { Worker } from "node:worker_threads";
import { type Failure, failed } from "../../model/failure.ts";
import type { ParsedPiece } from "../../model/yaml.ts";

/** What one text says, or why nobody knows. */
export type ParsedAside = ParsedPiece | ParsedAsideFailure;
export type ParsedAsideFailure = Failure<"stopping" | "no-thread" | "too-slow" | "out-of-memory" | "parser-ended">;

export interface YamlThread {
  /** Never rejects. Texts are parsed one after another. */
  parse(text: string): Promise<ParsedAside>;
  /** Ends the thread; who waits is told that it failed. */
  close(): void;
}

export interface YamlThreadOptions {
  /** The built thread, `parse-yaml.mjs` (source: parse-yaml.ts). */
  readonly script: string;
  readonly limitMs?: number;
  /** Of the thread's heap. */
  readonly limitMiB?: number;
}

/** The largest text that is read takes four seconds on a machine with nothing else to do. */
const LIMIT_MS = 60_000;
const LIMIT_MIB = 1_024;
/** Whoever edits a large file does so again: the thread waits a little before it ends. */
const IDLE_MS = 2_000;

/** Returns a thread that has not been started. */
export function createYamlThread({ script, limitMs = LIMIT_MS, limitMiB = LIMIT_MIB }: YamlThreadOptions): YamlThread {
  let last: Promise<unknown> = Promise.resolve();
  let worker: Worker | undefined;
  let idle: NodeJS.Timeout | undefined;
  let isClosed = false;
  const start = (): Worker => {
    const started = new Worker(script, { resourceLimits: { maxOldGenerationSizeMb: limitMiB } });
    // It may end when nobody waits for it: then the next text starts another.
    for (const event of ["error", "exit"])
      started.on(event, () => {
        if (worker === started) worker = undefined;
      });
    return started;
  };
  const end = (): void => {
    void worker?.terminate();
    worker = undefined;
  };
  const parse = async (text: string): Promise<ParsedAside> => {
    if (isClosed) return failed("stopping", "the control plane is stopping");
    clearTimeout(idle);
    try {
      worker ??= start();
    } catch (error) {
      // The machine has no thread to give: perhaps it has one for the next text.
      return failed("no-thread", `cannot be parsed (${error instanceof Error ? error.message : String(error)})`);
    }
    const parsed = await answerOf(worker, text, limitMs);
    if (parsed.kind === "failed") end();
    idle = setTimeout(end, IDLE_MS).unref();
    return parsed;
  };
  return {
    parse(text) {
      const parsed = last.then(() => parse(text));
      last = parsed;
      return parsed;
    },
    close() {
      isClosed = true;
      clearTimeout(idle);
      end();
    },
  };
}

function answerOf(worker: Worker, text: string, limitMs: number): Promise<ParsedAside> {
  return new Promise((resolve) => {
    const settle = (parsed: ParsedAside): void => {
      clearTimeout(timer);
      worker.off("message", settle).off("error", onError).off("exit", onExit);
      resolve(parsed);
    };
    const fail = (code: ParsedAsideFailure["code"], why: string): void =>
      settle(failed(code, `${why}: split it into smaller documents`));
    const onError = (error: NodeJS.ErrnoException): void =>
      error.code === "ERR_WORKER_OUT_OF_MEMORY"
        ? fail("out-of-memory", "needs too much memory to be parsed")
        : fail("parser-ended", `cannot be parsed (${error.message})`);
    const onExit = (): void => fail("parser-ended", "cannot be parsed, its parser ended");
    const timer = setTimeout(() => fail("too-slow", `cannot be parsed within ${limitMs / 1_000} s`), limitMs);
    worker.once("message", settle).once("error", onError).once("exit", onExit);
    worker.postMessage(text);
  });
}

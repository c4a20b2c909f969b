// consumes: contents that a proxy rejected, and contents that none was sent yet
// produces: whether an Envoy of the control plane's own, which serves nobody, can load them, and of several the ones
// that it cannot, with its reasons
// never does: try anything on a proxy that serves, run longer than its patience, or run twice for the same question
import { createHash } from "node:crypto";
import type { EncodedResource } from "../../snapshot/encode.ts";
import { findCulprits } from "./culprit-search.ts";
import type { XdsServerOptions } from "../server-options.ts";
import { buildScratchBootstrap } from "./scratch-bootstrap.ts";
import {
  createScratchProcess,
  type ScratchProcess,
  type ScratchProcessOptions,
  type Verdict,
} from "./scratch-process.ts";

export type ScratchEnvoyOptions = Omit<ScratchProcessOptions, "timeoutMs"> &
  Partial<Pick<ScratchProcessOptions, "timeoutMs">>;

/** A content that the Envoy cannot load, and what it says of it. */
export interface RefusedContent {
  readonly resource: EncodedResource;
  readonly reason: string;
}

/** What an XdsServer asks of it, and what is asked before it sends anything. One question at a time is answered. */
export interface ScratchEnvoy
  extends Required<Pick<XdsServerOptions, "examine" | "judge">>,
    Pick<ScratchProcess, "isThere" | "warmUp" | "close"> {
  /** What it says of these together; undefined when that cannot be told. */
  tryAll(resources: readonly EncodedResource[]): Promise<Verdict | undefined>;
  /** What it says of one that it was asked about before, when what the content names may be another now. */
  tryAgain(resource: EncodedResource): Promise<Verdict | undefined>;
  /** Which of these it cannot load. */
  refused(resources: readonly EncodedResource[]): Promise<readonly RefusedContent[]>;
}

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
export function createScratchEnvoy({ timeoutMs = TIMEOUT_MS, ...options }: ScratchEnvoyOptions): ScratchEnvoy {
  const { isThere, validate, warmUp, close } = createScratchProcess({ timeoutMs, ...options });
  const verdictOn = createLoadTest(validate);
  const isLoadable = async (set: readonly EncodedResource[]) => (await verdictOn.ask(set))?.loads;
  const examinations = new Map<string, Promise<readonly EncodedResource[]>>();
  const waitingOf = new Map<string, number>();
  const judge = async (resource: EncodedResource, good: EncodedResource | undefined): Promise<boolean | undefined> => {
    const loads = await isLoadable([resource]);
    // What cannot be loaded here although a proxy has it says nothing about what cannot be loaded here either.
    return loads === false && good !== undefined && (await isLoadable([good])) !== true ? undefined : loads;
  };
  return {
    isThere,
    warmUp,
    close,
    tryAll: verdictOn.ask,
    tryAgain: verdictOn.askAgain,
    async refused(resources) {
      const culprits = await findCulprits(resources, isLoadable);
      const verdicts = await Promise.all(
        culprits.map(async (resource) => ({ resource, said: await verdictOn.ask([resource]) })),
      );
      return verdicts.flatMap(({ resource, said }) =>
        said?.loads === false ? [{ resource, reason: said.reason }] : [],
      );
    },
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

interface LoadTest {
  /** Asked once for each set; what was loaded once is not tried again. */
  ask(set: readonly EncodedResource[]): Promise<Verdict | undefined>;
  /** Without what is remembered of sets that could not be loaded. */
  askAgain(resource: EncodedResource): Promise<Verdict | undefined>;
}

function createLoadTest(validate: ScratchProcess["validate"]): LoadTest {
  const answers = new Map<string, Promise<Verdict | undefined>>();
  const loaded = new Map<string, true>();
  let last: Promise<unknown> = Promise.resolve();
  const run = async (set: readonly EncodedResource[]): Promise<Verdict | undefined> => {
    const bootstrap = buildScratchBootstrap(set);
    const verdict = bootstrap && (await validate(bootstrap));
    if (verdict === undefined) answers.delete(keyOf(set));
    if (verdict?.loads === true) for (const { version } of set) remember(loaded, version, true, MAX_ANSWERS);
    return verdict;
  };
  const ask: LoadTest["ask"] = (set) => {
    if (set.every(({ version }) => loaded.has(version))) return Promise.resolve({ loads: true });
    const key = keyOf(set);
    const known = answers.get(key);
    if (known !== undefined) return known;
    const answer = last.then(() => run(set));
    // A disk that was full says nothing of the set.
    last = answer.catch(() => answers.delete(key));
    return remember(answers, key, answer, MAX_ANSWERS);
  };
  return {
    ask,
    askAgain(resource) {
      answers.clear();
      return ask([resource]);
    },
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

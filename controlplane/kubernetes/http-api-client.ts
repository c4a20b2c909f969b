// Consumes: calls and watches.
// Produces: what the API server says to them, over HTTP/1.1 (a watch has a connection of its own).
// Never does: throw for what a network or a server does, or wait longer than it was given.
import type { IncomingMessage } from "node:http";
import { type Failure, failed } from "../model/failure.ts";
import type { Clock } from "../telemetry/clock.ts";
import type { Access } from "./credentials.ts";
import type { ApiAnswer, ApiCall, ApiClient, Answered, WatchEnd, WatchEvent } from "./api-client.ts";
import { createExchanges, type Exchanges, type Head, type Sent } from "./http-exchange.ts";
import { readWatch } from "./read-watch.ts";

export interface ApiClientOptions {
  readonly access: Access;
  readonly clock: Pick<Clock, "monotonicMs" | "sleep">;
  readonly userAgent?: string;
  /** A watch of which nothing is heard for so long is over; servers send bookmarks about every minute. 150 s. */
  readonly idleMs?: number;
}

const DEFAULT_TIMEOUT_MS = 30_000;
/** As Kubernetes' own clients. */
const MOST_RETRIES = 10;

/** Returns a client of the API server that the access leads to. */
export function createApiClient({ access, clock, userAgent = "scrim", idleMs = 150_000 }: ApiClientOptions): ApiClient {
  const exchanges = createExchanges();
  const sending: Sending = { access, exchanges, clock };

  return {
    namespace: access.namespace,
    async request(call) {
      const endMs = clock.monotonicMs() + (call.timeoutMs ?? DEFAULT_TIMEOUT_MS);
      for (let tries = 0; ; tries++) {
        const answer = await within(endMs, clock, call.signal, (signal) =>
          ask(sending, encode(call, userAgent), signal),
        );
        const waitMs = answer.kind === "answer" ? answer.retryAfterMs : undefined;
        if (waitMs === undefined || tries === MOST_RETRIES || clock.monotonicMs() + waitMs >= endMs) return answer;
        await clock.sleep(waitMs, call.signal).catch(() => undefined);
        if (call.signal?.aborted) return answer;
      }
    },
    async watch(path, query, onEvent, signal, onOpen) {
      const call: ApiCall = { method: "GET", path, query: { ...query, watch: "true" } };
      return follow(sending, encode(call, userAgent), { onEvent, signal, idleMs, onOpen });
    },
    close: () => exchanges.close(),
  };
}

interface Sending {
  readonly access: Access;
  readonly exchanges: Exchanges;
  readonly clock: Pick<Clock, "monotonicMs" | "sleep">;
}

function encode(
  { method, path, query = {}, body, contentType = "application/json" }: ApiCall,
  userAgent: string,
): Sent {
  const search = new URLSearchParams(query).toString();
  return {
    ...{ method, path: search === "" ? path : `${path}?${search}`, contentType, userAgent },
    body: body === undefined ? undefined : JSON.stringify(body),
  };
}

/** Does it until the time is over or the caller gives up. */
async function within<T>(
  endMs: number,
  clock: Pick<Clock, "monotonicMs" | "sleep">,
  given: AbortSignal | undefined,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const ending = new AbortController();
  const giveUp = () => ending.abort(new Error("it was given up"));
  if (given?.aborted) giveUp();
  given?.addEventListener("abort", giveUp);
  const over = new AbortController();
  const leftMs = Math.max(0, endMs - clock.monotonicMs());
  clock.sleep(leftMs, over.signal).then(
    () => ending.abort(new Error("no whole answer came in time")),
    () => undefined,
  );
  try {
    return await work(ending.signal);
  } finally {
    over.abort();
    given?.removeEventListener("abort", giveUp);
  }
}

async function ask(sending: Sending, sent: Sent, signal: AbortSignal): Promise<ApiAnswer> {
  const head = await open(sending, sent, signal);
  return head.kind === "failed" ? head : readAnswer(head.response, signal);
}

/** Resolves to the answer's head; asks again, once, with renewed credentials where the server does not take these. */
async function open(
  { access, exchanges }: Sending,
  sent: Sent,
  signal: AbortSignal,
): Promise<Head | Failure<"unreachable">> {
  for (let isRenewed = false; ; isRenewed = true) {
    const credentials = await access.credentials();
    if (credentials.kind === "failed") return failed("unreachable", credentials.message);
    const head = await exchanges.send(credentials, sent, signal);
    if (head.kind === "failed" || head.response.statusCode !== 401 || isRenewed) return head;
    head.response.resume();
    access.renew();
  }
}

async function readAnswer(response: IncomingMessage, signal: AbortSignal): Promise<ApiAnswer> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of response) chunks.push(chunk as Buffer);
  } catch (error) {
    const why = signal.aborted ? (signal.reason as Error).message : (error as Error).message;
    return failed("unreachable", `the answer was cut off: ${why}`);
  }
  return answerOf(response, Buffer.concat(chunks).toString("utf8"));
}

function answerOf(response: IncomingMessage, text: string): Answered {
  const status = response.statusCode ?? 0;
  const seconds = Number(response.headers["retry-after"] ?? Number.NaN);
  const isBusy = (status === 429 || status === 503) && Number.isFinite(seconds);
  return {
    ...{ kind: "answer", status, body: parseOrText(text) },
    ...(isBusy && { retryAfterMs: Math.max(0, seconds) * 1_000 }),
  };
}

function parseOrText(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

interface Following {
  readonly onEvent: (event: WatchEvent) => void;
  readonly signal: AbortSignal;
  readonly idleMs: number;
  readonly onOpen: (() => void) | undefined;
}

async function follow(sending: Sending, sent: Sent, { onEvent, signal, idleMs, onOpen }: Following): Promise<WatchEnd> {
  const { clock } = sending;
  const headMs = clock.monotonicMs() + DEFAULT_TIMEOUT_MS;
  const opening = new AbortController();
  const end = () => opening.abort(new Error("it was given up"));
  if (signal.aborted) end();
  signal.addEventListener("abort", end);
  try {
    // The exchange's own signal must outlive its head: the body comes for minutes.
    const head = await within(headMs, clock, undefined, (late) => {
      late.addEventListener("abort", () => opening.abort(late.reason));
      return open(sending, sent, opening.signal);
    });
    if (head.kind === "failed") return signal.aborted ? { kind: "closed" } : head;
    if (head.response.statusCode !== 200) return await readAnswer(head.response, opening.signal);
    onOpen?.();
    return await readWatch(head.response, { onEvent, signal, idleMs, clock });
  } finally {
    signal.removeEventListener("abort", end);
  }
}

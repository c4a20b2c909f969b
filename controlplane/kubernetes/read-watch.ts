// A watch's answer: one JSON object a line, for minutes
// (https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes).
import type { IncomingMessage } from "node:http";
import { failed } from "../model/failure.ts";
import { isJsonObject } from "../model/json-object.ts";
import type { Clock } from "../telemetry/clock.ts";
import type { WatchEnd, WatchEvent } from "./api-client.ts";
import { splitLines } from "./watch-lines.ts";

export interface WatchReading {
  readonly onEvent: (event: WatchEvent) => void;
  readonly signal: AbortSignal;
  readonly idleMs: number;
  readonly clock: Pick<Clock, "monotonicMs" | "sleep">;
}

const TYPES: ReadonlySet<unknown> = new Set(["ADDED", "MODIFIED", "DELETED", "BOOKMARK"]);

/** Hands over the events of a body until it ends, is silent for too long, or says what is wrong. */
export function readWatch(
  response: IncomingMessage,
  { onEvent, signal, idleMs, clock }: WatchReading,
): Promise<WatchEnd> {
  return new Promise((resolve) => {
    const over = new AbortController();
    let heardMs = clock.monotonicMs();
    const end = (how: WatchEnd): void => {
      if (over.signal.aborted) return;
      over.abort();
      signal.removeEventListener("abort", stop);
      response.destroy();
      resolve(how);
    };
    const stop = () => end({ kind: "closed" });
    const take = splitLines(
      (line) => {
        const event = over.signal.aborted ? undefined : parseEvent(line);
        if (event?.kind === "event") onEvent(event.event);
        else if (event !== undefined) end(event);
      },
      () => end(failed("unreachable", "a watch was not understood: an event does not end")),
    );
    signal.addEventListener("abort", stop);
    response.on("data", (chunk: Buffer) => {
      heardMs = clock.monotonicMs();
      take(chunk);
    });
    response.on("end", stop);
    response.on("error", (error) => end(failed("unreachable", `a watch was cut off: ${error.message}`)));
    response.on("close", () => end(failed("unreachable", "a watch was cut off")));
    void giveUpWhenSilent();

    async function giveUpWhenSilent(): Promise<void> {
      for (;;) {
        const leftMs = heardMs + idleMs - clock.monotonicMs();
        if (leftMs <= 0) return end(failed("unreachable", `nothing was heard of a watch for ${idleMs / 1_000} s`));
        const isOver = await clock.sleep(leftMs, over.signal).then(
          () => false,
          () => true,
        );
        if (isOver) return;
      }
    }
  });
}

function parseEvent(line: string): { readonly kind: "event"; readonly event: WatchEvent } | WatchEnd {
  let event: unknown;
  try {
    event = JSON.parse(line);
  } catch (error) {
    return failed("unreachable", `a watch was not understood: ${(error as Error).message}`);
  }
  const { type, object } = isJsonObject(event) ? event : {};
  if (TYPES.has(type)) return { kind: "event", event: { type: type as WatchEvent["type"], object } };
  if (type !== "ERROR") return failed("unreachable", `a watch was not understood: an event is of type ${String(type)}`);
  const status = isJsonObject(object) ? Number(object["code"]) : Number.NaN;
  return { kind: "answer", status: Number.isInteger(status) ? status : 500, body: object };
}

// What a stream does not take from its client: requests that name nothing known, or too much.
import { isQuestion, type StreamRequest } from "./stream-events.ts";
import type { TypeState } from "./type-state.ts";
import type { TypeStates } from "./type-states.ts";

/** What a stream has taken on already. */
export interface Burden {
  /** The one type that it is for. */
  readonly only: string | undefined;
  readonly types: Pick<TypeStates, "get" | "size">;
  /** By type URL, questions that were asked; how many of them are not answered yet; and answers that have not left. */
  readonly told: ReadonlyMap<string, string>;
  readonly asking: number;
  readonly answers: readonly unknown[];
}

/** Types of ours, and some room for what else a client may ask (istio.io/debug, …). */
const MAX_TYPES = 32;
/** What one type of a stream may hold of names that are not there. */
const MAX_STRANGE_NAMES = 50_000;
/** Of a resource, or a type. */
const MAX_NAME_LENGTH = 1_024;
/** Of what a client says of a rejection; Envoy says as much at most. */
const MAX_REASON_LENGTH = 4_096;
/** Questions whose answers have not left yet. */
const MAX_QUESTIONS = 16;

/** Why a stream ends at this request; undefined when it goes on. */
export function problemOf(state: Burden, request: StreamRequest): string | undefined {
  const { typeUrl } = request;
  if (typeUrl === "") return "an ADS request needs a type URL";
  if (
    typeUrl.length > MAX_NAME_LENGTH ||
    namesIn(request).some((names) => names.some(({ length }) => length > MAX_NAME_LENGTH))
  )
    return `a name is longer than ${MAX_NAME_LENGTH} characters`;
  if (state.only !== undefined && state.only !== typeUrl) return `this stream is for ${state.only} only`;
  if (
    state.types.get(typeUrl) === undefined &&
    !state.told.has(typeUrl) &&
    state.types.size + state.told.size >= MAX_TYPES
  )
    return "too many resource types";
  if (isQuestion(typeUrl) && state.asking + state.answers.length >= MAX_QUESTIONS) return "too many questions at once";
  return undefined;
}

function namesIn(request: StreamRequest): readonly (readonly string[])[] {
  return request.dialect === "sotw"
    ? [request.names]
    : [request.subscribe, request.unsubscribe, Object.keys(request.initialVersions)];
}

/**
 * Why a stream ends that holds these names after a request; undefined when it goes on. What went away since is not the
 * request's doing.
 */
export function excessOf({ subscription: { names }, dirty, basis }: TypeState, before: TypeState): string | undefined {
  const most = MAX_STRANGE_NAMES + basis.size;
  const isTooMuch =
    (names.size > most && names.size > before.subscription.names.size) ||
    (dirty.size > most && dirty.size > before.dirty.size);
  return isTooMuch ? `more than ${MAX_STRANGE_NAMES} names that are not there` : undefined;
}

/** What is kept of a reason. */
export function shortReason(reason: string): string {
  return reason.slice(0, MAX_REASON_LENGTH);
}

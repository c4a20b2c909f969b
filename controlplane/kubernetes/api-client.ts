// How one speaks with a cluster's API server: calls and watches, and what comes of them as values.
import type { Failure } from "../model/failure.ts";

/** One call. Its query and body are encoded by the client. */
export interface ApiCall {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** As in `/api/v1/namespaces/default/pods/web`; see resourcePath. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  /** Sent as JSON. */
  readonly body?: unknown;
  /** `application/json` unless given; for a PATCH the kind of patch. */
  readonly contentType?: string;
  /** Gives the call up. */
  readonly signal?: AbortSignal;
  /** For all of it, waiting that the server asks for included; 30 s unless given. */
  readonly timeoutMs?: number;
}

/** What the server said, whatever it was. */
export interface Answered {
  readonly kind: "answer";
  readonly status: number;
  /** Parsed JSON; the text itself where it is none. An error is a Status. */
  readonly body: unknown;
  /** How long the server wants to be left alone, where it says so. */
  readonly retryAfterMs?: number;
}

/** `unreachable`: nothing came, or not all of it, or who asks could not be told. */
export type ApiAnswer = Answered | Failure<"unreachable">;

/** One event of a watch; what a BOOKMARK holds is a resource version only. */
export interface WatchEvent {
  readonly type: "ADDED" | "MODIFIED" | "DELETED" | "BOOKMARK";
  readonly object: unknown;
}

/**
 * Why a watch is over: `closed` by the server, as it does every few minutes, or by the signal; an `answer` is a refusal,
 * before or amid events (410: what was asked for is too old).
 */
export type WatchEnd = { readonly kind: "closed" } | ApiAnswer;

/** A cluster's API server, asked as one identity. */
export interface ApiClient {
  /** The namespace of the kubeconfig's context, or of the pod that this runs in. */
  readonly namespace: string;
  /**
   * Resolves to what the server says. Waits as long as a busy server (429, 503) asks for, where the time allows it,
   * and renews credentials once that it no longer takes.
   */
  request(call: ApiCall): Promise<ApiAnswer>;
  /**
   * Hands each event over as it comes, until the watch is over; `query` without `watch` itself. `onOpen` is told when
   * the server has agreed to it.
   */
  watch(
    path: string,
    query: Readonly<Record<string, string>>,
    onEvent: (event: WatchEvent) => void,
    signal: AbortSignal,
    onOpen?: () => void,
  ): Promise<WatchEnd>;
  /** Ends all that is open. */
  close(): void;
}

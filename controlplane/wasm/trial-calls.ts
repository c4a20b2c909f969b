// What a module does when it is called: one try of every callback it has, as a proxy would call it, before any proxy
// does.
import type { Host, HttpStream } from "proxy-wasm-host";

const HEADERS = {
  ":method": "POST",
  ":path": "/scrim/trial?q=1",
  ":authority": "trial.invalid",
  ":scheme": "http",
  "content-type": "application/json",
  "x-request-id": "00000000-0000-4000-8000-000000000000",
};
const BODY = '{"trial":true}';
const TRAILERS = { "x-trial": "1" };
/** Streams before memory is looked at, and the ones whose growth counts. */
const WARM_UP = 50;
const COUNTED = 200;
/** A page and a little more over the counted streams is no leak. */
const GROWTH_ALLOWED = 128 * 1_024;
const GRPC_UNAVAILABLE = 14;
/** Time for timers to fire. */
const TIMERS_MS = 2_000;

/** How long a stream may be held before it counts as held for ever, and how often callouts are looked for meanwhile. */
const HELD_MS = 10_000;
const HELD_ROUNDS = 6;

/** How callouts come back: a service that is there, and one that is not. */
type Answers = "answered" | "failed";

/**
 * Calls HTTP exchanges with bodies and trailers, a TCP connection if the module serves those, its timers and queues;
 * its callouts are answered once and fail once.
 * @returns a sentence for each thing that a proxy's user would suffer from: a trap, a request that is held for ever, or
 * memory that grows with each request
 */
export function trialCalls(host: Host, exported: ReadonlySet<string>): readonly string[] {
  const trap = () => host.failure(0);
  const held = new Set<string>();
  for (const answers of ["answered", "failed"] as const) {
    for (const ending of ["trailers", "body"] as const) {
      if (trap() === undefined) exchange(host, { answers, ending, onHeld: (callback) => held.add(callback) });
      endCallouts(host, answers);
    }
  }
  if (trap() === undefined) host.enqueueToAll(BODY);
  if (trap() === undefined) host.advance(TIMERS_MS);
  endCallouts(host, "answered");
  if (trap() === undefined && servesConnectionsOnly(exported)) connection(host);
  const failure = trap();
  if (failure !== undefined) return [`${failure.callback} trapped in a trial call: ${failure.message}`];
  return [...[...held].map(heldWords), ...growth(host)];
}

function heldWords(callback: string): string {
  const holds = `it holds a request with a body for ever, from ${callback} on`;
  return callback === "proxy_on_request_headers" || callback === "proxy_on_response_headers"
    ? `${holds}: if it waits for the body there, that never comes unless its manifest says ` +
        '"allowOnHeadersStopIteration": true (or its WasmPlugin the annotation ' +
        'scrim.mesh/allow-on-headers-stop-iteration: "true")'
    : `${holds}: no answer to a callout, no time and no more of the body makes it go on`;
}

/**
 * Returns whether a module serves connections and no requests. Those of some SDKs export every callback there is: one
 * that serves requests is never asked for connections.
 */
export function servesConnectionsOnly(exported: ReadonlySet<string>): boolean {
  return (
    ["proxy_on_new_connection", "proxy_on_downstream_data", "proxy_on_upstream_data"].some((name) =>
      exported.has(name),
    ) && !["proxy_on_request_headers", "proxy_on_response_headers", "proxy_on_log"].some((name) => exported.has(name))
  );
}

interface Exchange {
  readonly answers: Answers;
  /** What request and response end with. */
  readonly ending: "trailers" | "body";
  /** Told of the callback whose answer holds the stream for ever. */
  readonly onHeld?: (callback: string) => void;
}

function exchange(host: Host, { answers, ending, onHeld }: Exchange): void {
  const stream = host.newStream({ headers: HEADERS });
  let holder: string | undefined;
  for (const [callback, step] of steps(stream, ending)) {
    // Whoever waits for a callout gets its answer before the next step.
    endCallouts(host, answers);
    if (isOver(stream) || host.failure(0) !== undefined) break;
    if (stream.outcome.kind === "continue") holder = undefined;
    step();
    if (stream.outcome.kind === "paused") holder ??= callback;
  }
  if (onHeld !== undefined && holder !== undefined && isHeldForEver(host, stream, answers)) onHeld(holder);
  stream.end();
}

function steps(stream: HttpStream, ending: Exchange["ending"]): readonly (readonly [string, () => unknown])[] {
  const endOfStream = ending === "body";
  const isAnswered = () => stream.responseHeaders !== undefined;
  return [
    ["proxy_on_request_headers", () => stream.sendRequestHeaders({ endOfStream: false })],
    ["proxy_on_request_body", () => stream.sendRequestBody(BODY, { endOfStream })],
    ["proxy_on_request_trailers", () => endOfStream || stream.sendRequestTrailers(TRAILERS)],
    ["proxy_on_response_headers", () => answer(stream)],
    ["proxy_on_response_body", () => isAnswered() && stream.sendResponseBody(BODY, { endOfStream })],
    ["proxy_on_response_trailers", () => isAnswered() && !endOfStream && stream.sendResponseTrailers(TRAILERS)],
  ];
}

const isOver = ({ outcome: { kind } }: HttpStream): boolean => kind === "replied" || kind === "reset";

/** A stream may wait for callouts, for time, and for callouts that time brings. */
function isHeldForEver(host: Host, stream: HttpStream, answers: Answers): boolean {
  for (let round = 0; round < HELD_ROUNDS && host.failure(0) === undefined; round++) {
    endCallouts(host, answers);
    if (stream.outcome.kind !== "paused") return false;
    host.advance(HELD_MS);
  }
  return host.failure(0) === undefined && stream.outcome.kind === "paused";
}

/** Upstream answers only requests that reach it, and says nothing more of the others. */
function answer(stream: HttpStream): void {
  if (stream.outcome.kind === "continue")
    stream.sendResponseHeaders({ ":status": "200", "content-type": "application/json" }, { endOfStream: false });
}

function endCallouts(host: Host, answers: Answers): void {
  for (const call of host.httpCalls) {
    if (answers === "answered") call.respond({ headers: { ":status": "200" }, body: "{}" });
    else call.fail();
  }
  for (const call of host.grpcCalls) {
    if (answers === "answered") {
      call.sendMetadata({});
      call.sendMessage("");
    }
    call.close(answers === "answered" ? 0 : GRPC_UNAVAILABLE, "trial");
  }
}

function connection(host: Host): void {
  const client = host.connect();
  client.sendDownstream("trial\n");
  client.sendUpstream("trial\n");
  client.close();
}

function growth(host: Host): readonly string[] {
  const begun = host.memoryBytes(0);
  for (let i = 0; i < WARM_UP; i++) exchange(host, { answers: "answered", ending: "trailers" });
  const before = host.memoryBytes(0);
  for (let i = 0; i < COUNTED; i++) exchange(host, { answers: "answered", ending: "trailers" });
  const failure = host.failure(0);
  // What traps grows no more: what grew so much that its ceiling was there soon did so before.
  const kibibytes = (bytes: number) => `${Math.round(bytes / 1_024)} KiB`;
  if (failure !== undefined) {
    const grown = `its memory having grown by ${kibibytes(host.memoryBytes(0) - begun)}`;
    return [`${failure.callback} trapped within ${WARM_UP + COUNTED} trial requests, ${grown}: ${failure.message}`];
  }
  const grown = host.memoryBytes(0) - before;
  return grown > GROWTH_ALLOWED
    ? [`its memory grew by ${kibibytes(grown)} over ${COUNTED} trial requests: it seems to keep something of each`]
    : [];
}

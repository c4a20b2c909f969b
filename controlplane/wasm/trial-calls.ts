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

/** How callouts come back: a service that is there, and one that is not. */
type Answers = "answered" | "failed";

/**
 * Calls HTTP exchanges with bodies and trailers, a TCP connection if the module serves those, its timers and queues;
 * its callouts are answered once and fail once.
 * @returns a sentence for each thing that a proxy's user would suffer from: a trap, or memory that grows with each
 * request
 */
export function trialCalls(host: Host, exported: ReadonlySet<string>): readonly string[] {
  const trap = () => host.failure(0);
  for (const answers of ["answered", "failed"] as const) {
    if (trap() === undefined) exchange(host, answers);
    endCallouts(host, answers);
  }
  if (trap() === undefined) host.enqueueToAll(BODY);
  if (trap() === undefined) host.advance(TIMERS_MS);
  endCallouts(host, "answered");
  if (trap() === undefined && servesConnectionsOnly(exported)) connection(host);
  const failure = trap();
  if (failure !== undefined) return [`${failure.callback} trapped in a trial call: ${failure.message}`];
  return growth(host);
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

function exchange(host: Host, answers: Answers): void {
  const stream = host.newStream({ headers: HEADERS });
  const steps: readonly (() => unknown)[] = [
    () => stream.sendRequestHeaders({ endOfStream: false }),
    () => stream.sendRequestBody(BODY, { endOfStream: false }),
    () => stream.sendRequestTrailers(TRAILERS),
    () => answer(stream),
    () => stream.responseHeaders && stream.sendResponseBody(BODY, { endOfStream: false }),
    () => stream.responseHeaders && stream.sendResponseTrailers(TRAILERS),
  ];
  for (const step of steps) {
    // Whoever waits for a callout gets its answer before the next step.
    endCallouts(host, answers);
    if (stream.outcome.kind === "replied" || stream.outcome.kind === "reset" || host.failure(0) !== undefined) break;
    step();
  }
  stream.end();
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
  for (let i = 0; i < WARM_UP; i++) exchange(host, "answered");
  const before = host.memoryBytes(0);
  for (let i = 0; i < COUNTED; i++) exchange(host, "answered");
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

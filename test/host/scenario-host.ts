// Runs scenarios (scenario.ts) in this host. What a real proxy does around the filter (TLS, addresses, upstream's and
// callouts' answers) is played from the scenario's data, so that the filter sees what it would see on Envoy.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { isIP } from "node:net";
import type { Attributes } from "./known-attributes.ts";
import { HeaderMap } from "./header-map.ts";
import { createHost, type Host, startHost } from "./host.ts";
import { latin1 } from "./pairs.ts";
import {
  type CalloutAnswer,
  configurationText,
  type Exchange,
  type FilterMetadata,
  type Observation,
  type Peer,
  type Scenario,
  type ScenarioHeaders,
  type ScenarioOutcome,
  type ScenarioRunner,
  type SeenCallout,
} from "./scenario.ts";
import type { HttpStream } from "./stream.ts";

const bytes = (value: string | Uint8Array): Uint8Array =>
  typeof value === "string" ? Buffer.from(value, "latin1") : value;
const pieces = (body: Exchange["body"]): Uint8Array[] =>
  body === undefined ? [] : Array.isArray(body) ? body.map(bytes) : [bytes(body as string)];

/** As Envoy's HTTP/1.1 codec tells of a body: its pieces, then its end as an empty one. */
const ended = (body: readonly Uint8Array[]): Uint8Array[] =>
  body.length === 0 ? [] : [...body.filter((piece) => piece.length > 0), new Uint8Array()];

/** Header pairs in bytes, one for each value. */
export function headerPairs(headers: ScenarioHeaders): [string, Uint8Array][] {
  return Object.entries(headers).flatMap(([name, value]) =>
    (Array.isArray(value) ? value : [value as string]).map(
      (one) => [name.toLowerCase(), bytes(one)] as [string, Uint8Array],
    ),
  );
}

/** A runner in this host; `modulePath` says where a scenario's module lies. */
export function createHostRunner(modulePath: (module: string) => string): ScenarioRunner {
  return { run: async (scenario) => runInHost(scenario, readFileSync(modulePath(scenario.module))) };
}

/** What comes of `scenario` in this host. Throws a HostError for a stream that nothing would ever continue. */
export function runInHost(scenario: Scenario, module: Uint8Array): ScenarioOutcome {
  const options = {
    module,
    configuration: configurationText(scenario),
    pluginName: scenario.name,
    vmId: scenario.vmId ?? scenario.name,
    failurePolicy: scenario.failurePolicy,
    allowOnHeadersStopIteration: scenario.allowOnHeadersStopIteration,
    environmentVariables: scenario.environmentVariables,
    logLevel: "debug" as const,
    clusters: [clusterName(scenario), ...Object.keys(scenario.callouts ?? {})],
    attributes: proxyAttributes(scenario),
  };
  const started = startHost(options);
  if (started.kind === "failed") return { kind: "refused", reason: started.message };
  const host = scenario.exchanges.length === 0 ? started.host : createHost(options);
  const answered = new Map<string, number>();
  const observations = scenario.exchanges.map((exchange) => exchangeInHost(host, scenario, exchange, answered));
  const names = (wanted: Readonly<Record<string, number>> | undefined): string[] => Object.keys(wanted ?? {});
  return {
    kind: "ran",
    observations,
    metrics: Object.fromEntries(
      names(scenario.metrics).map((name) => [name, host.metrics.counter(name) || host.metrics.gauge(name)]),
    ),
    samples: Object.fromEntries(names(scenario.samples).map((name) => [name, host.metrics.histogram(name).length])),
    logs: host.logs.map((entry) => entry.message),
  };
}

/** The name of the cluster a scenario's route leads to. */
export function clusterName(scenario: Scenario): string {
  return scenario.cluster?.name ?? `cluster of ${scenario.name}`;
}

const inMetadata = (metadata: FilterMetadata | undefined): NonNullable<Attributes["metadata"]> => ({
  filter_metadata: metadata ?? {},
});

function proxyAttributes(scenario: Scenario): Attributes {
  return {
    xds: {
      node: { id: "scenario-node", cluster: "scenario-cluster", metadata: scenario.nodeMetadata ?? {} },
      cluster_name: clusterName(scenario),
      cluster_metadata: inMetadata(scenario.cluster?.metadata),
      route_name: scenario.route?.name ?? "",
      route_metadata: inMetadata(scenario.route?.metadata),
      virtual_host_name: scenario.virtualHost?.name ?? "all",
      virtual_host_metadata: inMetadata(scenario.virtualHost?.metadata),
      listener_direction: 0,
    },
  };
}

const withPort = (address: string, port: number): string =>
  address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;

/** The client's address as Envoy's connection manager determines it. */
function sourceOf(scenario: Scenario, exchange: Exchange): { readonly address: string; readonly port: number } {
  const forwarded = new HeaderMap(headerPairs(exchange.headers ?? {}))
    .get("x-forwarded-for")
    ?.split(",")
    .at(-1)
    ?.trim();
  if (forwarded && isIP(forwarded) && !scenario.useRemoteAddress) return { address: forwarded, port: 0 };
  return { address: exchange.peer?.address ?? "127.0.0.1", port: exchange.peer?.port ?? 50_000 };
}

const SERVER = "spiffe://cluster.local/ns/default/sa/scenario";
const subject = (uri: string): string => `CN=${uri.slice(0, 64)}`; // as scenarios' certificates have it

function connectionAttributes(peer: Peer): NonNullable<Attributes["connection"]> {
  if (peer.identity === undefined && peer.sni === undefined) return { mtls: false };
  return {
    mtls: peer.identity !== undefined,
    requested_server_name: peer.sni ?? "",
    tls_version: "TLSv1.3",
    uri_san_local_certificate: SERVER,
    subject_local_certificate: subject(SERVER),
    uri_san_peer_certificate: peer.identity,
    subject_peer_certificate: peer.identity === undefined ? "" : subject(peer.identity),
    sha256_peer_certificate_digest:
      peer.identity === undefined ? "" : createHash("sha256").update(peer.identity).digest("hex"),
  };
}

function streamAttributes(scenario: Scenario, exchange: Exchange): Attributes {
  const peer = exchange.peer ?? {};
  const source = sourceOf(scenario, exchange);
  const destination = peer.destination ?? { address: "127.0.0.1", port: 80 };
  return {
    source: { address: withPort(source.address, source.port), port: source.port },
    destination: { address: withPort(destination.address, destination.port), port: destination.port },
    connection: connectionAttributes(peer),
    metadata: inMetadata(exchange.metadata),
    filter_state: Object.fromEntries(
      (scenario.peerAddressStates ?? []).map((name) => [name, peer.address ?? "127.0.0.1"]),
    ),
  };
}

/** What Envoy's connection manager takes out of a request before any filter. */
const REMOVED = new Set(["x-forwarded-client-cert", "connection", "transfer-encoding"]);

/** The request's headers as a filter on Envoy sees them. */
function requestHeaders(exchange: Exchange): [string, Uint8Array][] {
  const given = headerPairs(exchange.headers ?? {});
  const forwarded = given.find(([name]) => name === "x-forwarded-proto")?.[1];
  const scheme = forwarded
    ? latin1(forwarded)
    : exchange.peer?.identity !== undefined || exchange.peer?.sni !== undefined
      ? "https"
      : "http";
  const defaults: [string, string][] = [
    [":authority", "example.com"],
    [":path", exchange.path ?? "/"],
    [":method", exchange.method ?? "GET"],
    [":scheme", scheme],
  ];
  const pseudo = defaults.map(
    ([name, value]) =>
      [name, given.find(([key]) => key === name)?.[1] ?? Buffer.from(value, "latin1")] as [string, Uint8Array],
  );
  const body = pieces(exchange.body);
  const framing: [string, Uint8Array][] =
    body.length === 0 ? [] : body.length === 1 ? [["content-length", Buffer.from(String(body[0]?.length))]] : [];
  const added: [string, Uint8Array][] = forwarded ? [] : [["x-forwarded-proto", Buffer.from(scheme)]];
  return [...pseudo, ...given.filter(([name]) => !name.startsWith(":") && !REMOVED.has(name)), ...framing, ...added];
}

function exchangeInHost(
  host: Host,
  scenario: Scenario,
  exchange: Exchange,
  answered: Map<string, number>,
): Observation {
  const stream = host.newStream({
    headers: requestHeaders(exchange),
    attributes: streamAttributes(scenario, exchange),
  });
  const callouts: SeenCallout[] = [];
  const serve = (): void => answerCallouts(host, scenario, answered, callouts);
  const body = pieces(exchange.body);
  stream.sendRequestHeaders({ endOfStream: body.length === 0 });
  serve();
  for (const piece of ended(body)) {
    stream.sendRequestBody(piece, { endOfStream: piece.length === 0 });
    serve();
  }
  const reached = stream.outcome.kind === "continue";
  const upstream = reached ? { headers: stream.requestHeaders.entries(), body: latin1(stream.requestBody) } : undefined;
  if (reached) respond(stream, scenario, exchange, serve);
  const { status, details } = answerOf(stream);
  stream.end();
  serve();
  const isEmpty = stream.outcome.kind === "reset" || status === -1;
  return {
    status,
    details,
    upstream,
    callouts,
    body: isEmpty ? "" : (stream.reply?.body ?? latin1(stream.responseBody)),
    headers: isEmpty ? [] : (stream.responseHeaders?.entries() ?? []).filter(([name]) => name !== ":status"),
    filterState: stream.filterStates(),
  };
}

/** -1: nothing will ever answer. */
function answerOf(stream: HttpStream): { readonly status: number; readonly details: string } {
  const outcome = stream.outcome;
  if (outcome.kind === "reset") return { status: 0, details: "" };
  if (outcome.kind === "paused") return { status: -1, details: "the filter holds the stream, and nothing will answer" };
  return { status: Number(stream.responseHeaders?.get(":status")), details: stream.reply?.details ?? "via_upstream" };
}

function respond(stream: HttpStream, scenario: Scenario, exchange: Exchange, serve: () => void): void {
  const body = pieces(exchange.upstream?.body);
  stream.setAttributes({
    xds: { upstream_host_metadata: inMetadata(scenario.cluster?.endpointMetadata) },
    upstream: { address: "127.0.0.1:8000", port: 8000, local_address: "127.0.0.1:40000", request_attempt_count: 1 },
  });
  // Where upstream's server puts them: the length first, the encoding last.
  const length: [string, string][] = body.length < 2 ? [["content-length", String(body[0]?.length ?? 0)]] : [];
  const encoding: [string, string][] = body.length < 2 ? [] : [["transfer-encoding", "chunked"]];
  stream.sendResponseHeaders(
    [
      [":status", String(exchange.upstream?.status ?? 200)],
      ...length,
      ...headerPairs(exchange.upstream?.headers ?? {}),
      ...encoding,
    ],
    { endOfStream: body.length === 0 },
  );
  serve();
  for (const piece of ended(body)) {
    stream.sendResponseBody(piece, { endOfStream: piece.length === 0 });
    serve();
  }
}

/** The next answer of a cluster. */
export function nextAnswer(
  scenario: Scenario,
  cluster: string,
  answered: Map<string, number>,
): CalloutAnswer | undefined {
  const answers = scenario.callouts?.[cluster] ?? [];
  const count = answered.get(cluster) ?? 0;
  answered.set(cluster, count + 1);
  return answers[Math.min(count, answers.length - 1)];
}

function answerCallouts(host: Host, scenario: Scenario, answered: Map<string, number>, seen: SeenCallout[]): void {
  for (let call = host.httpCalls[0]; call; call = host.httpCalls[0]) {
    seen.push({ cluster: call.cluster, headers: call.headers.entries(), body: latin1(call.body) });
    const answer = nextAnswer(scenario, call.cluster, answered);
    if (answer && "status" in answer)
      call.respond({
        headers: [[":status", String(answer.status)], ...headerPairs(answer.headers ?? {})],
        body: bytes(answer.body ?? ""),
      });
    else call.respond({ headers: { ":status": "503" } });
  }
  for (let call = host.grpcCalls[0]; call; call = host.grpcCalls[0]) {
    seen.push({
      cluster: call.cluster,
      headers: [[":path", `/${call.service}/${call.method}`], ...call.metadata.entries()],
      body: latin1(Buffer.concat(call.messages)),
    });
    const answer = nextAnswer(scenario, call.cluster, answered);
    if (answer && "grpcMessage" in answer) call.sendMessage(bytes(answer.grpcMessage));
    else if (answer && "grpcStatus" in answer) call.close(answer.grpcStatus, answer.grpcText ?? "");
    else call.close(14);
    if (call.isPending) call.close(0);
  }
}

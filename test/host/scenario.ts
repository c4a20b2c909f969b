// A scenario is data: a module, its configuration, what comes in and what is expected to come out. The same scenario
// runs in this host (scenario-host.ts) and on a real Envoy (test/e2e/filters/scenario-envoy.ts); `scenarioProblems`
// says where an outcome is not what was expected.
import type { FailurePolicy } from "./plugin.ts";
import type { JsonValue } from "./struct-value.ts";

/** One value, or several for a repeated header. Strings are Latin-1: one character, one byte. */
export type ScenarioHeaders = Readonly<Record<string, string | Uint8Array | readonly (string | Uint8Array)[]>>;

/** `filter_metadata`: namespace → name → value. */
export type FilterMetadata = Readonly<Record<string, Readonly<Record<string, JsonValue>>>>;

/** Who sends, and how. Default: 127.0.0.1 in plaintext. */
export interface Peer {
  /** URI in the client's certificate, such as `spiffe://cluster.local/ns/default/sa/orders`: mutual TLS. */
  readonly identity?: string;
  /** Address the connection comes from, IPv4 or IPv6, default 127.0.0.1. */
  readonly address?: string;
  readonly port?: number;
  /** Address and port the client connected to, default 127.0.0.1:80. */
  readonly destination?: { readonly address: string; readonly port: number };
  /** Server name of the TLS handshake. */
  readonly sni?: string;
}

/** What a cluster answers to one callout. `grpc`: to a unary call. */
export type CalloutAnswer =
  | { readonly status: number; readonly headers?: ScenarioHeaders; readonly body?: string | Uint8Array }
  | { readonly grpcMessage: string | Uint8Array }
  | { readonly grpcStatus: number; readonly grpcText?: string };

/** A callout as its cluster saw it. `message`: of a gRPC call. */
export interface SeenCallout {
  readonly cluster: string;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: string;
}

/** Text that must be equal or match; null: must not be there. */
export type Wanted = string | RegExp | null;

/** What an exchange must show; what is left out is not looked at. */
export interface Expectation {
  /** What the client gets; 0: the connection is closed without an answer. */
  readonly status?: number;
  /** %RESPONSE_CODE_DETAILS%. */
  readonly details?: Wanted;
  /** The response's body, as Latin-1. */
  readonly body?: Wanted;
  /** Response headers; repeated ones joined with ",". */
  readonly headers?: Readonly<Record<string, Wanted>>;
  /** What upstream saw; null: nothing came. Repeated headers joined with ",". */
  readonly upstream?: { readonly headers?: Readonly<Record<string, Wanted>>; readonly body?: Wanted } | null;
  /** Filter state the filter set, by the name it used. */
  readonly filterState?: Readonly<Record<string, Wanted>>;
  /** Callouts made for this exchange, in order; headers as in `upstream`. */
  readonly callouts?: readonly {
    readonly cluster?: string;
    readonly headers?: Readonly<Record<string, Wanted>>;
    readonly body?: Wanted;
  }[];
}

/** One request, what upstream answers to it, and what is expected. */
export interface Exchange {
  /** Default: method and path. */
  readonly name?: string;
  readonly peer?: Peer;
  /** Default GET. */
  readonly method?: string;
  /** Default "/". */
  readonly path?: string;
  /** Default `{ ":authority": "example.com" }`. */
  readonly headers?: ScenarioHeaders;
  /** A list: pieces that arrive one after the other. */
  readonly body?: string | Uint8Array | readonly (string | Uint8Array)[];
  /** Dynamic metadata that filters before this one have set, such as jwt_authn's. */
  readonly metadata?: FilterMetadata;
  /** What upstream answers, default 200 without a body. */
  readonly upstream?: {
    readonly status?: number;
    readonly headers?: ScenarioHeaders;
    readonly body?: string | Uint8Array | readonly (string | Uint8Array)[];
  };
  readonly expect: Expectation;
}

/** A module with one configuration, and exchanges through it, one after the other. */
export interface Scenario {
  /** Unique in its table. */
  readonly name: string;
  /** Which module: a name the runner's `modulePath` knows, such as "authz" or "examples/add-header". */
  readonly module: string;
  /** Objects are written as JSON, strings go as they are. */
  readonly configuration?: unknown;
  /**
   * Default: a VM and shared data of its own. Scenarios of stateless filters that name the same one start faster on
   * Envoy.
   */
  readonly vmId?: string;
  readonly failurePolicy?: FailurePolicy;
  /** StopIteration for headers holds them alone, as a module's manifest may ask for. */
  readonly allowOnHeadersStopIteration?: boolean;
  /** The VM's environment variables. */
  readonly environmentVariables?: Readonly<Record<string, string>>;
  /**
   * Metadata of the node; its id is `scenario-node`, its cluster `scenario-cluster`. Each different one needs an Envoy
   * of its own.
   */
  readonly nodeMetadata?: Readonly<Record<string, JsonValue>>;
  readonly virtualHost?: { readonly name?: string; readonly metadata?: FilterMetadata };
  readonly route?: { readonly name?: string; readonly metadata?: FilterMetadata };
  /** The cluster of the route, and its one endpoint. */
  readonly cluster?: {
    readonly name?: string;
    readonly metadata?: FilterMetadata;
    readonly endpointMetadata?: FilterMetadata;
  };
  /** Whether the client's address is the connection's, not the last of X-Forwarded-For; default false. */
  readonly useRemoteAddress?: boolean;
  /** Names of filter state of the connection that hold the address it came from. */
  readonly peerAddressStates?: readonly string[];
  /** Clusters that callouts may name, and their answers in order (the last one again and again). */
  readonly callouts?: Readonly<Record<string, readonly CalloutAnswer[]>>;
  readonly exchanges: readonly Exchange[];
  /** The proxy must refuse the configuration, saying this. Then there are no exchanges. */
  readonly refused?: Wanted;
  /** Counters and gauges by name (without `wasmcustom.`), counted from the scenario's beginning. */
  readonly metrics?: Readonly<Record<string, number>>;
  /** Number of samples of histograms. */
  readonly samples?: Readonly<Record<string, number>>;
  /** Each must be in some line that the module logged (at debug level or above). */
  readonly logged?: readonly (string | RegExp)[];
  /** Host and Envoy must log the very same lines; leave it out where a line holds a time or an address. */
  readonly comparesLogs?: boolean;
}

/** What came of one exchange. */
export interface Observation {
  readonly status: number;
  readonly details: string;
  readonly body: string;
  /** Response headers without `:status`. */
  readonly headers: readonly (readonly [string, string])[];
  readonly upstream: { readonly headers: readonly (readonly [string, string])[]; readonly body: string } | undefined;
  readonly filterState: Readonly<Record<string, string>>;
  readonly callouts: readonly SeenCallout[];
}

/** What came of a scenario. Metrics and samples hold the names the scenario asks for. */
export type ScenarioOutcome =
  | { readonly kind: "refused"; readonly reason: string }
  | {
      readonly kind: "ran";
      readonly observations: readonly Observation[];
      readonly metrics: Readonly<Record<string, number>>;
      readonly samples: Readonly<Record<string, number>>;
      readonly logs: readonly string[];
    };

/** Runs scenarios, in the host or on Envoy. */
export interface ScenarioRunner {
  run(scenario: Scenario): Promise<ScenarioOutcome>;
}

/** The value of a header, repeated ones joined with ","; undefined if absent. */
export function headerOf(headers: readonly (readonly [string, string])[], name: string): string | undefined {
  const values = headers.filter(([key]) => key === name.toLowerCase()).map(([, value]) => value);
  return values.length === 0 ? undefined : values.join(",");
}

/** A configuration as the module gets it. */
export function configurationText(scenario: Scenario): string {
  if (scenario.configuration === undefined) return "";
  return typeof scenario.configuration === "string" ? scenario.configuration : JSON.stringify(scenario.configuration);
}

/** How an exchange is called in messages. */
export function exchangeName({ name, method = "GET", path = "/" }: Exchange): string {
  return name ?? `${method} ${path}`;
}

const shown = (wanted: Wanted): string =>
  wanted === null ? "nothing" : wanted instanceof RegExp ? String(wanted) : JSON.stringify(wanted);
const short = (text: string | undefined): string =>
  text === undefined ? "nothing" : JSON.stringify(text.length > 2000 ? `${text.slice(0, 2000)}…` : text);

function fits(wanted: Wanted, found: string | undefined): boolean {
  if (wanted === null) return found === undefined;
  if (found === undefined) return false;
  return wanted instanceof RegExp ? wanted.test(found) : wanted === found;
}

function mapProblems(
  what: string,
  wanted: Readonly<Record<string, Wanted>> | undefined,
  read: (name: string) => string | undefined,
): string[] {
  return Object.entries(wanted ?? {})
    .filter(([name, value]) => !fits(value, read(name)))
    .map(([name, value]) => `expected ${what} ${name} to be ${shown(value)}, it is ${short(read(name))}`);
}

function upstreamProblems(wanted: Expectation["upstream"], seen: Observation["upstream"]): string[] {
  if (wanted === undefined) return [];
  if (wanted === null) {
    const request = seen && `${headerOf(seen.headers, ":method")} ${headerOf(seen.headers, ":path")}`;
    return request ? [`expected upstream to see nothing, it saw ${request}`] : [];
  }
  if (!seen) return ["expected upstream to see the request, it saw nothing"];
  return [
    ...mapProblems("upstream's header", wanted.headers, (name) => headerOf(seen.headers, name)),
    ...(wanted.body !== undefined && !fits(wanted.body, seen.body)
      ? [`expected upstream's body to be ${shown(wanted.body)}, it is ${short(seen.body)}`]
      : []),
  ];
}

function calloutProblems(wanted: Expectation["callouts"], seen: readonly SeenCallout[]): string[] {
  if (!wanted) return [];
  if (wanted.length !== seen.length) {
    const calls = seen.map((call) => `${call.cluster} ${headerOf(call.headers, ":path")}`);
    return [`expected ${wanted.length} callouts, there were ${seen.length}: ${calls.join(", ")}`];
  }
  return wanted.flatMap((one, i) => {
    const call = seen[i] as SeenCallout;
    return [
      ...(one.cluster !== undefined && one.cluster !== call.cluster
        ? [`expected callout ${i + 1} to go to ${one.cluster}, it went to ${call.cluster}`]
        : []),
      ...mapProblems(`callout ${i + 1}'s header`, one.headers, (name) => headerOf(call.headers, name)),
      ...(one.body !== undefined && !fits(one.body, call.body)
        ? [`expected callout ${i + 1}'s body to be ${shown(one.body)}, it is ${short(call.body)}`]
        : []),
    ];
  });
}

function exchangeProblems(wanted: Expectation, seen: Observation): string[] {
  const problems: string[] = [];
  if (wanted.status !== undefined && wanted.status !== seen.status)
    problems.push(`expected status ${wanted.status}, it is ${seen.status} (${seen.details})`);
  if (wanted.details !== undefined && !fits(wanted.details, seen.details))
    problems.push(`expected details ${shown(wanted.details)}, they are ${short(seen.details)}`);
  if (wanted.body !== undefined && !fits(wanted.body, seen.body))
    problems.push(`expected the body ${shown(wanted.body)}, it is ${short(seen.body)}`);
  problems.push(...mapProblems("response header", wanted.headers, (name) => headerOf(seen.headers, name)));
  problems.push(...upstreamProblems(wanted.upstream, seen.upstream));
  problems.push(...mapProblems("filter state", wanted.filterState, (name) => seen.filterState[name]));
  problems.push(...calloutProblems(wanted.callouts, seen.callouts));
  return problems;
}

function numberProblems(
  what: string,
  wanted: Readonly<Record<string, number>> | undefined,
  found: Readonly<Record<string, number>>,
): string[] {
  return Object.entries(wanted ?? {})
    .filter(([name, value]) => found[name] !== value)
    .map(([name, value]) => `expected ${what} ${name} to be ${value}, it is ${found[name] ?? 0}`);
}

/** One sentence for each thing that is not as the scenario says; empty if all is. */
export function scenarioProblems(scenario: Scenario, outcome: ScenarioOutcome): string[] {
  if (outcome.kind === "refused") {
    if (scenario.refused !== undefined && fits(scenario.refused, outcome.reason)) return [];
    const expected = scenario.refused === undefined ? "accepted" : `refused with ${shown(scenario.refused)}`;
    return [`expected the configuration to be ${expected}, it was refused: ${outcome.reason}`];
  }
  if (scenario.refused !== undefined && scenario.refused !== null)
    return [`expected the configuration to be refused with ${shown(scenario.refused)}, it was accepted`];
  const exchanges = scenario.exchanges.flatMap((exchange, i) => {
    const observation = outcome.observations[i];
    const problems = observation ? exchangeProblems(exchange.expect, observation) : ["it did not run"];
    return problems.map((problem) => `${exchangeName(exchange)}: ${problem}`);
  });
  const lines = (scenario.logged ?? []).filter(
    (wanted) => !outcome.logs.some((line) => (wanted instanceof RegExp ? wanted.test(line) : line.includes(wanted))),
  );
  const logged = outcome.logs.map((line) => JSON.stringify(line)).join(", ");
  return [
    ...exchanges,
    ...numberProblems("metric", scenario.metrics, outcome.metrics),
    ...numberProblems("the number of samples of", scenario.samples, outcome.samples),
    ...lines.map((wanted) => `expected a line in the log with ${shown(wanted)}, there are: ${logged || "none"}`),
  ];
}

// For tests: a stream's state machine played as a conversation. The client answers by hand, so that every step can be
// seen.
import { createResourceEncoder, type EncodedMap, noResources } from "../../snapshot/encode.ts";
import type { ResourceKind, ResourceMessages } from "../../snapshot/resources.ts";
import { kindOf, resourceTypes } from "../../snapshot/type-urls.ts";
import {
  type ContentMaps,
  DELTA_ADS,
  type SendEffect,
  type StreamEffect,
  type StreamEvent,
  type StreamKind,
  type StreamRequest,
} from "./stream-events.ts";
import { step } from "./step.ts";
import { newStreamState, type StreamState } from "./stream-state.ts";

/**
 * A response as a test reads it: names that were sent and removed, and virtual hosts that do not exist, where there are
 * any.
 */
export interface Heard {
  readonly type: string;
  readonly updates: readonly string[];
  readonly removed: readonly string[];
  readonly unresolved?: readonly string[];
}

export interface Transcript {
  state(): StreamState;
  /** Everything sent since the last look. */
  heard(): Heard[];
  /** The same, as the machine gave it. */
  sends(): readonly SendEffect[];
  /** Effects other than sends since the last look, without what is only for the books (settled). */
  effects(): StreamEffect[];
  /**
   * New content; kinds that are left out stay as they were. Values are what is in the resource: another value, another
   * version.
   */
  content(content: Partial<Record<ResourceKind, Readonly<Record<string, string>>>>): void;
  /** A request for a kind, or for a type URL, in the stream's dialect. */
  ask(kind: ResourceKind | string, request?: Partial<AskedRequest>): void;
  /** Accepts the last response of a kind; in the state of the world the names asked for last are said again. */
  ack(kind: ResourceKind): void;
  nack(kind: ResourceKind, error: string): void;
  /** Tells the culprits among what was given to be examined last. */
  examined(kind: ResourceKind, culprits: readonly string[]): void;
  /** Accepts everything until nothing more comes; what was heard meanwhile. */
  ackAll(): Heard[];
  give(event: StreamEvent): void;
  /** The version a resource has now. */
  version(kind: ResourceKind, name: string): string;
}

type Requests<D> = D extends "delta"
  ? Extract<StreamRequest, { dialect: "delta" }>
  : Extract<StreamRequest, { dialect: "sotw" }>;
type AskedRequest = Omit<Requests<"delta">, "dialect"> & Omit<Requests<"sotw">, "dialect">;

const encoder = createResourceEncoder();

/** A stream that has just been opened. */
export function startTranscript(kind: StreamKind = DELTA_ADS): Transcript {
  const play = startPlay(kind);
  const { give, ask, nonceOf } = play;
  let maps: ContentMaps = { ...noResources("test").maps, secrets: new Map() };
  const heard = (): Heard[] => play.takeSends().map(asHeard);
  return {
    state: play.state,
    heard,
    sends: play.takeSends,
    effects: () => play.takeOthers().filter(({ kind: of }) => of !== "settled"),
    content(content) {
      const encoded = Object.entries(content).map(([of, values]) => [
        of,
        encodeValues(of as ResourceKind, values, maps[of as ResourceKind]),
      ]);
      maps = { ...maps, ...Object.fromEntries(encoded) };
      give({ kind: "content", maps, nowMs: play.now() });
    },
    ask,
    ack: (of) => ask(of, { nonce: nonceOf(of) }),
    nack: (of, error) => ask(of, { nonce: nonceOf(of), error }),
    examined(of, names) {
      const asked = play.others().findLast((effect) => effect.kind === "examine");
      if (asked?.kind !== "examine") throw new Error("nothing was given to be examined");
      const { resources: unclear, reason } = asked;
      const culprits = unclear.filter(({ name }) => names.includes(name));
      give({ kind: "examined", typeUrl: urlOf(of), examination: { unclear, culprits }, reason, nowMs: play.now() });
    },
    ackAll() {
      const list: Heard[] = [];
      for (let sends = play.takeSends(); sends.length > 0; sends = play.takeSends()) {
        list.push(...sends.map(asHeard));
        for (const { typeUrl, nonce } of sends) ask(typeUrl, { nonce });
      }
      return list;
    },
    give,
    version: (of, name) => maps[of].get(name)!.version,
  };
}

/** The state machine, what it gave, and requests as a client of this dialect writes them. */
function startPlay(kind: StreamKind) {
  let state = newStreamState(kind);
  const sends: SendEffect[] = [];
  const others: StreamEffect[] = [];
  let nowMs = 0;
  const lastNonce = new Map<string, string>();
  const lastNames = new Map<string, readonly string[]>();
  const now = (): number => nowMs++;
  const give = (event: StreamEvent): void => {
    const result = step(state, event);
    state = result.state;
    for (const effect of result.effects) {
      if (effect.kind === "send") lastNonce.set(effect.typeUrl, effect.nonce);
      if (effect.kind === "send") sends.push(effect);
      else others.push(effect);
    }
  };
  const ask: Transcript["ask"] = (asked, request = {}) => {
    const typeUrl = urlOf(asked);
    const names = request.names ?? lastNames.get(typeUrl) ?? [];
    lastNames.set(typeUrl, names);
    give({ kind: "request", nowMs: now(), request: requestOf(kind, typeUrl, { ...request, names }) });
  };
  return {
    state: () => state,
    now,
    give,
    ask,
    /** Of the last response of a kind. */
    nonceOf: (of: ResourceKind): string => lastNonce.get(urlOf(of)) ?? "",
    others: () => others,
    takeSends: () => sends.splice(0),
    takeOthers: () => others.splice(0),
  };
}

function urlOf(kind: string): string {
  return kind in resourceTypes ? resourceTypes[kind as ResourceKind].typeUrl : kind;
}

function requestOf({ dialect }: StreamKind, typeUrl: string, request: Partial<AskedRequest>): StreamRequest {
  const { subscribe = [], unsubscribe = [], initialVersions = {}, names = [], version = "" } = request;
  const common = { typeUrl, nonce: request.nonce ?? "", error: request.error };
  return dialect === "delta"
    ? { ...common, dialect, subscribe, unsubscribe, initialVersions }
    : { ...common, dialect, names, version };
}

function asHeard({ typeUrl, updates, removed, unresolved }: SendEffect): Heard {
  return {
    type: kindOf(typeUrl) ?? typeUrl,
    updates: updates.map(({ name }) => name),
    removed,
    ...(unresolved?.length && { unresolved }),
  };
}

/**
 * A cluster's value may be `eds` for one with endpoints of its own name; otherwise values only make versions differ.
 */
function encodeValues(kind: ResourceKind, values: Readonly<Record<string, string>>, before: EncodedMap): EncodedMap {
  const messages = Object.entries(values).map(([name, value]) => [name, messageOf(kind, name, value)] as const);
  return encoder.encodeMap(kind, new Map(messages) as ReadonlyMap<string, ResourceMessages[typeof kind]>, before);
}

function messageOf(kind: ResourceKind, name: string, value: string): ResourceMessages[ResourceKind] {
  switch (kind) {
    case "clusters":
      return { name, altStatName: value, type: value.startsWith("eds") ? "EDS" : "STATIC" };
    case "endpoints":
      return { clusterName: name, endpoints: [{ priority: value.length }], namedEndpoints: { [value]: {} } };
    case "listeners":
      return { name, statPrefix: value };
    case "routes":
      return { name, responseHeadersToRemove: [value] };
    case "virtualHosts":
      return { name, domains: [value] };
    case "secrets":
      return { name, genericSecret: { secret: { inlineString: value } } };
    case "extensionConfigs":
      return { name, typedConfig: { typeUrl: value, value: new Uint8Array() } };
  }
}

// RateLimitPolicy: our own kind, for what Istio has no API for. Every limit whose match holds must admit a request.
import {
  anyText,
  choice,
  duration,
  fields,
  flag,
  headerText,
  integer,
  ipBlock,
  listOf,
  mapOf,
  matchLabelsSelector,
  opt,
  port,
  type SpecFrom,
  text,
} from "../schema.ts";

const keyPart = fields(
  {
    header: opt(text()),
    /**
     * Who calls, by certificate; `ip` is the connection's other end, `remoteIp` the client as forwarding headers tell
     * where they are believed.
     */
    source: opt(choice(["principal", "namespace", "serviceAccount", "ip", "remoteIp"])),
    path: opt(flag()),
    /** Which of these templates (`{*}`, `{**}`) the path matches first: all paths of one template share a bucket. */
    pathTemplate: opt(listOf(text(), 1)),
    /** What the template's first `{*}` stands for. */
    pathCapture: opt(text()),
    /** The names that lead to a claim of the verified token. */
    claim: opt(listOf(text(), 1)),
    /** The name of the route. */
    route: opt(flag()),
    /** What a rate limit service knows the part as. */
    as: opt(text()),
  },
  { oneOf: ["header", "source", "path", "pathTemplate", "pathCapture", "claim", "route"] },
);

const override = fields({
  /** State is kept under it; the first principal unless given. */
  name: opt(text()),
  /** Who the override is for: principals without `spiffe://`, as AuthorizationPolicy writes them. */
  principals: opt(listOf(text(), 1)),
  /** Which keys it is for: one pattern for each part of the limit's key, `*` for any value. */
  values: opt(listOf(text(), 1)),
  /** A bucket for each key, as the limit has; else the override is one bucket. */
  perKey: opt(flag()),
  requests: integer(1),
  per: opt(duration()),
  burst: opt(integer(1)),
});

/** What one request takes: always the same, or what a header says within bounds. */
const cost = fields(
  {
    requests: opt(integer(1)),
    header: opt(text()),
    default: opt(integer(0, 2_147_483_647)),
    min: opt(integer(0, 2_147_483_647)),
    max: opt(integer(1, 2_147_483_647)),
  },
  { oneOf: ["requests", "header"] },
);

/**
 * Who decides for all proxies together: a service that speaks Envoy's rate limit protocol (envoy.service.ratelimit.v3).
 */
const global = fields({
  /** A host of the mesh, as a route's destination writes it; its port must speak gRPC. */
  host: text(),
  port: opt(port()),
  domain: text(),
  /** Entries that the descriptor begins with; the key's parts follow. */
  descriptor: opt(listOf(fields({ key: text(), value: anyText() }))),
  timeout: opt(duration()),
  /** How long an answer counts. */
  staleness: opt(duration()),
  /** Most requests to be granted ahead; 1: every request asks. */
  lease: opt(integer(1, 1_000_000_000)),
  /** While the service does not answer: admit, refuse, or let this limit's own numbers decide in each proxy. */
  failure: choice(["open", "closed", "local"]),
});

/** A header or query parameter: some value of it is one of `values` (`*`: any at all), or none is one of `notValues`. */
const named = fields(
  { name: text(), values: opt(listOf(anyText(), 1)), notValues: opt(listOf(anyText(), 1)) },
  { oneOf: ["values", "notValues"] },
);

/** Which requests count: those that every field given fits. Patterns and names are AuthorizationPolicy's. */
const match = fields({
  methods: opt(listOf(text())),
  notMethods: opt(listOf(text(), 1)),
  paths: opt(listOf(text())),
  notPaths: opt(listOf(text(), 1)),
  hosts: opt(listOf(text())),
  notHosts: opt(listOf(text(), 1)),
  /** The connection's other end. */
  ipBlocks: opt(listOf(ipBlock(), 1)),
  notIpBlocks: opt(listOf(ipBlock(), 1)),
  /** The client as forwarding headers tell, where they are believed. */
  remoteIpBlocks: opt(listOf(ipBlock(), 1)),
  notRemoteIpBlocks: opt(listOf(ipBlock(), 1)),
  headers: opt(listOf(named, 1)),
  queryParameters: opt(listOf(named, 1)),
});

/** What a client gets that is over the limit. */
const refusal = fields({
  /** 429 unless given. */
  status: opt(integer(400, 599)),
  /** On top of Retry-After and x-envoy-ratelimited. */
  headers: opt(mapOf(headerText())),
});

const limit = fields({
  name: text(),
  match: opt(match),
  /** One bucket for each distinct value of all parts together; no parts mean one bucket for everybody. */
  key: opt(listOf(keyPart)),
  /** With `per`: how many. Left out where a service decides and nothing stands in for it. */
  requests: opt(integer(1)),
  per: opt(duration()),
  /** The bucket's size; `requests` unless given. */
  burst: opt(integer(1)),
  overrides: opt(listOf(override)),
  cost: opt(cost),
  /** Counted and reported, never refused. */
  shadow: opt(flag()),
  refusal: opt(refusal),
  global: opt(global),
});

/**
 * The schema of a RateLimitPolicy's spec. `headers` says what responses tell clients: nothing, RateLimit and
 * RateLimit-Policy (IETF draft 10), RateLimit-Limit,
 * -Remaining and -Reset (older drafts), or the same with X- in front.
 */
export const rateLimitPolicySchema = fields({
  selector: opt(matchLabelsSelector),
  limits: listOf(limit, 1),
  headers: opt(choice(["none", "draft", "draft-03", "legacy"])),
});

export type RateLimitPolicySpec = SpecFrom<typeof rateLimitPolicySchema>;
export type RateLimitSpec = SpecFrom<typeof limit>;
export type RateLimitKeyPartSpec = SpecFrom<typeof keyPart>;
export type RateLimitOverrideSpec = SpecFrom<typeof override>;
export type RateLimitCostSpec = SpecFrom<typeof cost>;
export type GlobalRateLimitSpec = SpecFrom<typeof global>;

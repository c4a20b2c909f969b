// The rate limit filter's configuration, which config.ts reads: config.schema.json and the control plane's types come
// from here.
import type { TProperties } from "@sinclair/typebox";
import {
  choice,
  DIALECT,
  fields,
  flag,
  integer,
  listOf,
  mapOf,
  name,
  oneOf,
  only,
  opt,
  text,
  texts,
  WILDCARDS,
} from "../schema.ts";

const MOST_TOKENS = 1_000_000_000_000;
const MOST_MS = 3_600_000;
const MOST_COST = 2_147_483_647;
const TEMPLATE = { pattern: "^/" };

const tokens = integer(1, MOST_TOKENS, "Tokens regained per interval.");
const intervalMs = integer(1, MOST_TOKENS, "The interval in milliseconds.");
const burst = integer(1, MOST_TOKENS, "The bucket's size; default: tokens.");

const paths = `${WILDCARDS} Or a template.`;
const blocks = "Addresses, or blocks such as 10.0.0.0/8.";
const patterns = listOf(text(WILDCARDS), "`*`: present, with any value.", { minItems: 1 });

/** A header or a query parameter. */
const named = fields(
  { name: name(), values: opt(patterns), notValues: opt(patterns) },
  {
    description: "values: some value matches; notValues: none does, or there is none.",
    oneOf: [{ required: ["values"] }, { required: ["notValues"] }],
  },
);

const match = fields(
  {
    methods: opt(texts(WILDCARDS)),
    notMethods: opt(texts(WILDCARDS)),
    paths: opt(texts(paths)),
    notPaths: opt(texts(paths)),
    hosts: opt(texts(WILDCARDS)),
    notHosts: opt(texts(WILDCARDS)),
    ipBlocks: opt(texts(`The connection's other end. ${blocks}`)),
    notIpBlocks: opt(texts(blocks)),
    remoteIpBlocks: opt(texts(`The client as Envoy believes X-Forwarded-For. ${blocks}`)),
    notRemoteIpBlocks: opt(texts(blocks)),
    headers: opt(listOf(named, "All of them must hold.")),
    queryParameters: opt(listOf(named, "All of them must hold.")),
  },
  { description: "Which requests count; default all. Every field given must hold; not…: none of these." },
);

const refusal = fields(
  {
    status: opt(integer(400, 599, "Default 429.")),
    headers: opt(mapOf(text())),
  },
  { description: "What a client gets that is over the limit; Retry-After and x-envoy-ratelimited come on top." },
);

function keyPart<P extends TProperties>(source: P) {
  return fields({ ...source, as: opt(name("Name of the descriptor's entry, for limits that a service decides.")) });
}

export const keyPartSchema = oneOf([
  keyPart({ header: name("A header, all its values; an absent one counts as empty.") }),
  keyPart({
    source: choice(
      ["principal", "namespace", "serviceAccount", "ip", "remoteIp"],
      "Of the caller's certificate; ip: the connection's other end; " +
        "remoteIp: the client as Envoy believes X-Forwarded-For.",
    ),
  }),
  keyPart({ path: only(true, "The path without its query.") }),
  keyPart({
    pathTemplate: listOf(
      text("A path in which {*} is one segment and {**} any rest.", TEMPLATE),
      "Which of these templates the path matches first: all paths of a template share a bucket, " +
        "and so do those that match none.",
      { minItems: 1 },
    ),
  }),
  keyPart({
    pathCapture: text("What the template's first {*} stands for; paths that do not match share a bucket.", TEMPLATE),
  }),
  keyPart({
    claim: oneOf(
      [name(), listOf(name(), undefined, { minItems: 1 })],
      "A claim of the verified token, or the names that lead to one inside another " +
        "(Envoy's jwt_authn with payload_in_metadata: payload).",
    ),
  }),
  keyPart({ route: only(true, "The name of the route.") }),
]);

export const overrideSchema = fields(
  {
    name: name("Unique in the limit; its state is kept under it."),
    principals: opt(texts(`Identities (without spiffe://) that have this bucket instead. ${WILDCARDS}`)),
    values: opt(texts(`One pattern for each part of the key; \`*\`: any value, an absent one too. ${WILDCARDS}`)),
    perKey: opt(flag("A bucket for each key, as the limit has; default: one bucket.")),
    tokens,
    intervalMs,
    burst: opt(burst),
  },
  { anyOf: [{ required: ["principals"] }, { required: ["values"] }] },
);

const cost = oneOf([
  integer(1, MOST_TOKENS, "Tokens a request takes; default 1."),
  fields({
    header: name("The request header that says how many tokens the request takes."),
    default: opt(integer(0, MOST_COST, "Without the header; default: min, at least 1.")),
    min: opt(integer(0, MOST_COST, "The least, default 1; 0: such a request is free.")),
    max: integer(1, MOST_COST, "The most; also what a header that is not a number costs."),
  }),
]);

export const globalSchema = fields(
  {
    cluster: name("The Envoy cluster of the service (HTTP/2)."),
    authority: opt(
      name("What calls say in :authority; default: the cluster's name, where that is one a server takes."),
    ),
    domain: name("The domain the service knows the limit under."),
    descriptor: opt(
      listOf(
        fields({ key: name("The entry's name."), value: text() }),
        "Entries the descriptor begins with; the key's parts follow. " +
          "Without these and without a key: generic_key with the limit's name.",
      ),
    ),
    timeoutMs: opt(integer(1, MOST_MS, "How long a request waits for an answer; default 100.")),
    stalenessMs: opt(
      integer(1, MOST_MS, "How long an answer (tokens taken ahead, a refusal, a failure) counts; default 1000."),
    ),
    lease: opt(integer(1, 1_000_000_000, "Most tokens to take ahead; default 100. 1: none, every request asks.")),
    failure: choice(
      ["open", "closed", "local"],
      "While the service does not answer: admit, refuse with 503, or let this limit's own bucket decide.",
    ),
  },
  {
    description:
      "A rate limit service (envoy.service.ratelimit.v3) decides this limit for all proxies. " +
      "tokens, intervalMs, burst and overrides are then only for failure: local.",
  },
);

export const limitSchema = fields(
  {
    name: name("Unique. State in shared data is kept under it; appears in response code details."),
    match: opt(match),
    key: opt(listOf(keyPartSchema, "Parts of the key that chooses the bucket; without any, one bucket.")),
    tokens: opt(tokens),
    intervalMs: opt(intervalMs),
    burst: opt(burst),
    overrides: opt(listOf(overrideSchema, "Callers or keys with a bucket of their own; the first that fits counts.")),
    cost: opt(cost),
    shadow: opt(flag("Count and log, but never refuse.")),
    refusal: opt(refusal),
    global: opt(globalSchema),
  },
  { anyOf: [{ required: ["tokens", "intervalMs"] }, { required: ["global"] }] },
);

export const configSchema = fields(
  {
    limits: opt(listOf(limitSchema)),
    headers: opt(
      choice(
        ["none", "draft", "draft-03", "legacy"],
        "What clients are told beside Retry-After, on admitted responses too: nothing; " +
          "RateLimit and RateLimit-Policy (draft-ietf-httpapi-ratelimit-headers-10); " +
          "RateLimit-Limit, -Remaining, -Reset (older drafts); the same with X- in front.",
      ),
    ),
  },
  { $schema: DIALECT, title: "Scrim ratelimit filter" },
);

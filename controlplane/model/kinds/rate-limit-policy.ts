// RateLimitPolicy: our own kind, for what Istio has no API for. Every limit whose match holds must admit a request.
import { choice, duration, fields, flag, integer, listOf, matchLabelsSelector, opt, type SpecFrom, text } from "../schema.ts";

const keyPart = fields({
  header: opt(text()),
  source: opt(choice(["principal", "namespace", "ip"])),
  path: opt(flag()),
}, { oneOf: ["header", "source", "path"] });

const override = fields({
  /** Who the override is for: principals without `spiffe://`, as AuthorizationPolicy writes them. */
  principals: listOf(text(), 1),
  requests: integer(1),
  per: opt(duration()),
  burst: opt(integer(1)),
});

const limit = fields({
  name: text(),
  match: opt(fields({ methods: opt(listOf(text())), paths: opt(listOf(text())), hosts: opt(listOf(text())) })),
  /** One bucket for each distinct value of all parts together; no parts mean one bucket for everybody. */
  key: opt(listOf(keyPart)),
  requests: integer(1),
  per: duration(),
  /** The bucket's size; `requests` unless given. */
  burst: opt(integer(1)),
  overrides: opt(listOf(override)),
  /** Counted and reported, never refused. */
  shadow: opt(flag()),
});

/** The schema of a RateLimitPolicy's spec. `headers` says which RateLimit response headers to send. */
export const rateLimitPolicySchema = fields({
  selector: opt(matchLabelsSelector),
  limits: listOf(limit, 1),
  headers: opt(choice(["none", "draft", "legacy"])),
});

export type RateLimitPolicySpec = SpecFrom<typeof rateLimitPolicySchema>;
export type RateLimitSpec = SpecFrom<typeof limit>;
export type RateLimitKeyPartSpec = SpecFrom<typeof keyPart>;

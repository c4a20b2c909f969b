// The router's rules for one virtual host, which config.ts reads: rules.schema.json and the control plane's types come
// from here.
import { Type } from "@sinclair/typebox";
import { DIALECT, fields, flag, listOf, mapOf, name, only, opt, reference, text } from "../schema.ts";

export const matchSchema = fields(
  {
    exact: opt(text()),
    prefix: opt(text()),
    regex: opt(
      text("RE2 syntax over the bytes of the value, as Envoy runs it; the whole value must match.", {
        maxLength: 1024,
      }),
    ),
    lines: opt(text("One of several values, each a line.")),
    present: opt(only(true)),
  },
  { maxProperties: 1 },
);

const match = (description?: string) => opt(reference(matchSchema, "#/$defs/match", description));
const matches = (description: string) => opt(mapOf(reference(matchSchema, "#/$defs/match"), description));

const split = fields(
  {
    by: fields(
      {
        header: opt(name()),
        cookie: opt(name()),
        query: opt(name()),
        claim: opt(text("[name] or [name][inner name]")),
        source: opt(only("ip")),
      },
      { minProperties: 1, maxProperties: 1 },
    ),
    salt: text("Splits of one salt put the same keys first; another salt, others."),
    shares: listOf(
      fields({
        key: text("As the rule's key, when this share is drawn."),
        id: text("What the share is known by: keys stay with it wherever it stands."),
        weight: Type.Number({ exclusiveMinimum: 0 }),
      }),
      undefined,
      { minItems: 1 },
    ),
  },
  {
    description:
      "Draws one of several keys, always the same for one value of `by`; a request without that value gets `key`.",
  },
);

const conditions = fields(
  {
    uri: match("Of the path without query."),
    ignoreUriCase: opt(flag()),
    method: match(),
    authority: match(),
    scheme: match(),
    headers: matches("Of a repeated header one value that matches is enough."),
    withoutHeaders: matches("No value may match; a missing header counts as empty, and {} asks for absence."),
    queryParams: matches("The first value, not decoded."),
    claims: matches(
      "Claims of the token that jwt_authn verified, named [name] or [name][inner name]; " +
        "of a list one element that matches is enough.",
    ),
    withoutClaims: matches("Must not match; a claim that is not there does not."),
  },
  { description: "All conditions given must hold." },
);

export const ruleSchema = fields({
  key: name("Set as filter state wasm.scrim.route when the rule is the first that matches."),
  inside: opt(
    flag(
      "Whether every destination of the rule is inside the mesh. " +
        "Where telemetry runs in the same module (mesh.wasm), it sends this proxy's metadata with requests " +
        "of such rules; with no others.",
    ),
  ),
  split: opt(split),
  match: opt(conditions),
});

export const rulesSchema = fields(
  { routes: listOf(ruleSchema) },
  { $schema: DIALECT, title: "Scrim router rules of one virtual host", $defs: { match: matchSchema } },
);

// The authorization filter's configuration, which config.ts reads: config.schema.json and the control plane's types
// come from here.
import { choice, DIALECT, fields, flag, listOf, opt, text, texts, WILDCARDS } from "../schema.ts";

const NONE = "None of these.";
const BLOCKS = "Addresses or CIDR blocks, IPv4 or IPv6.";
const SOME = { minItems: 1 };

const some = (description?: string) => opt(texts(description, SOME));
const ports = (description?: string) => opt(listOf(text(undefined, { pattern: "^[0-9]{1,5}$" }), description, SOME));

export const sourceSchema = fields(
  {
    principals: some(`Peer identities without spiffe://. ${WILDCARDS} Plaintext never matches.`),
    notPrincipals: some(NONE),
    requestPrincipals: some(
      `\`<issuer>/<subject>\` of the token that jwt_authn verified. ${WILDCARDS} Without a token none matches.`,
    ),
    notRequestPrincipals: some(NONE),
    trustDomains: some(`Trust domains of the peer's identity. ${WILDCARDS}`),
    notTrustDomains: some(NONE),
    namespaces: some(`Namespaces of the peer's identity. ${WILDCARDS}`),
    notNamespaces: some(NONE),
    serviceAccounts: some("`namespace/name`, each part exact or with a wildcard."),
    notServiceAccounts: some(NONE),
    ipBlocks: some(`Of the connection's remote end. ${BLOCKS}`),
    notIpBlocks: some(NONE),
    remoteIpBlocks: some(`Of the client as forwarding headers tell it. ${BLOCKS}`),
    notRemoteIpBlocks: some(NONE),
  },
  { description: "All fields given must hold." },
);

export const operationSchema = fields(
  {
    hosts: some(`Of :authority, without case. ${WILDCARDS}`),
    notHosts: some(NONE),
    ports: ports("Destination ports."),
    notPorts: ports(),
    methods: some(`HTTP methods. ${WILDCARDS}`),
    notMethods: some(NONE),
    paths: some(`Paths without query. ${WILDCARDS} Or a template with {*} (one segment) and {**} (any number).`),
    notPaths: some(NONE),
  },
  { description: "All fields given must hold." },
);

/** As Istio lists them, request headers and claims with their names. */
const KEYS = [
  "request\\.headers\\[:?[!#$%&'*+.^_`|~A-Za-z0-9-]+\\]",
  "source\\.ip",
  "remote\\.ip",
  "source\\.trustDomain",
  "source\\.namespace",
  "source\\.principal",
  "source\\.serviceAccount",
  "request\\.auth\\.(principal|audiences|presenter)",
  "request\\.auth\\.claims(\\[[^\\[\\]]+\\])+",
  "destination\\.ip",
  "destination\\.port",
  "connection\\.sni",
  "experimental\\.envoy\\.filters\\.[^\\[\\]]+\\[.+\\]",
];

export const conditionSchema = fields(
  {
    key: text(
      "Claims are those of the token that jwt_authn verified and put into dynamic metadata under `payload`; " +
        "a claim that is a list matches by any element. " +
        "Values of `experimental.envoy.filters.…` in brackets (`[v]`) are compared with the elements of a list.",
      { pattern: `^(${KEYS.join("|")})$` },
    ),
    values: some("Any of these."),
    notValues: some(NONE),
  },
  { anyOf: [{ required: ["values"] }, { required: ["notValues"] }] },
);

export const ruleSchema = fields({
  from: opt(listOf(sourceSchema, "Any of these, if there are.", SOME)),
  to: opt(listOf(operationSchema, "Any of these, if there are.", SOME)),
  when: opt(listOf(conditionSchema, "All of these.", SOME)),
});

export const policySchema = fields({
  name: text("namespace/name; appears in response code details and logs."),
  action: choice(
    ["ALLOW", "DENY", "AUDIT"],
    "AUDIT refuses nothing: a match is logged, counted and put into filter state.",
  ),
  dryRun: opt(
    flag(
      "ALLOW and DENY only: what the policy (together with the other ones on trial) would decide is logged, " +
        "counted and put into filter state, and has no effect.",
    ),
  ),
  rules: opt(listOf(ruleSchema, "The policy matches when any rule does; without rules it never does.")),
});

export const configSchema = fields(
  { policies: opt(listOf(policySchema)) },
  { $schema: DIALECT, title: "Scrim authz filter" },
);

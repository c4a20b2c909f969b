// Envoy's command operators (`%REQ(X)%`) in the values of headers and in formats of access logs: Envoy refuses the
// whole host or listener for one that it does not know. What it does know was tried on Envoy 1.40; the reference is
// https://www.envoyproxy.io/docs/envoy/latest/configuration/observability/access_log/usage#command-operators
import { celFault } from "./cel.ts";
import { quote } from "./formats.ts";

/** What may stand between an operator's parentheses, and whether its text can be cut (`:5`). */
interface Operator {
  /** What is wrong with the parameters; "" for none. */
  readonly fault: (parameters: string) => string | undefined;
  readonly canBeCut?: boolean;
}

/** Each line: a prefix, and what follows it. */
const WITHOUT_PARAMETERS = [
  `: ACCESS_LOG_TYPE BYTES_RECEIVED BYTES_RETRANSMITTED BYTES_SENT CONNECTION_ID CONNECTION_TERMINATION_DETAILS
     CUSTOM_FLAGS DURATION FILTER_CHAIN_NAME GRPC_STATUS_NUMBER HOSTNAME LOCAL_REPLY_BODY PACKETS_RETRANSMITTED PROTOCOL
     REQUEST_DURATION REQUEST_HEADERS_BYTES REQUEST_TX_DURATION RESPONSE_CODE RESPONSE_DURATION RESPONSE_FLAGS
     RESPONSE_FLAGS_LONG RESPONSE_HEADERS_BYTES RESPONSE_TRAILERS_BYTES RESPONSE_TX_DURATION ROUNDTRIP_DURATION
     ROUTE_NAME ROUTE_RESOLUTION_COUNT ROUTE_RESOLUTION_TIME_US SPAN_ID STREAM_ID TLS_JA3_FINGERPRINT
     TLS_JA4_FINGERPRINT TRACE_ID UNIQUE_ID VIRTUAL_CLUSTER_NAME`,
  `DOWNSTREAM_: CX_RTT DECOMPRESSED_HEADER_BYTES_RECEIVED DECOMPRESSED_HEADER_BYTES_SENT DETECTED_CLOSE_TYPE
     HANDSHAKE_DURATION HEADER_BYTES_RECEIVED HEADER_BYTES_SENT REMOTE_ADDRESS REMOTE_PORT TLS_CIPHER TLS_GROUP
     TLS_SESSION_ID TLS_VERSION TRANSPORT_FAILURE_REASON WIRE_BYTES_RECEIVED WIRE_BYTES_SENT`,
  `DOWNSTREAM_DIRECT_: LOCAL_ADDRESS LOCAL_ADDRESS_ENDPOINT_ID LOCAL_PORT REMOTE_ADDRESS REMOTE_PORT`,
  `DOWNSTREAM_LOCAL_: ADDRESS ADDRESS_ENDPOINT_ID CLOSE_REASON DNS_SAN EMAIL_SAN IP_SAN OTHERNAME_SAN PORT SUBJECT
     URI_SAN`,
  `DOWNSTREAM_PEER_: CERT CHAIN_FINGERPRINTS_1 CHAIN_FINGERPRINTS_256 CHAIN_SERIALS DNS_SAN EMAIL_SAN FINGERPRINT_1
     FINGERPRINT_256 IP_SAN ISSUER ISSUER_FINGERPRINT_256 ISSUER_SERIAL OTHERNAME_SAN SERIAL SUBJECT URI_SAN`,
  `UPSTREAM_: CLUSTER CLUSTER_RAW CONNECTION_ID CONNECTION_IDS_ATTEMPTED CONNECTION_POOL_READY_DURATION
     DECOMPRESSED_HEADER_BYTES_RECEIVED DECOMPRESSED_HEADER_BYTES_SENT DETECTED_CLOSE_TYPE HEADER_BYTES_RECEIVED
     HEADER_BYTES_SENT HOST HOSTS_ATTEMPTED HOSTS_ATTEMPTED_WITHOUT_PORT HOST_NAME HOST_NAMES_ATTEMPTED
     HOST_NAMES_ATTEMPTED_WITHOUT_PORT HOST_NAME_WITHOUT_PORT PROTOCOL REMOTE_ADDRESS REMOTE_ADDRESS_ENDPOINT_ID
     REMOTE_PORT REQUEST_ATTEMPT_COUNT SERVER_NAME TLS_CIPHER TLS_GROUP TLS_SESSION_ID TLS_VERSION
     TRANSPORT_FAILURE_REASON WIRE_BYTES_RECEIVED WIRE_BYTES_SENT`,
  `UPSTREAM_LOCAL_: ADDRESS CLOSE_REASON DNS_SAN IP_SAN PORT URI_SAN`,
  `UPSTREAM_PEER_: CERT DNS_SAN IP_SAN ISSUER SUBJECT URI_SAN`,
].flatMap((line) => {
  const [prefix = "", names = ""] = line.split(":");
  return names
    .trim()
    .split(/\s+/)
    .map((name) => prefix + name);
});

/** A form of time, or a length of an address' prefix. */
const WITH_OPTIONS = [
  "DOWNSTREAM_DIRECT_LOCAL_ADDRESS_WITHOUT_PORT",
  "DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT",
  "DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT",
  "DOWNSTREAM_PEER_CERT_V_END",
  "DOWNSTREAM_PEER_CERT_V_START",
  "DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT",
  "EMIT_TIME",
  "EMIT_TIME_LOCAL",
  "RESPONSE_CODE_DETAILS",
  "START_TIME",
  "START_TIME_LOCAL",
  "UPSTREAM_LOCAL_ADDRESS_WITHOUT_PORT",
  "UPSTREAM_PEER_CERT_V_END",
  "UPSTREAM_PEER_CERT_V_START",
  "UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT",
];
const HEADERS = ["REQ", "REQUEST_HEADER", "RESP", "RESPONSE_HEADER", "RESPONSE_TRAILER", "TRAILER"];

const OPERATORS: ReadonlyMap<string, Operator> = new Map<string, Operator>([
  ...WITHOUT_PARAMETERS.map((name): [string, Operator] => [name, oneOf(/^$/, "no parameters")]),
  ...WITH_OPTIONS.map((name): [string, Operator] => [name, oneOf(/^[^\r\n]*$/, "parameters on one line")]),
  ...HEADERS.map((name): [string, Operator] => [
    name,
    cut(oneOf(/^(?=.):?[!#$&'*+.^_`|~0-9A-Za-z-]*(?:\?:?[!#$&'*+.^_`|~0-9A-Za-z-]*)?$/, "HEADER or HEADER?OTHER")),
  ]),
  ["CEL", cut({ fault: celFault })],
  ["CLUSTER_METADATA", oneOf(/./, "(NAMESPACE:KEY)")],
  ["COALESCE", { fault: coalesceFault }],
  ["COMMON_DURATION", oneOf(/^[^:]+:[^:]+(?::(?:ms|us|ns))?$/, "(FROM:TO:ms)")],
  ["DYNAMIC_METADATA", cut(oneOf(/./, "(NAMESPACE:KEY)"))],
  ["ENVIRONMENT", cut(oneOf(/./, "(NAME)"))],
  [
    "FILTER_STATE",
    cut(oneOf(/^[^:]+(?::(?:PLAIN|TYPED|FIELD:[^:]+))?$/, "(KEY:PLAIN), (KEY:TYPED) or (KEY:FIELD:NAME)")),
  ],
  ["GRPC_STATUS", oneOf(/^(?:|CAMEL_STRING|SNAKE_STRING|NUMBER)$/, "(CAMEL_STRING), (SNAKE_STRING) or (NUMBER)")],
  [
    "METADATA",
    oneOf(
      /^(?:DYNAMIC|CLUSTER|ROUTE|UPSTREAM_HOST|LISTENER|LISTENER_FILTER_CHAIN|VIRTUAL_HOST)(?::|$)/,
      "(TYPE:NAMESPACE:KEY)",
    ),
  ],
  ["PATH", cut(oneOf(/^(?:|(?:WQ|NQ)(?::(?:ORIG|PATH|ORIG_OR_PATH))?)$/, "(WQ) or (NQ), with :ORIG or :PATH"))],
  ["QUERY_PARAM", cut(oneOf(/./, "(NAME)"))],
  ["QUERY_PARAMS", cut(oneOf(/^(?:|ORIG|DECODED)$/, "(ORIG) or (DECODED)"))],
  [
    "REQUESTED_SERVER_NAME",
    oneOf(/^(?:|(?:SNI_FIRST|SNI_ONLY|HOST_FIRST)(?::(?:ORIG|HOST|ORIG_OR_HOST))?)$/, "(SNI_FIRST) or (HOST_FIRST)"),
  ],
  ["UPSTREAM_FILTER_STATE", cut(oneOf(/^[^:]+(?::(?:PLAIN|TYPED|FIELD:[^:]+))?$/, "(KEY:PLAIN) or (KEY:TYPED)"))],
  ["UPSTREAM_METADATA", oneOf(/./, "(NAMESPACE:KEY)")],
]);

function oneOf(form: RegExp, words: string): Operator {
  return { fault: (parameters) => (form.test(parameters) ? undefined : `takes ${words}`) };
}

function cut(operator: Operator): Operator {
  return { ...operator, canBeCut: true };
}

/** The first of several operators that has a value. */
function coalesceFault(parameters: string): string | undefined {
  try {
    const { operators } = JSON.parse(parameters) as { readonly operators?: unknown };
    return Array.isArray(operators) && operators.length > 0 ? undefined : 'takes JSON with "operators"';
  } catch {
    return 'takes JSON with "operators"';
  }
}

const PIECE = /%%|%([A-Z0-9_]+)(?:\(([^)]*)\))?(?::(\d{1,9}))?%|%/g;

/** Returns what is wrong with a text in which Envoy replaces its operators; a `%` of its own is written `%%`. */
export function formatFault(text: string): string | undefined {
  for (const [piece, name, parameters = "", length] of text.matchAll(PIECE)) {
    if (piece === "%%") continue;
    if (name === undefined)
      return `has a % that begins none of Envoy's operators in ${quote(text)}: write %% for a percent sign`;
    const operator = OPERATORS.get(name);
    if (operator === undefined) return `uses %${name}%, which is no operator of Envoy; write %% for a percent sign`;
    const fault = operator.fault(parameters);
    if (fault !== undefined) return `uses ${quote(piece)}: %${name}% ${fault}`;
    if (length !== undefined && operator.canBeCut !== true) return `uses ${quote(piece)}: %${name}% cannot be cut`;
  }
  return undefined;
}

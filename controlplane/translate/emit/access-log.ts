// Access logs, in the form in which Istio's users read them.
import type {
  AccessLog as EnvoyAccessLog,
  AccessLogFilter,
  SubstitutionFormatString,
} from "../../../protos/build/envoy.ts";
import { packAny } from "../../../protos/codec.ts";
import { parseJsonFormat } from "../../model/kinds/mesh-config.ts";
import type { AccessLog } from "../ir/proxy.ts";
import { interned } from "../../world/interned.ts";

/**
 * Operators by the field names of Istio's JSON access log
 * (https://istio.io/latest/docs/tasks/observability/logs/access-log/), in the order of its text line.
 */
const fields = {
  start_time: "%START_TIME%",
  method: "%REQ(:METHOD)%",
  path: "%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%",
  protocol: "%PROTOCOL%",
  response_code: "%RESPONSE_CODE%",
  response_flags: "%RESPONSE_FLAGS%",
  response_code_details: "%RESPONSE_CODE_DETAILS%",
  connection_termination_details: "%CONNECTION_TERMINATION_DETAILS%",
  upstream_transport_failure_reason: "%UPSTREAM_TRANSPORT_FAILURE_REASON%",
  bytes_received: "%BYTES_RECEIVED%",
  bytes_sent: "%BYTES_SENT%",
  duration: "%DURATION%",
  upstream_service_time: "%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)%",
  x_forwarded_for: "%REQ(X-FORWARDED-FOR)%",
  user_agent: "%REQ(USER-AGENT)%",
  request_id: "%REQ(X-REQUEST-ID)%",
  authority: "%REQ(:AUTHORITY)%",
  upstream_host: "%UPSTREAM_HOST%",
  upstream_cluster: "%UPSTREAM_CLUSTER_RAW%",
  upstream_local_address: "%UPSTREAM_LOCAL_ADDRESS%",
  downstream_local_address: "%DOWNSTREAM_LOCAL_ADDRESS%",
  downstream_remote_address: "%DOWNSTREAM_REMOTE_ADDRESS%",
  requested_server_name: "%REQUESTED_SERVER_NAME%",
  route_name: "%ROUTE_NAME%",
} as const;

/** Fields between quotes in the text line, where a client's own words may hold spaces. */
const quoted: ReadonlySet<string> = new Set([
  "upstream_transport_failure_reason",
  "x_forwarded_for",
  "user_agent",
  "request_id",
  "authority",
  "upstream_host",
]);

/** The side of a proxy on which something is logged: what it serves, or what it asks for. */
export type LogSide = "client" | "server";

/** Returns the access loggers of a listener or a filter; none when nothing is logged. */
export function buildAccessLogs(log: AccessLog | undefined, side: LogSide): readonly EnvoyAccessLog[] {
  return log === undefined ? [] : loggers(log, side);
}

const loggers = interned(
  (log: AccessLog) => log,
  (log, what): readonly EnvoyAccessLog[] => {
    const side: LogSide = what === "client" ? "client" : "server";
    const rule = log.rules?.[side];
    if (rule?.kind === "none") return [];
    const filters = [
      ...(what === REFUSED ? [{ responseFlagFilter: { flags: ["NR"] } }] : []),
      ...(rule?.kind === "some" ? [expressionFilter(rule.expression)] : []),
    ];
    const [first, ...others] = filters;
    return [{ ...sinkOf(log), ...(first && { filter: others.length === 0 ? first : { andFilter: { filters } } }) }];
  },
);

const REFUSED = "refused";

/** Returns the filter of what the CEL expression is true of. */
export function expressionFilter(expression: string): AccessLogFilter {
  return {
    extensionFilter: {
      name: "envoy.access_loggers.extension_filters.cel",
      typedConfig: packAny("ExpressionFilter", { expression }),
    },
  };
}

/**
 * Returns the access loggers of a listener: connections that no filter chain took, such as plaintext at a port that
 * wants mutual TLS.
 */
export function buildRefusedConnectionLogs(log: AccessLog | undefined): readonly EnvoyAccessLog[] {
  return log === undefined ? [] : loggers(log, REFUSED);
}

function sinkOf(log: AccessLog): EnvoyAccessLog {
  const logFormat = formatOf(log);
  // Not by path: what stdout is connected to can not always be opened a second time.
  if (log.path === "/dev/stdout")
    return { name: "envoy.access_loggers.stdout", typedConfig: packAny("StdoutAccessLog", { logFormat }) };
  if (log.path === "/dev/stderr")
    return { name: "envoy.access_loggers.stderr", typedConfig: packAny("StderrAccessLog", { logFormat }) };
  return { name: "envoy.access_loggers.file", typedConfig: packAny("FileAccessLog", { path: log.path, logFormat }) };
}

function formatOf(log: AccessLog): SubstitutionFormatString {
  if (log.encoding === "JSON")
    return { jsonFormat: (log.format === undefined ? undefined : parseJsonFormat(log.format)) ?? fields };
  return { textFormatSource: { inlineString: log.format ?? defaultLine() } };
}

/** `[time] "METHOD PATH PROTOCOL" code flags details … route` */
function defaultLine(): string {
  const { start_time, method, path, protocol, ...rest } = fields;
  const words = Object.entries(rest).map(([name, operator]) => (quoted.has(name) ? `"${operator}"` : operator));
  return `[${start_time}] "${method} ${path} ${protocol}" ${words.join(" ")}\n`;
}

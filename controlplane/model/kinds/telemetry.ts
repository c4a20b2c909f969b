// Telemetry: which metrics and access logs workloads produce.
// Field facts: https://istio.io/latest/docs/reference/config/telemetry/
import {
  anyText,
  choice,
  duration,
  fields,
  flag,
  listOf,
  mapOf,
  matchLabelsSelector,
  noEffect,
  number,
  opt,
  policyTargets,
  type SpecFrom,
  text,
} from "../schema.ts";

/** Istio's names of its standard metrics, and the metrics' own. */
export const METRIC_NAMES = {
  REQUEST_COUNT: "istio_requests_total",
  REQUEST_DURATION: "istio_request_duration_milliseconds",
  REQUEST_SIZE: "istio_request_bytes",
  RESPONSE_SIZE: "istio_response_bytes",
  TCP_OPENED_CONNECTIONS: "istio_tcp_connections_opened_total",
  TCP_CLOSED_CONNECTIONS: "istio_tcp_connections_closed_total",
  TCP_SENT_BYTES: "istio_tcp_sent_bytes_total",
  TCP_RECEIVED_BYTES: "istio_tcp_received_bytes_total",
  GRPC_REQUEST_MESSAGES: "istio_request_messages_total",
  GRPC_RESPONSE_MESSAGES: "istio_response_messages_total",
} as const;

const metricChoices = [
  "ALL_METRICS",
  "REQUEST_COUNT",
  "REQUEST_DURATION",
  "REQUEST_SIZE",
  "RESPONSE_SIZE",
  "TCP_OPENED_CONNECTIONS",
  "TCP_CLOSED_CONNECTIONS",
  "TCP_SENT_BYTES",
  "TCP_RECEIVED_BYTES",
  "GRPC_REQUEST_MESSAGES",
  "GRPC_RESPONSE_MESSAGES",
] as const;

const mode = () => opt(choice(["CLIENT_AND_SERVER", "CLIENT", "SERVER"]));
const providers = () => opt(listOf(fields({ name: text() })));

const tagOverride = fields({ operation: opt(choice(["UPSERT", "REMOVE"])), value: opt(text()) });

const override = fields({
  match: opt(
    fields(
      { metric: opt(choice(metricChoices)), customMetric: opt(text()), mode: mode() },
      { atMostOneOf: ["metric", "customMetric"] },
    ),
  ),
  disabled: opt(flag()),
  tagOverrides: opt(mapOf(tagOverride)),
});

const accessLogging = fields({
  match: opt(fields({ mode: mode() })),
  providers: providers(),
  disabled: opt(flag()),
  filter: opt(fields({ expression: opt(text()) })),
});

const namedTag = fields({ name: text(), defaultValue: opt(anyText()) });
const customTag = fields(
  {
    literal: opt(fields({ value: text() })),
    environment: opt(namedTag),
    header: opt(namedTag),
    formatter: opt(fields({ value: text() })),
  },
  { atMostOneOf: ["literal", "environment", "header", "formatter"] },
);

const tracing = fields({
  match: opt(fields({ mode: mode() })),
  providers: providers(),
  randomSamplingPercentage: opt(number(0, 100)),
  disableSpanReporting: opt(flag()),
  customTags: opt(mapOf(customTag)),
  useRequestIdForTraceSampling: opt(flag()),
  enableIstioTags: opt(flag()),
  disableContextPropagation: opt(flag()),
});

/** The schema of a Telemetry's spec. Tracing is known, and not done. */
export const telemetrySchema = fields(
  {
    selector: opt(matchLabelsSelector),
    metrics: opt(
      listOf(
        fields({
          providers: providers(),
          overrides: opt(listOf(override)),
          reportingInterval: noEffect(duration(), "connections are reported every 5s"),
        }),
      ),
    ),
    accessLogging: opt(listOf(accessLogging)),
    tracing: noEffect(listOf(tracing)),
    ...policyTargets,
  },
  { atMostOneOf: ["selector", "targetRefs", "targetRef"] },
);

export type TelemetrySpec = SpecFrom<typeof telemetrySchema>;
export type MetricOverrideSpec = SpecFrom<typeof override>;
export type AccessLoggingSpec = SpecFrom<typeof accessLogging>;
export type TelemetryMode = NonNullable<NonNullable<AccessLoggingSpec["match"]>["mode"]>;

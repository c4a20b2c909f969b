// The telemetry filter's configuration, which config.ts reads: config.schema.json and the control plane's types come
// from here.
import { choice, DIALECT, fields, flag, integer, listOf, mapOf, only, opt, text, texts } from "../schema.ts";
import { METRICS, TCP_METRICS } from "./labels.ts";

const tag = fields(
  {
    value: opt(text("A CEL expression over Envoy's attributes; what it cannot compute is unknown.")),
    remove: opt(only(true)),
  },
  { minProperties: 1, maxProperties: 1 },
);

export const metricSchema = fields({
  name: opt(choice([...METRICS, ...TCP_METRICS], "Default: all metrics.")),
  disabled: opt(flag("Not counted.")),
  tags: opt(mapOf(tag)),
});

export const configSchema = fields(
  {
    reporter: choice(["source", "destination"], "source: on outbound listeners; destination: on inbound ones."),
    protocol: opt(
      choice(
        ["http", "tcp"],
        "http: an HTTP filter that counts requests; " +
          "tcp: a network filter that counts connections (telemetry.wasm alone, not mesh.wasm).",
        { default: "http" },
      ),
    ),
    maxLabelSets: opt(
      integer(
        1,
        100_000,
        "Label sets that are told apart; all that come after them are counted in one whose values are overflow.",
        { default: 2000 },
      ),
    ),
    declaredTags: opt(
      texts("Labels beyond the standard ones for which the bootstrap has a stats tag; no others can be used."),
    ),
    metrics: opt(listOf(metricSchema, "Changes of the standard metrics; later ones win.")),
  },
  { $schema: DIALECT, title: "Scrim telemetry filter" },
);

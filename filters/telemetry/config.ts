// consumes: the telemetry filter's JSON (config.schema.json)
// produces: what is counted, on which side, and how
// never does: take a label that the bootstrap did not declare: Envoy would show it as a part of the metric's name
import { Bytes, Expression, getProperty, Json, log, LogLevel, propertyPath } from "as-proxy-wasm-sdk";
import { LABELS, METRICS, TCP_METRICS } from "./labels";
import { MetricPlans } from "./metric-plan";

/** The most label sets of one configured filter unless it says otherwise. */
const DEFAULT_SETS: i32 = 2000;
/** Names of extra labels that this proxy's bootstrap has declared, joined with commas. */
const DECLARED = propertyPath("xds\0node\0metadata\0EXTRA_STAT_TAGS");

/** Which end of the connection this filter counts at. */
export enum Reporter {
  Source,
  Destination,
}

/** A configuration that was read; look at the document's error before using it. */
export class Settings {
  reporter: Reporter = Reporter.Source;
  /** Connections are counted, not requests. */
  tcp: bool = false;
  mostSets: i32 = DEFAULT_SETS;
  plans: MetricPlans = new MetricPlans(METRICS);

  /** Returns the same settings for connections. */
  forTunnels(): Settings {
    const other = new Settings();
    other.reporter = this.reporter;
    other.tcp = true;
    other.mostSets = this.mostSets;
    other.plans = this.tunnelPlans;
    return other;
  }

  /** What is counted of tunnels, which are connections inside a request. */
  tunnelPlans: MetricPlans = new MetricPlans(TCP_METRICS);
}

/** Returns what a configuration says. */
export function readSettings(json: Json): Settings {
  const settings = new Settings();
  json.object().only(["reporter", "protocol", "maxLabelSets", "declaredTags", "metrics"]);
  const reporter = json.get("reporter").string();
  if (reporter != "source" && reporter != "destination") json.get("reporter").fail("source or destination");
  settings.reporter = reporter == "source" ? Reporter.Source : Reporter.Destination;
  const protocol = json.get("protocol");
  if (!protocol.isMissing) {
    const text = protocol.string();
    if (text != "http" && text != "tcp") protocol.fail("http or tcp");
    settings.tcp = text == "tcp";
  }
  if (settings.tcp) settings.plans = new MetricPlans(TCP_METRICS);
  settings.mostSets = i32(json.get("maxLabelSets").integerOr(DEFAULT_SETS, 1, 100_000));
  const declared = declaredTags(json.get("declaredTags"));
  const overrides = json.get("metrics").list();
  for (let i = 0; i < overrides.length; i++) {
    readOverride(overrides.at(i), settings.plans, declared);
    if (!settings.tcp && settings.reporter == Reporter.Source)
      readOverride(overrides.at(i), settings.tunnelPlans, declared);
  }
  return settings;
}

function declaredTags(json: Json): string[] {
  const names = new Array<string>();
  json.list();
  for (let i = 0; i < json.length; i++) names.push(json.at(i).string());
  return names;
}

/** One entry: for one metric, or for all where it names none. Later entries change what earlier ones said. */
function readOverride(json: Json, plans: MetricPlans, declared: string[]): void {
  json.object().only(["name", "disabled", "tags"]);
  const name = json.get("name");
  const text = name.isMissing ? "" : name.string();
  const index = plans.find(text);
  // A mesh has one list for requests and connections: what is for the other kind is no mistake.
  if (!name.isMissing && index < 0 && !METRICS.includes(text) && !TCP_METRICS.includes(text))
    name.fail("one of " + METRICS.join(", ") + ", " + TCP_METRICS.join(", "));
  const first = name.isMissing ? 0 : index;
  const last = name.isMissing ? plans.plans.length - 1 : index;
  const disabled = json.get("disabled");
  if (!disabled.isMissing) {
    const value = disabled.boolean();
    for (let i = max(first, 0); i <= last; i++) plans.plans[i].disabled = value;
  }
  const tags = json.get("tags");
  if (tags.isMissing) return;
  tags.object();
  for (let i = 0; i < tags.length; i++) readTag(tags.at(i), plans, first, last, declared);
}

/** `{"value": "<CEL>"}` sets a label, `{"remove": true}` leaves it out. */
function readTag(json: Json, plans: MetricPlans, first: i32, last: i32, declared: string[]): void {
  json.object().only(["value", "remove"]);
  if (json.length != 1) return json.fail("exactly one of value, remove");
  const label = json.name;
  if (!LABELS.includes(label) && !declared.includes(label)) {
    return json.failWith(
      "label " + label + " is not among declaredTags: the proxy's bootstrap must have a stats tag of that name",
    );
  }
  if (!LABELS.includes(label) && !isKnownToProxy(label)) return;
  let expression = -1;
  const value = json.get("value");
  if (value.isMissing) {
    if (!json.get("remove").boolean()) json.get("remove").fail("true");
  } else {
    expression = plans.indexOf(value.string());
    if (expression < 0) {
      const compiled = Expression.create(Bytes.of(value.string()));
      if (compiled == null) return value.failWith("Envoy does not understand this expression");
      expression = plans.add(value.string(), compiled);
    }
  }
  for (let i = max(first, 0); i <= last; i++) plans.plans[i].change(label, expression);
  if (LABELS.includes(label)) plans.leavesOut = true;
}

/**
 * A proxy that says which extra labels its bootstrap declares is believed: one that started before a label was declared
 * goes without it.
 */
function isKnownToProxy(label: string): bool {
  const declared = getProperty(DECLARED);
  if (declared == null || declared.toString().split(",").includes(label)) return true;
  log(
    LogLevel.Warn,
    "telemetry: label " + label + " is left out: this proxy's bootstrap does not declare it, restart the proxy",
  );
  return false;
}

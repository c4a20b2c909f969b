import { exchangeName, type Observation, type Scenario, type ScenarioOutcome } from "proxy-wasm-host";

// What Envoy's codecs and connection manager add or take away around the filter, on which a Wasm host has no say.
const NOT_COMPARED = new Set([
  "date",
  "server",
  "connection",
  "transfer-encoding",
  "content-length",
  "x-forwarded-proto",
  "x-request-id",
  "keep-alive",
  ":scheme",
  "x-envoy-expected-rq-timeout-ms",
  "te",
  "x-forwarded-for",
  "x-envoy-internal",
  "retry-after",
]);

type Pairs = readonly (readonly [string, string])[];

/** Headers as text, those that are compared, without the order of different names. */
function comparable(headers: Pairs): string {
  const lines = headers.filter(([name]) => !NOT_COMPARED.has(name)).map(([name, value]) => `${name}: ${value}`);
  const names = [...new Set(lines.map((line) => line.slice(0, line.indexOf(":", 1))))].sort();
  return names.flatMap((name) => lines.filter((line) => line.startsWith(`${name}: `))).join("\n");
}

function differences(host: Observation, envoy: Observation): string[] {
  const upstream = (seen: Observation["upstream"]): string =>
    seen ? `${comparable(seen.headers)}\n\n${seen.body}` : "nothing";
  const callouts = (seen: Observation["callouts"]): string =>
    seen
      .map((call) => `${call.cluster} ${call.headers.find(([name]) => name === ":path")?.[1]} ${call.body}`)
      .join("\n");
  const views: readonly (readonly [string, string, string])[] = [
    ["status", String(host.status), String(envoy.status)],
    ["details", host.details, envoy.details],
    ["response headers", comparable(host.headers), comparable(envoy.headers)],
    ["body", host.body, envoy.body],
    ["what upstream saw", upstream(host.upstream), upstream(envoy.upstream)],
    ["callouts", callouts(host.callouts), callouts(envoy.callouts)],
    [
      "filter state",
      JSON.stringify(Object.keys(envoy.filterState).map((name) => host.filterState[name])),
      JSON.stringify(Object.values(envoy.filterState)),
    ],
  ];
  return views
    .filter(([, one, other]) => one !== other)
    .map(([what, one, other]) => {
      const [here, there] = onlyDifferent(one.split("\n"), other.split("\n"));
      return `${what}: the host has ${JSON.stringify(here)}, Envoy ${JSON.stringify(there)}`;
    });
}

/** The lines that only one of two texts has, in a row; of texts with the same lines, all. */
function onlyDifferent(one: readonly string[], other: readonly string[]): [string, string] {
  const [here, there] = [one.filter((line) => !other.includes(line)), other.filter((line) => !one.includes(line))];
  return here.length + there.length === 0 ? [one.join("\n"), other.join("\n")] : [here.join("\n"), there.join("\n")];
}

/** Where the host and Envoy differ over a scenario, also in what its table leaves open; empty if nowhere. */
export function disagreements(scenario: Scenario, host: ScenarioOutcome, envoy: ScenarioOutcome): string[] {
  if (host.kind === "refused" || envoy.kind === "refused")
    return host.kind === envoy.kind
      ? []
      : [`the host ${host.kind === "ran" ? "accepted" : "refused"} the configuration, Envoy did not`];
  const said = scenario.comparesLogs ? lineDifferences(host.logs, envoy.logs) : [];
  return said.concat(
    scenario.exchanges.flatMap((exchange, i) => {
      const [one, other] = [host.observations[i], envoy.observations[i]];
      return one && other
        ? differences(one, other).map((difference) => `${exchangeName(exchange)}: ${difference}`)
        : [`${exchangeName(exchange)}: it did not run in both`];
    }),
  );
}

/** Lines that only one of the two has; Envoy has those of starting more than once. */
function lineDifferences(host: readonly string[], envoy: readonly string[]): string[] {
  const only = (who: string, some: readonly string[], others: readonly string[]): string[] =>
    [...new Set(some)]
      .filter((line) => !others.includes(line) && !line.startsWith("date: "))
      .map((line) => `only ${who} has the line ${JSON.stringify(line)}`);
  return [...only("the host", host, envoy), ...only("Envoy", envoy, host)];
}

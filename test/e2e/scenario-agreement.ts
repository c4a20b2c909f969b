import { exchangeName, type Observation, type Scenario, type ScenarioOutcome } from "proxy-wasm-host";

// What Envoy's codecs and connection manager add or take away around the filter, on which a Wasm host has no say.
const NOT_COMPARED = new Set(["date", "server", "connection", "transfer-encoding", "content-length", "x-forwarded-proto", "x-request-id", "keep-alive", ":scheme", "x-envoy-expected-rq-timeout-ms", "te", "x-forwarded-for", "x-envoy-internal"]);

type Pairs = readonly (readonly [string, string])[];

/** Headers as text, those that are compared, without the order of different names. */
function comparable(headers: Pairs): string {
  const lines = headers.filter(([name]) => !NOT_COMPARED.has(name)).map(([name, value]) => `${name}: ${value}`);
  const names = [...new Set(lines.map((line) => line.slice(0, line.indexOf(":", 1))))].sort();
  return names.flatMap((name) => lines.filter((line) => line.startsWith(`${name}: `))).join("\n");
}

function differences(host: Observation, envoy: Observation): string[] {
  const upstream = (seen: Observation["upstream"]): string => (seen ? `${comparable(seen.headers)}\n\n${seen.body}` : "nothing");
  const callouts = (seen: Observation["callouts"]): string => seen.map((call) => `${call.cluster} ${call.headers.find(([name]) => name === ":path")?.[1]} ${call.body}`).join("\n");
  const views: readonly (readonly [string, string, string])[] = [
    ["status", String(host.status), String(envoy.status)],
    ["details", host.details, envoy.details],
    ["response headers", comparable(host.headers), comparable(envoy.headers)],
    ["body", host.body, envoy.body],
    ["what upstream saw", upstream(host.upstream), upstream(envoy.upstream)],
    ["callouts", callouts(host.callouts), callouts(envoy.callouts)],
    ["filter state", JSON.stringify(Object.keys(envoy.filterState).map((name) => host.filterState[name])), JSON.stringify(Object.values(envoy.filterState))],
  ];
  return views.filter(([, one, other]) => one !== other).map(([what, one, other]) => `${what}: the host has ${JSON.stringify(one)}, Envoy ${JSON.stringify(other)}`);
}

/** Where the host and Envoy differ over a scenario, also in what its table leaves open; empty if nowhere. */
export function disagreements(scenario: Scenario, host: ScenarioOutcome, envoy: ScenarioOutcome): string[] {
  if (host.kind === "refused" || envoy.kind === "refused") return host.kind === envoy.kind ? [] : [`the host ${host.kind === "ran" ? "accepted" : "refused"} the configuration, Envoy did not`];
  return scenario.exchanges.flatMap((exchange, i) => {
    const [one, other] = [host.observations[i], envoy.observations[i]];
    return one && other ? differences(one, other).map((difference) => `${exchangeName(exchange)}: ${difference}`) : [`${exchangeName(exchange)}: it did not run in both`];
  });
}

// Host calls in random order, phase by phase (always the same ones: the seed is fixed): the Wasm host and Envoy must
// answer each alike.
import fc from "fast-check";
import type { Exchange, Scenario } from "proxy-wasm-host";
import { buildFixture } from "./testing/build.ts";

/** Builds the module that does as it is told. */
export async function prepare(): Promise<void> {
  await buildFixture("script", "convenient");
}

const NUMBER_OF_SCRIPTS = 80;
const SEED = 99;

const name = fc.constantFrom(
  "x-a",
  "X-A",
  "x-b",
  "x-new",
  "content-type",
  "authorization",
  "cookie",
  ":path",
  ":status",
  "server",
  "",
);
const value = fc.constantFrom("", "1", "two words", "a,b", "\u00e9", "0");
const map = fc.constantFrom("0", "0", "2", "2", "1", "3", "6", "9");
const buffer = fc.constantFrom("0", "1", "0", "1", "4", "6", "7", "9");
const small = fc.constantFrom("0", "1", "3", "5", "100");
const property = fc.constantFrom(
  "request/path",
  "request/headers/x-a",
  "request/size",
  "response/code",
  "response/headers/x-b",
  "response/size",
  "source/address",
  "state",
  "xds/route_name",
  "nothing/at/all",
  "plugin_name",
  "request/total_size",
);

const reading = fc.oneof(
  fc.tuple(fc.constant("get"), map, name),
  fc.tuple(fc.constant("pairs"), map),
  fc.tuple(fc.constant("read"), buffer, small, small),
  fc.tuple(fc.constant("length"), buffer),
  fc.tuple(fc.constant("property"), property),
  fc.tuple(fc.constant("shared"), fc.constantFrom("k", "l")),
);
const writing = fc.oneof(
  fc.tuple(fc.constant("add"), map, name, value),
  fc.tuple(fc.constant("replace"), map, name, value),
  fc.tuple(fc.constant("remove"), map, name),
  fc.tuple(fc.constant("setProperty"), fc.constantFrom("state", "other"), value),
  fc.tuple(fc.constant("share"), fc.constantFrom("k", "l"), value),
  fc.tuple(fc.constant("write"), buffer, small, small, value),
);
// Breaking a request's :path or a response's :status makes Envoy answer for itself, which is not the host's business.
const isHarmless = (call: readonly string[]): boolean =>
  !(["add", "replace", "remove"].includes(call[0] ?? "") && (call[2] === "" || call[2]?.startsWith(":")));
const calls = (most: number): fc.Arbitrary<string[][]> =>
  fc.array(
    fc
      .oneof(reading, writing)
      .map((call) => [...call] as string[])
      .filter(isHarmless),
    { maxLength: most },
  );
const phase = (most: number): fc.Arbitrary<{ readonly calls: string[][]; readonly answer: number }> =>
  fc.record({ calls: calls(most), answer: fc.constant(0) });
const reply = fc.constantFrom<readonly string[]>(
  ["reply", "418", "short and stout", "teapot"],
  ["reply", "200", "", ""],
  ["reply", "503", "x", "y"],
);

const script = fc.record({
  request_headers: fc.oneof(
    { weight: 4, arbitrary: phase(6) },
    {
      weight: 1,
      arbitrary: fc
        .tuple(calls(3), reply, calls(2))
        .map(([before, answer, after]) => ({ calls: [...before, answer, ...after], answer: 1 })),
    },
  ),
  request_body: phase(4),
  response_headers: phase(6),
  response_body: phase(4),
  // In the log a response has a date.
  log: phase(4).map((one) => ({ ...one, calls: one.calls.filter((call) => call[0] !== "pairs") })),
});

const exchanges: readonly Exchange[] = [
  {
    name: "no body",
    headers: { "x-a": ["1", "2"], cookie: "c" },
    upstream: { headers: { "x-b": ["3", "4"] } },
    expect: {},
  },
  {
    name: "bodies",
    method: "POST",
    headers: { "x-a": "1" },
    body: ["que", "stion"],
    upstream: { headers: { "x-b": "3" }, body: ["ans", "wer"] },
    expect: {},
  },
];

export const scenarios: readonly Scenario[] = fc
  .sample(script, { numRuns: NUMBER_OF_SCRIPTS, seed: SEED })
  .map((configuration, i) => ({
    name: `script ${i}`,
    module: "fixtures/script-convenient",
    configuration,
    exchanges,
    comparesLogs: true,
  }));

// The command line of the benches, as one typed value.

export const BENCHES = ["filters", "hotswap", "controlplane", "endurance", "chain"] as const;
export type Bench = (typeof BENCHES)[number];

/** What was asked for. Undefined numbers mean the bench's own default. */
export interface BenchOptions {
  readonly bench: Bench;
  readonly quick: boolean;
  readonly json: string | undefined;
  readonly svg: string | undefined;
  readonly only: readonly string[];
  /** Where the control plane's mesh is. */
  readonly from: "files" | "kubernetes";
  readonly rounds: number | undefined;
  readonly seconds: number | undefined;
  readonly connections: number | undefined;
  readonly swaps: number | undefined;
  readonly streams: number | undefined;
  readonly growth: number | undefined;
  readonly proxies: number | undefined;
  readonly services: number | undefined;
  readonly changes: number | undefined;
  readonly partitionMinutes: number | undefined;
  readonly hours: number | undefined;
}

export type OptionsResult =
  | { readonly kind: "options"; readonly options: BenchOptions }
  | { readonly kind: "help" }
  | { readonly kind: "refused"; readonly message: string };

/** Bounds of the numbers: a bench ends, whatever it was asked for. */
const NUMBERS: Readonly<Record<string, readonly [number, number]>> = {
  rounds: [1, 100],
  seconds: [0.2, 60],
  connections: [1, 512],
  swaps: [1, 2000],
  streams: [0, 4000],
  growth: [0, 1_000_000_000],
  proxies: [1, 2000],
  services: [1, 2000],
  changes: [1, 200],
  "partition-minutes": [0, 1440],
  hours: [0, 168],
};
/** Where one bench means something else by a number. */
const OWN_NUMBERS: Partial<Record<Bench, typeof NUMBERS>> = {
  endurance: { changes: [0, 1_000_000], proxies: [0, 2000] },
};
/** These need not be whole. */
const FRACTIONS = ["seconds", "partition-minutes", "hours"];
const TEXTS = ["json", "svg", "only", "from"];

export const HELP = `npm run bench -- BENCH [options]

  filters       what each filter costs: an Envoy with one worker, interleaved rounds, CPU of the Envoy process per
                request and over an empty chain, p50 and p99 at 70 % of the load it bears, throughput, memory
      --rounds N        rounds over all cases (5)             --seconds S     length of one measurement (2)
      --connections N   open connections (16)
      --only A,B        only these cases (the empty chain is always there)
      --svg FILE        where the picture goes (build/bench/filters.svg)
      --growth N        requests after which memory is looked at, without Envoy (10,000,000; 0: not at all)
  hotswap       new versions of a Wasm module by ECDS on a live Envoy under load: failed requests, time until the last
                old answer also on open gRPC and WebSocket streams, quota kept across versions of the rate limit,
                memory after 1,000 swaps
      --swaps N         how many (100)                        --connections N open connections (16)
      --streams N       open streams, half of each kind (1000)
  controlplane  the whole control plane, from files to gRPC over TLS, and delta clients in a process of their own:
                connect all, change one VirtualService, one endpoint, the MeshConfig
                at 100 and 500 proxies with 500 services, and at 1,000 with 1,000, unless one size is asked for:
      --proxies N       clients (100)                         --services M    services, each with 2 subsets (500)
      --changes N       how often each change is measured, after 15 that are told apart (20)
      --from kubernetes the mesh in a real API server, and its pods' own tokens (files)
  endurance     a mesh of real Envoys and its control plane, for long: first xDS is cut without anybody being told,
                while the mesh's files change; then the control plane is killed and all its proxies come back at once;
                then a day's changes, reconnects and rejections, and whether anything grows with them
      --partition-minutes N   how long xDS is cut (60; 0: not at all)
      --proxies N       how many come back (1,000; 0: none)
      --changes N       how many changes (10,000; 0: none)    --hours N       over so many hours (0: as fast as they go)
  chain         client, sidecar, sidecar, server in network namespaces (as root), captured, mutual TLS: what a request
                costs bare Envoys written by hand, and ours; CPU and memory of each sidecar, p50, p99 and p99.9 in an
                open loop at 70 % of what the slowest of them bears
      --rounds N        rounds over all cases (5)             --seconds S     length of one measurement (5)
      --connections N   open connections (16)                 --only A,B      only these cases beside the bare one

  --json FILE   the results with every single measurement
  --quick       short and coarse: does it work?

Everything stays on this machine, and every process that is started is ended. Nothing else should run
meanwhile: the spread that is printed says how quiet the machine was.
`;

/** Returns the options that the arguments after \`npm run bench --\` mean. */
export function parseOptions(args: readonly string[]): OptionsResult {
  if (args.length === 0 || args.includes("--help") || args.includes("-h")) return { kind: "help" };
  const [bench, ...rest] = args;
  if (!isBench(bench))
    return { kind: "refused", message: `no bench ${String(bench)}: there are ${BENCHES.join(", ")}` };
  const given: Given = { numbers: {}, texts: {}, isQuick: false };
  const problem = readArguments(rest, { ...NUMBERS, ...OWN_NUMBERS[bench] }, given);
  if (problem !== undefined) return { kind: "refused", message: problem };
  const { "partition-minutes": partitionMinutes, ...numbers } = given.numbers;
  const { json, svg, only = "", from = "files" } = given.texts;
  if (from !== "files" && from !== "kubernetes") return { kind: "refused", message: "--from is files or kubernetes" };
  return {
    kind: "options",
    options: {
      bench,
      quick: given.isQuick,
      json,
      svg,
      only: only === "" ? [] : only.split(","),
      from,
      rounds: numbers["rounds"],
      seconds: numbers["seconds"],
      connections: numbers["connections"],
      swaps: numbers["swaps"],
      streams: numbers["streams"],
      growth: numbers["growth"],
      proxies: numbers["proxies"],
      services: numbers["services"],
      changes: numbers["changes"],
      partitionMinutes,
      hours: numbers["hours"],
    },
  };
}

/** What arguments say, by option. */
interface Given {
  readonly numbers: Record<string, number>;
  readonly texts: Record<string, string>;
  isQuick: boolean;
}

/** Adds what the arguments say; returns what is wrong with the first that is. */
function readArguments(args: readonly string[], allowed: typeof NUMBERS, given: Given): string | undefined {
  for (let at = 0; at < args.length; at++) {
    const [name = "", attached] = (args[at] ?? "").replace(/^--/, "").split(/=(.*)/s);
    if (name === "quick") {
      given.isQuick = true;
      continue;
    }
    const problem = take(name, attached ?? args[++at], allowed, given);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

function take(
  name: string,
  value: string | undefined,
  allowed: typeof NUMBERS,
  { numbers, texts }: Given,
): string | undefined {
  const bounds = allowed[name];
  if (bounds === undefined && !TEXTS.includes(name)) return `unknown option --${name}: see --help`;
  if (value === undefined || value === "") return `--${name} needs a value`;
  if (bounds === undefined) {
    texts[name] = value;
    return undefined;
  }
  const number = Number(value);
  const [least, most] = bounds;
  if (!(number >= least && number <= most) || (!FRACTIONS.includes(name) && !Number.isInteger(number)))
    return `--${name} must be ${FRACTIONS.includes(name) ? "a number" : "a whole number"} from ${least} to ${most}`;
  numbers[name] = number;
  return undefined;
}

function isBench(text: string | undefined): text is Bench {
  return BENCHES.some((bench) => bench === text);
}

// Runs scenarios (test/host/scenario.ts) on a real Envoy: one process for many of them.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  encodeStructValue,
  type Exchange,
  exchangeName,
  nextAnswer,
  type Observation,
  type Scenario,
  type ScenarioOutcome,
  type ScenarioRunner,
  type SeenCallout,
} from "proxy-wasm-host";
import { removeScratchDirectory, scratchDirectory } from "../../support/children.ts";
import { type Envoy, startEnvoy } from "../../support/envoy.ts";
import {
  metadataHeader,
  metadataKeys,
  type ScenarioPlaces,
  scenarioBootstrap,
  scenarioListener,
  stateNames,
} from "./scenario-bootstrap.ts";
import { sendExchange } from "./scenario-client.ts";
import { CalloutCluster, ScenarioUpstream } from "./scenario-upstream.ts";
import { TestIdentities } from "../../support/test-identities.ts";

const DEADLINE_MS = 20_000;
const QUIET_MS = 40;
const QUIET_READS = 3;

/** What `EnvoyScenarios.start` is told. */
export interface EnvoyScenarioOptions {
  readonly scenarios: readonly Scenario[];
  readonly modulePath: (module: string) => string;
  /**
   * Other filters in place of the module: the same scenarios on another engine. Metrics and logs are then not the
   * module's.
   */
  readonly httpFilters?: ((scenario: Scenario) => readonly unknown[]) | undefined;
}

async function until<T>(read: () => T | undefined | Promise<T | undefined>): Promise<T | undefined> {
  const deadline = Date.now() + DEADLINE_MS;
  for (let pauseMs = 5; ; pauseMs = Math.min(pauseMs * 2, 100)) {
    const value = await read();
    if (value !== undefined || Date.now() > deadline) return value;
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
}

/** A running Envoy with a listener for each scenario, its upstream and its clusters for callouts. */
export class EnvoyScenarios implements ScenarioRunner {
  readonly #options: EnvoyScenarioOptions;
  readonly #directory = scratchDirectory();
  readonly #identities = new TestIdentities();
  readonly #upstream = new ScenarioUpstream();
  readonly #callouts: CalloutCluster[] = [];
  #envoy: Envoy | undefined;
  #ports = new Map<number, number>();
  #current: Scenario | undefined;
  #answered = new Map<string, number>();
  #seen: SeenCallout[] = [];

  private constructor(options: EnvoyScenarioOptions) {
    this.#options = options;
  }

  /**
   * Starts Envoy and waits until every listener is up or refused. All scenarios must have the same node metadata.
   * Throws with Envoy's log if it ends.
   */
  static async start(options: EnvoyScenarioOptions): Promise<EnvoyScenarios> {
    const self = new EnvoyScenarios(options);
    try {
      await self.#start();
    } catch (error) {
      await self.stop();
      throw error;
    }
    return self;
  }

  /** Everything Envoy logged so far. */
  log(): string {
    return this.#read("log");
  }

  async run(scenario: Scenario): Promise<ScenarioOutcome> {
    const index = this.#options.scenarios.indexOf(scenario);
    const port = this.#ports.get(index);
    if (port === undefined) return { kind: "refused", reason: this.#refusal(scenario, index) };
    this.#current = scenario;
    this.#answered = new Map();
    const before = await this.#stats(scenario);
    const observations: Observation[] = [];
    for (const exchange of scenario.exchanges) observations.push(await this.#exchange(scenario, exchange, port));
    const since = (now: Readonly<Record<string, number>>): Record<string, number> =>
      Object.fromEntries(Object.entries(now).map(([name, value]) => [name, value - (before[name] ?? 0)]));
    const wanted = { ...scenario.metrics, ...scenario.samples };
    // Log callbacks come after the client has its answer, and histograms when they are flushed.
    let counted: Record<string, number> = {};
    const pending = async (): Promise<true | undefined> => {
      counted = since(await this.#stats(scenario));
      return Object.entries(wanted).every(([name, value]) => (counted[name] ?? 0) === value) ? true : undefined;
    };
    if (Object.keys(wanted).length > 0) await until(pending);
    const logs = await this.#logs(scenario);
    const pick = (names: Readonly<Record<string, number>> = {}): Record<string, number> =>
      Object.fromEntries(Object.keys(names).map((name) => [name, counted[name] ?? 0]));
    return { kind: "ran", observations, metrics: pick(scenario.metrics), samples: pick(scenario.samples), logs };
  }

  async stop(): Promise<void> {
    this.#upstream.stop();
    for (const cluster of this.#callouts) cluster.stop();
    await this.#envoy?.stop();
    removeScratchDirectory(this.#directory);
  }

  #read(name: string): string {
    const file = join(this.#directory, name);
    return existsSync(file) ? readFileSync(file, "utf8") : "";
  }

  async #start(): Promise<void> {
    const { scenarios, modulePath, httpFilters } = this.#options;
    const at = (name: string): string => join(this.#directory, name);
    const places: ScenarioPlaces = {
      accessLog: at("access"),
      listeners: at("listeners.json"),
      upstreamPort: await this.#upstream.start(),
      calloutPorts: await this.#startCallouts(),
      modulePath,
      httpFilters,
    };
    writeFileSync(
      places.listeners,
      JSON.stringify({
        resources: scenarios.map((scenario, i) => scenarioListener(scenario, i, places, this.#identities)),
      }),
    );
    this.#envoy = await startEnvoy(scenarioBootstrap(scenarios, places), {
      directory: this.#directory,
      componentLogLevel: "wasm:debug",
    });
    await this.#envoy.ready();
    const listeners = JSON.parse(await this.#envoy.admin("/listeners?format=json")) as {
      listener_statuses?: { name: string; local_address: { socket_address: { port_value: number } } }[];
    };
    for (const { name, local_address } of listeners.listener_statuses ?? [])
      this.#ports.set(Number(name.split(" ")[1]), local_address.socket_address.port_value);
  }

  async #startCallouts(): Promise<Map<string, number>> {
    const ports = new Map<string, number>();
    for (const name of new Set(this.#options.scenarios.flatMap(({ callouts }) => Object.keys(callouts ?? {})))) {
      const cluster = new CalloutCluster(
        name,
        () => this.#current && nextAnswer(this.#current, name, this.#answered),
        (call) => this.#seen.push(call),
      );
      this.#callouts.push(cluster);
      ports.set(name, await cluster.start());
    }
    return ports;
  }

  async #exchange(scenario: Scenario, exchange: Exchange, port: number): Promise<Observation> {
    this.#upstream.exchange = exchange;
    this.#upstream.seen = undefined;
    this.#seen = [];
    const begin = this.#read("access").length;
    const values = metadataKeys(scenario)
      .map(([namespace, name], i) => [metadataHeader(i), exchange.metadata?.[namespace]?.[name]] as const)
      .filter(([, value]) => value !== undefined);
    const carried = Object.fromEntries(
      values.map(([header, value]) => [header, encodeStructValue(value ?? null).toString("base64")]),
    );
    const answer = await sendExchange(
      port,
      { ...exchange, headers: { ...exchange.headers, ...carried } },
      this.#identities,
      DEADLINE_MS,
    ).catch((error: Error) => {
      throw new Error(`${scenario.name}, ${exchangeName(exchange)}: ${error.message}\n${this.log().slice(-2000)}`);
    });
    const line = await until(() => this.#accessLine(answer.from, begin));
    const states = stateNames(scenario)
      .map((name, i) => [name, line?.[`state${i}`]] as const)
      .filter((pair): pair is [string, string] => typeof pair[1] === "string");
    const reset = answer.status === 0;
    return {
      status: answer.status,
      body: answer.body,
      headers: answer.headers,
      upstream: this.#upstream.seen,
      callouts: this.#seen,
      details: reset ? "" : String(line?.["details"] ?? ""),
      filterState: Object.fromEntries(states),
    };
  }

  /** The log's line for a connection, from `begin` on: addresses come again. */
  #accessLine(from: string, begin: number): Record<string, string | null> | undefined {
    const line = this.#read("access")
      .slice(begin)
      .split("\n")
      .find((one) => one.endsWith("}") && one.includes(`"${from}"`));
    return line === undefined ? undefined : (JSON.parse(line) as Record<string, string | null>);
  }

  async #stats(scenario: Scenario): Promise<Record<string, number>> {
    if (Object.keys({ ...scenario.metrics, ...scenario.samples }).length === 0) return {};
    const filter = `filter=${encodeURIComponent("^wasmcustom\\.")}`;
    const text = (await this.#envoy?.admin(`/stats?${filter}`)) ?? "";
    const numbers = text
      .split("\n")
      .filter((line) => /: \d+$/.test(line))
      .map(
        (line) =>
          [
            line.slice("wasmcustom.".length, line.lastIndexOf(":")),
            Number(line.slice(line.lastIndexOf(":") + 1)),
          ] as const,
      );
    if (Object.keys(scenario.samples ?? {}).length === 0) return Object.fromEntries(numbers);
    const histograms = ((await this.#envoy?.admin(`/stats?histogram_buckets=cumulative&${filter}`)) ?? "")
      .split("\n")
      .filter((line) => /: B/.test(line) || /: No recorded values$/.test(line))
      .map(
        (line) =>
          [
            line.slice("wasmcustom.".length, line.indexOf(": ")),
            Math.max(0, ...[...line.matchAll(/B[^(]*\(\d+,(\d+)\)/g)].map((match) => Number(match[1]))),
          ] as const,
      );
    return Object.fromEntries([...numbers, ...histograms]);
  }

  /** The module's lines for this scenario; waits for those it asks for. */
  async #logs(scenario: Scenario): Promise<string[]> {
    const read = (): string[] => this.#moduleLines(scenario);
    const all = (): string[] | undefined => {
      const lines = read();
      return (scenario.logged ?? []).every((wanted) =>
        lines.some((line) => (wanted instanceof RegExp ? wanted.test(line) : line.includes(wanted))),
      )
        ? lines
        : undefined;
    };
    if (scenario.logged) await until(all);
    if (scenario.logged || scenario.comparesLogs) await this.#untilQuiet();
    return read();
  }

  /** Envoy writes its log with a delay, longer on a busy machine. */
  async #untilQuiet(): Promise<void> {
    let size = -1;
    for (let same = 0; same < QUIET_READS; await new Promise((resolve) => setTimeout(resolve, QUIET_MS))) {
      const now = this.log().length;
      same = now === size ? same + 1 : 0;
      size = now;
    }
  }

  /** What the scenario's module logged; Envoy names the plugin, and in streams also its vm_id. */
  #moduleLines(scenario: Scenario): string[] {
    const marks = [`wasm log ${scenario.name}: `, `wasm log ${scenario.name} ${scenario.vmId ?? scenario.name}: `];
    return this.log()
      .split("\n")
      .flatMap((line) =>
        marks.filter((mark) => line.includes(mark)).map((mark) => line.slice(line.indexOf(mark) + mark.length)),
      );
  }

  #refusal(scenario: Scenario, index: number): string {
    const lines = this.log()
      .split("\n")
      .filter((line) => line.includes(`'scenario ${index}'`))
      .map((line) => line.slice(line.indexOf("lds:")));
    return [...this.#moduleLines(scenario), ...lines].join("; ") || this.log().slice(-2000);
  }
}

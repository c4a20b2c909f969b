import { checkedAttributes } from "./attributes.ts";
import { type ConnectionOptions, TcpConnection } from "./connection.ts";
import { Clock, type Environment } from "./environment.ts";
import { type Failure, HostError } from "./errors.ts";
import { planFaults, type PlannedFaults } from "./faults.ts";
import type { GrpcCall } from "./grpc-call.ts";
import type { HostOptions } from "./host-options.ts";
import type { HttpCall } from "./http-call.ts";
import { Metrics } from "./metrics.ts";
import { loadModule } from "./module.ts";
import { toBytes } from "./pairs.ts";
import { PluginInstance } from "./plugin.ts";
import { SharedData } from "./shared-data.ts";
import { SharedQueues } from "./shared-queue.ts";
import type { LogEntry, LogLevel } from "./status.ts";
import { HttpStream } from "./stream.ts";
import type { StreamOptions } from "./stream-options.ts";
import { Vm } from "./vm.ts";

/** Why Envoy would refuse the module or its configuration. */
export type StartStage = "compile" | "abi" | "imports" | "exports" | "start" | "configure";
export type StartResult = { readonly kind: "started"; readonly host: Host } | Failure<StartStage>;
export type ChangeResult = { readonly kind: "changed" } | Failure<StartStage>;

const RELOAD_BASE_MS = 1000;

/** A running simulated proxy. */
export class Host {
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly sharedData: SharedData;
  /** Everything the module logged, oldest first. */
  readonly logs: LogEntry[];
  readonly #environment: Environment;
  readonly #faults: PlannedFaults;
  #options: HostOptions;
  #workers: PluginInstance[] = [];
  #retired: PluginInstance[] = [];

  constructor(options: HostOptions) {
    this.#options = options;
    this.#faults = planFaults(options.faults ?? []);
    this.#environment = {
      clock: new Clock(),
      metrics: new Metrics(),
      sharedData: new SharedData(),
      queues: new SharedQueues(),
      logs: [],
      attributes: checkedAttributes(options.attributes ?? {}),
      clusters: options.clusters && new Set(options.clusters),
      foreignFunctions: options.foreignFunctions ?? {},
      vmId: options.vmId ?? "",
      vmConfiguration: toBytes(options.vmConfiguration ?? ""),
      intercept: options.intercept,
      faults: this.#faults.plan,
      environmentVariables: options.environmentVariables ?? {},
      strict: options.strict,
      violations: new Set(),
      logLevel: options.logLevel ?? "trace",
      httpCalls: [],
      grpcCalls: [],
    };
    this.clock = this.#environment.clock;
    this.metrics = this.#environment.metrics;
    this.sharedData = this.#environment.sharedData;
    this.logs = this.#environment.logs;
  }

  /** A new stream; nothing is called before `sendRequestHeaders`. */
  newStream(options: StreamOptions = {}): HttpStream {
    return new HttpStream(this.#serving(options.worker ?? 0), options);
  }

  /** A new TCP connection through the filter: created, and `proxy_on_new_connection` called. */
  connect(options: ConnectionOptions = {}): TcpConnection {
    return new TcpConnection(this.#serving(options.worker ?? 0), options);
  }

  /** One whole exchange on a new stream (see `HttpStream.run`); returns the stream. */
  run(options: StreamOptions = {}, response?: Parameters<HttpStream["run"]>[0]): HttpStream {
    const stream = this.newStream(options);
    stream.run(response);
    return stream;
  }

  /** Callouts waiting for an answer, oldest first. */
  get httpCalls(): readonly HttpCall[] {
    return [...this.#environment.httpCalls];
  }

  /** gRPC calls and streams that are not over, oldest first. */
  get grpcCalls(): readonly GrpcCall[] {
    return [...this.#environment.grpcCalls];
  }

  /** Somebody puts a message into every shared queue that the module registered. */
  enqueueToAll(message: string | Uint8Array): void {
    this.#environment.queues.enqueueToAll(toBytes(message));
  }

  /** Moves time on; timers fire and callouts time out on the way, each at its moment. */
  advance(milliseconds: number): void {
    const clock = this.#environment.clock;
    const until = clock.monotonicNs + BigInt(Math.round(milliseconds * 1e6));
    for (let next = this.#nextEvent(); next && next.at <= until; next = this.#nextEvent()) {
      if (next.at > clock.monotonicNs) clock.move(next.at - clock.monotonicNs);
      next.work();
    }
    clock.move(until - clock.monotonicNs);
  }

  /**
   * Throws a HostError (`NOT_CLEAN`) that lists every callback beyond the strict limits, streams that never ended,
   * callouts nobody waits for the end of, roots that stayed behind, faults that never happened, and memory that grew
   * after the warm-up. Call it at a test's end, when all streams have ended.
   */
  verify(): void {
    const problems = [...this.#environment.violations, ...this.#faults.missed()];
    const instances = [...this.#workers, ...this.#retired.filter((instance) => !instance.isGone)];
    for (const { openStreams, vm } of instances)
      if (openStreams > 0)
        problems.push(`contexts of worker ${vm.worker}: expected every stream to have ended, ${openStreams} did not`);
    for (const { openStreams, vm, name } of this.#retired.filter((instance) => !instance.isGone))
      if (openStreams === 0)
        problems.push(
          `contexts of worker ${vm.worker}: ` +
            `a former root of ${name} answered false to proxy_on_done and never called proxy_done`,
        );
    for (const call of this.#environment.httpCalls)
      problems.push(`HTTP callout ${call.token} to ${call.cluster}: expected an answer, it still waits`);
    for (const call of this.#environment.grpcCalls)
      problems.push(
        `gRPC ${call.kind} ${call.token} to ${call.cluster}: expected its end or a cancel, it is still open`,
      );
    for (const vm of new Set(instances.map((instance) => instance.vm)))
      if (vm.growth !== undefined) problems.push(vm.growth);
    if (problems.length > 0)
      throw new HostError(
        "NOT_CLEAN",
        `the module left something to be desired:\n${problems.map((problem) => `- ${problem}`).join("\n")}`,
      );
  }

  setLogLevel(level: LogLevel): void {
    this.#environment.logLevel = level;
  }

  /** Messages of a level, oldest first. */
  logged(level: LogLevel): string[] {
    return this.logs.filter((entry) => entry.level === level).map((entry) => entry.message);
  }

  /** Bytes of linear memory of a worker's VM. */
  memoryBytes(worker = 0): number {
    return this.#worker(worker).vm.memoryBytes;
  }

  /** Why a worker's VM is dead, undefined if it lives. */
  failure(worker = 0): Vm["failure"] {
    return this.#worker(worker).vm.failure;
  }

  /**
   * New configuration for the same module, as by ECDS: new roots in the same VMs; open streams keep the old one.
   * Refused: nothing changes.
   */
  reconfigure(configuration: string | Uint8Array): ChangeResult {
    return this.#change({ ...this.#options, configuration });
  }

  /**
   * A new module (and configuration), as by ECDS: new VMs, the same shared data and metrics; open streams keep the old
   * one.
   */
  replaceModule(
    module: Uint8Array,
    configuration: string | Uint8Array = this.#options.configuration ?? "",
  ): ChangeResult {
    return this.#change({ ...this.#options, module, configuration });
  }

  /** Loads the module, tries it in a throw-away VM, then starts it on every worker. For `startHost`. */
  start(): ChangeResult {
    return this.#change(this.#options);
  }

  #change(options: HostOptions): ChangeResult {
    const loaded = loadModule(options.module);
    if (loaded.kind === "failed") return loaded;
    const plugin = {
      name: options.pluginName ?? "filter",
      rootId: options.rootId ?? "",
      configuration: toBytes(options.configuration ?? ""),
      failurePolicy: options.failurePolicy ?? "closed",
      allowOnHeadersStopIteration: options.allowOnHeadersStopIteration ?? false,
    } as const;
    const vm = (worker: number): Vm => new Vm(loaded.module, loaded.exports, this.#environment, worker);
    const trial = new PluginInstance(vm(-1), plugin).start(true);
    if (trial) return trial;
    const isSameModule = this.#workers.length > 0 && options.module === this.#options.module;
    const started: PluginInstance[] = [];
    for (let i = 0; i < Math.max(1, options.workers ?? 1); i++) {
      const current = this.#workers[i];
      const reuse = isSameModule && current && !current.vm.failure;
      const instance = new PluginInstance(reuse ? current.vm : vm(i), plugin);
      const problem = instance.start(!reuse);
      if (problem) return problem;
      started.push(instance);
    }
    const old = this.#workers;
    this.#workers = started;
    this.#options = options;
    this.#retired = this.#retired.filter((instance) => !instance.isGone).concat(old);
    for (const instance of old) instance.retire();
    return { kind: "changed" };
  }

  /** The worker's plugin for a new stream: under "reload" a dead VM is replaced, unless it was loaded just now. */
  #serving(index: number): PluginInstance {
    const current = this.#worker(index);
    if (
      !current.vm.failure ||
      current.failurePolicy !== "reload" ||
      this.clock.monotonicNs - current.loadedNs < this.#reloadDelayNs()
    )
      return current;
    const loaded = loadModule(this.#options.module);
    if (loaded.kind === "failed") return current;
    const instance = new PluginInstance(new Vm(loaded.module, loaded.exports, this.#environment, index), current);
    if (instance.start(true)) return current;
    this.#workers[index] = instance;
    return instance;
  }

  #reloadDelayNs(): bigint {
    const { baseMs = RELOAD_BASE_MS, random = () => 0 } = this.#options.reload ?? {};
    return BigInt(Math.round(baseMs * (1 + random() / 2) * 1e6));
  }

  #worker(index: number): PluginInstance {
    const worker = this.#workers[index];
    if (!worker)
      throw new HostError("WRONG_ORDER", `there is no worker ${index}: the host has ${this.#workers.length}`);
    return worker;
  }

  #nextEvent(): { readonly at: bigint; readonly work: () => void } | undefined {
    const events: { readonly at: bigint; readonly work: () => void }[] = [];
    for (const instance of [...this.#workers, ...this.#retired])
      if (instance.nextTickNs !== undefined) events.push({ at: instance.nextTickNs, work: () => instance.tick() });
    for (const call of [...this.#environment.httpCalls, ...this.#environment.grpcCalls])
      if (call.deadlineNs !== undefined) events.push({ at: call.deadlineNs, work: () => call.timeOut() });
    return events.reduce<(typeof events)[number] | undefined>(
      (first, event) => (first && first.at <= event.at ? first : event),
      undefined,
    );
  }
}

/** Starts a simulated proxy, or says why Envoy would refuse. */
export function startHost(options: HostOptions): StartResult {
  const host = new Host(options);
  const result = host.start();
  return result.kind === "failed" ? result : { kind: "started", host };
}

/** As `startHost`, but throws a HostError (`MODULE_REFUSED`): for tests of modules that must start. */
export function createHost(options: HostOptions): Host {
  const result = startHost(options);
  if (result.kind === "failed") throw new HostError("MODULE_REFUSED", `${result.code}: ${result.message}`);
  return result.host;
}

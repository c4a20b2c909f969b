import type { Context } from "./context.ts";
import type { Environment } from "./environment.ts";
import { HostError } from "./errors.ts";
import type { GrpcCall } from "./grpc-call.ts";
import { createImports } from "./imports.ts";
import { MetricIds } from "./metrics.ts";
import { latin1 } from "./pairs.ts";
import { ALLOWED_AT_START } from "./signatures.ts";
import { statusName } from "./status.ts";
import { type CallbackCost, costProblems } from "./strict.ts";

type Callback = (...args: number[]) => number | undefined;

/** Why a VM is dead: the callback that trapped, V8's message, and the host calls that led there. */
export interface VmFailure {
  readonly callback: string;
  readonly message: string;
  /** The last host calls before the trap, oldest first: `proxy_get_property → NotFound`. */
  readonly calls: readonly string[];
}

const REMEMBERED_CALLS = 16;

/** One instance of the module, on one worker. */
export class Vm {
  readonly contexts = new Map<number, Context>();
  readonly metricIds: MetricIds;
  readonly environment: Environment;
  /** Index of the worker, -1 for the throw-away configuration VM. */
  readonly worker: number;
  readonly exports: ReadonlySet<string>;
  failure: VmFailure | undefined;
  /** A local reply was made in this callback: iteration stops whatever it returns. */
  stopped = false;
  #instance: WebAssembly.Instance;
  #memory: WebAssembly.Memory | undefined;
  #current: Context | undefined;
  #effective = 0;
  #callback = "start";
  #starting = true;
  #afterCall: (() => void)[] = [];
  #recent: string[] = [];
  #cost: CallbackCost = { hostCalls: 0, allocations: 0, allocatedBytes: 0 };
  #endedStreams = 0;
  #settledBytes: number | undefined;
  #nextContextId = 1;
  #lastCallToken = 0;
  readonly #calls = new WeakSet<GrpcCall>();

  constructor(module: WebAssembly.Module, exports: ReadonlySet<string>, environment: Environment, worker: number) {
    this.environment = environment;
    this.worker = worker;
    this.exports = exports;
    this.metricIds = new MetricIds(environment.metrics);
    this.#instance = new WebAssembly.Instance(module, this.#guardedImports(WebAssembly.Module.imports(module)));
    this.#memory = this.#instance.exports["memory"] as WebAssembly.Memory | undefined;
    this.#run(exports.has("_initialize") ? "_initialize" : "_start", []);
    this.#starting = false;
  }

  /** Bytes of the module's linear memory. */
  get memoryBytes(): number {
    return this.#memory?.buffer.byteLength ?? 0;
  }

  /** A stream of this VM has ended; from the end of the warm-up on, memory is compared with what it was then. */
  streamEnded(): void {
    if (++this.#endedStreams === (this.environment.strict?.warmUpStreams ?? 100)) this.#settledBytes = this.memoryBytes;
  }

  /** Why memory is not as it was when the warm-up ended; undefined if it is, or the warm-up is not over. */
  get growth(): string | undefined {
    if (this.#settledBytes === undefined || this.memoryBytes <= this.#settledBytes) return undefined;
    const grown = `from ${this.#settledBytes} to ${this.memoryBytes} bytes over ${this.#endedStreams} streams`;
    return `memory of worker ${this.worker}: expected no growth after the warm-up, it grew ${grown}`;
  }

  allocateContextId(): number {
    return this.#nextContextId++;
  }

  /** Notes that this VM began the callout: tokens are a VM's own. */
  adoptCall(call: GrpcCall): void {
    this.#calls.add(call);
  }

  ownsCall(call: GrpcCall): boolean {
    return this.#calls.has(call);
  }

  nextCallToken(): number {
    return (this.#lastCallToken += 4);
  }

  /** The context host calls act on: the effective one if it still exists, else the one being called. */
  get context(): Context {
    const context = this.contexts.get(this.#effective) ?? this.#current;
    if (!context) throw new HostError("UNSUPPORTED", `the module made a host call with a context while it started`);
    return context;
  }

  /** False if there is no such context. */
  setEffectiveContext(id: number): boolean {
    if (!this.contexts.has(id)) return false;
    this.#effective = id;
    return true;
  }

  /** Does `work` when the callback that is running has ended. */
  defer(work: () => void): void {
    this.#afterCall.push(work);
  }

  /**
   * Calls an export for `context`; undefined if it is not exported or the VM is, or thereby gets, dead. Follow it by
   * `settle`.
   */
  call(context: Context, name: string, ...args: number[]): number | undefined {
    if (this.failure || !this.exports.has(name)) return undefined;
    const before = { current: this.#current, effective: this.#effective, callback: this.#callback };
    this.#current = context;
    this.#effective = 0;
    this.#callback = name;
    try {
      return this.#run(name, args);
    } finally {
      this.#current = before.current;
      this.#effective = before.effective;
      this.#callback = before.callback;
    }
  }

  /** Does what was deferred: continues, replies, answers. */
  settle(): void {
    this.stopped = false;
    for (let work = this.#afterCall.shift(); work; work = this.#afterCall.shift()) work();
  }

  /** `call` and `settle` in one, for callbacks whose result does not steer a stream. */
  invoke(context: Context, name: string, ...args: number[]): number | undefined {
    const result = this.call(context, name, ...args);
    this.settle();
    return result;
  }

  /** A view on `length` bytes of memory; undefined if they are not all there. */
  read(ptr: number, length: number): Uint8Array | undefined {
    const [start, size] = [ptr >>> 0, length >>> 0];
    if (start + size > this.memoryBytes) return undefined;
    return new Uint8Array(this.#memory?.buffer ?? new ArrayBuffer(0), start, size);
  }

  /** A copy of `length` bytes as Latin-1 text. */
  readText(ptr: number, length: number): string | undefined {
    const bytes = this.read(ptr, length);
    return bytes && latin1(bytes);
  }

  writeU32(ptr: number, value: number): boolean {
    const bytes = this.read(ptr, 4);
    if (bytes) new DataView(bytes.buffer, bytes.byteOffset, 4).setUint32(0, value, true);
    return bytes !== undefined;
  }

  writeU64(ptr: number, value: bigint): boolean {
    const bytes = this.read(ptr, 8);
    if (bytes) new DataView(bytes.buffer, bytes.byteOffset, 8).setBigUint64(0, BigInt.asUintN(64, value), true);
    return bytes !== undefined;
  }

  /**
   * Hands bytes to the module: into memory its allocator gives, address and length written where the module wants them.
   */
  give(bytes: Uint8Array, ptrOut: number, lengthOut: number): boolean {
    let ptr = 0;
    if (bytes.length > 0) {
      this.#cost.allocations++;
      this.#cost.allocatedBytes += bytes.length;
      if (this.#faultIn("allocator") !== undefined) return false;
      const allocate = this.exports.has("malloc") ? "malloc" : "proxy_on_memory_allocate";
      ptr = (this.#instance.exports[allocate] as Callback)(bytes.length) ?? 0;
      const target = ptr === 0 ? undefined : this.read(ptr, bytes.length);
      if (!target) return false;
      target.set(bytes);
    }
    return this.writeU32(ptrOut, ptr) && this.writeU32(lengthOut, bytes.length);
  }

  log(level: number, message: string): void {
    const levels = ["trace", "debug", "info", "warn", "error", "critical"] as const;
    if (level < levels.indexOf(this.environment.logLevel)) return;
    this.environment.logs.push({ level: levels[level] ?? "critical", message, worker: this.worker });
  }

  #run(name: string, args: number[]): number | undefined {
    const callback = this.#instance.exports[name] as Callback | undefined;
    if (!callback) return undefined;
    this.#recent = [];
    this.#cost = { hostCalls: 0, allocations: 0, allocatedBytes: 0 };
    try {
      const result = callback(...args);
      return result === undefined ? undefined : result >>> 0;
    } catch (error) {
      if (error instanceof HostError) throw error;
      this.failure = { callback: name, message: (error as Error).message, calls: this.#recent };
      this.log(5, `Function: ${name} failed: Uncaught ${(error as Error).name}: ${(error as Error).message}`);
      return undefined;
    } finally {
      this.#checkCost(name);
    }
  }

  /** The status to answer instead; throws where the fault is a trap. */
  #faultIn(name: string): number | undefined {
    const fault = this.environment.faults({ name, callback: this.#callback, worker: this.worker });
    if (fault === "trap") throw new Error(`a trap was injected into ${name}`);
    return fault;
  }

  #checkCost(callback: string): void {
    const { strict, violations } = this.environment;
    if (strict)
      for (const problem of costProblems(strict, callback, this.worker, this.#cost, this.#recent))
        violations.add(problem);
  }

  #guardedImports(wanted: WebAssembly.ModuleImportDescriptor[]): WebAssembly.Imports {
    const functions = createImports(this);
    const imports: Record<string, Record<string, WebAssembly.ImportValue>> = {};
    for (const { module, name } of wanted) {
      const implementation = functions[name];
      (imports[module] ??= {})[name] = (...args: never[]) => this.#hostCall(name, implementation, args);
    }
    return imports;
  }

  #hostCall(
    name: string,
    implementation: ((...args: never[]) => number | void) | undefined,
    args: never[],
  ): number | void {
    if (this.#starting && !ALLOWED_AT_START.has(name))
      throw new Error(`restricted_callback: ${name} may not be called while the module starts`);
    this.#cost.hostCalls++;
    const injected =
      this.environment.intercept?.({ name, callback: this.#callback, worker: this.worker }) ?? this.#faultIn(name);
    const status = injected ?? (implementation ? implementation(...args) : 52); // WASI's ENOSYS
    if (this.#recent.length === REMEMBERED_CALLS) this.#recent.shift();
    this.#recent.push(`${name} → ${statusName(status ?? 0)}`);
    return status;
  }
}

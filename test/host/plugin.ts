import type { Context, Root } from "./context.ts";
import { type Failure, failed } from "./errors.ts";
import { newForeignState } from "./foreign.ts";
import type { GrpcEvent } from "./grpc-call.ts";
import type { HttpCallAnswer } from "./http-call.ts";
import type { Vm } from "./vm.ts";

/**
 * What a dead VM means for streams: a 503, as if the filter were not there, or a 503 until a new VM takes its place.
 */
export type FailurePolicy = "closed" | "open" | "reload";

/** Why a plugin did not come up. */
export type PluginFailure = Failure<"start" | "configure">;

/** One configured plugin on one worker: its root context, and how many streams use it. */
export class PluginInstance implements Root {
  readonly vm: Vm;
  readonly name: string;
  readonly rootId: string;
  readonly configuration: Uint8Array;
  readonly failurePolicy: FailurePolicy;
  /** StopIteration for headers holds the headers alone. */
  readonly allowOnHeadersStopIteration: boolean;
  readonly context: Context;
  readonly foreign = newForeignState();
  /** When its VM took it, on the virtual monotonic clock. */
  readonly loadedNs: bigint;
  isConfiguring = false;
  tickPeriodMs = 0;
  nextTickNs: bigint | undefined;
  answer: HttpCallAnswer;
  grpcEvent: GrpcEvent | undefined;
  isGone = false;
  #streams = 0;
  #isRetired = false;
  #isAskedToFinish = false;

  constructor(
    vm: Vm,
    plugin: {
      readonly name: string;
      readonly rootId: string;
      readonly configuration: Uint8Array;
      readonly failurePolicy: FailurePolicy;
      readonly allowOnHeadersStopIteration: boolean;
    },
  ) {
    this.vm = vm;
    this.name = plugin.name;
    this.rootId = plugin.rootId;
    this.configuration = plugin.configuration;
    this.failurePolicy = plugin.failurePolicy;
    this.allowOnHeadersStopIteration = plugin.allowOnHeadersStopIteration;
    this.context = { id: vm.allocateContextId(), root: this, rootContext: undefined, stream: undefined };
    vm.contexts.set(this.context.id, this.context);
    this.loadedNs = vm.environment.clock.monotonicNs;
  }

  /** Creates, starts (the first plugin of a VM) and configures the root; undefined if all went well. */
  start(isFirst: boolean): PluginFailure | undefined {
    const { vm, context } = this;
    if (vm.failure) return this.#failed("start", "");
    this.isConfiguring = true;
    vm.invoke(context, "proxy_on_context_create", context.id, 0);
    this.isConfiguring = false;
    if (isFirst && vm.invoke(context, "proxy_on_vm_start", context.id, vm.environment.vmConfiguration.length) === 0) {
      return this.#failed("start", "proxy_on_vm_start answered false");
    }
    if (vm.failure) return this.#failed("start", "");
    this.isConfiguring = true;
    const accepted = vm.invoke(context, "proxy_on_configure", context.id, this.configuration.length);
    this.isConfiguring = false;
    return vm.failure || accepted === 0 ? this.#failed("configure", "proxy_on_configure answered false") : undefined;
  }

  /** How many streams are open. */
  get openStreams(): number {
    return this.#streams;
  }

  opened(): void {
    this.#streams++;
  }

  closed(): void {
    this.#streams--;
    this.vm.streamEnded();
    this.#finishIfIdle();
  }

  /** Takes no more streams; ends when the last one has. */
  retire(): void {
    this.#isRetired = true;
    this.#finishIfIdle();
  }

  /** The timer fires. */
  tick(): void {
    this.nextTickNs =
      this.tickPeriodMs === 0
        ? undefined
        : this.vm.environment.clock.monotonicNs + BigInt(this.tickPeriodMs) * 1_000_000n;
    this.vm.invoke(this.context, "proxy_on_tick", this.context.id);
  }

  /** What `proxy_done` does: ends a root that had answered "not yet". */
  finish(): boolean {
    if (!this.#isAskedToFinish || this.isGone) return false;
    this.vm.defer(() => this.#delete());
    return true;
  }

  #finishIfIdle(): void {
    if (!this.#isRetired || this.#streams > 0 || this.#isAskedToFinish) return;
    this.#isAskedToFinish = true;
    this.nextTickNs = undefined;
    this.tickPeriodMs = 0;
    if (this.vm.invoke(this.context, "proxy_on_done", this.context.id) !== 0) this.#delete();
  }

  #delete(): void {
    if (this.isGone) return;
    this.isGone = true;
    this.vm.invoke(this.context, "proxy_on_delete", this.context.id);
    this.vm.contexts.delete(this.context.id);
  }

  #failed(code: PluginFailure["code"], fallback: string): PluginFailure {
    const failure = this.vm.failure;
    const logged = this.vm.environment.logs
      .filter((entry) => entry.worker === this.vm.worker && (entry.level === "error" || entry.level === "critical"))
      .map((entry) => entry.message);
    const calls = failure && failure.calls.length > 0 ? `; host calls before it: ${failure.calls.join(", ")}` : "";
    const what = failure ? `${failure.callback} trapped: ${failure.message}${calls}` : fallback;
    const said = logged.filter((line) => !line.startsWith("Function: "));
    return failed(code, said.length > 0 ? `${said.join("; ")} (${what})` : what);
  }
}

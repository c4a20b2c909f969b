import { callForeignFunction } from "./foreign.ts";
import { HeaderMap } from "./header-map.ts";
import { HttpCall } from "./http-call.ts";
import type { HostFunction } from "./imports.ts";
import { Status } from "./status.ts";
import type { Vm } from "./vm.ts";

function sharedDataImports(vm: Vm): Readonly<Record<string, HostFunction>> {
  const shared = vm.environment.sharedData;
  return {
    proxy_get_shared_data(
      keyPtr: number,
      keyLength: number,
      valueOut: number,
      lengthOut: number,
      casOut: number,
    ): number {
      const key = vm.readText(keyPtr, keyLength);
      if (key === undefined) return Status.InvalidMemoryAccess;
      const entry = shared.get(key);
      if (!entry) return Status.NotFound;
      return vm.give(entry.value, valueOut, lengthOut) && vm.writeU32(casOut, entry.cas)
        ? Status.Ok
        : Status.InvalidMemoryAccess;
    },
    proxy_set_shared_data(
      keyPtr: number,
      keyLength: number,
      valuePtr: number,
      valueLength: number,
      cas: number,
    ): number {
      const [key, value] = [vm.readText(keyPtr, keyLength), vm.read(valuePtr, valueLength)];
      return key === undefined || !value ? Status.InvalidMemoryAccess : shared.set(key, value, cas >>> 0);
    },
  };
}

function queueImports(vm: Vm): Readonly<Record<string, HostFunction>> {
  const queues = vm.environment.queues;
  return {
    proxy_register_shared_queue(namePtr: number, nameLength: number, tokenOut: number): number {
      const name = vm.readText(namePtr, nameLength);
      if (name === undefined) return Status.InvalidMemoryAccess;
      const context = vm.context.rootContext ?? vm.context;
      const token = queues.register(
        `${vm.environment.vmId}\0${name}`,
        (ready) => void vm.invoke(context, "proxy_on_queue_ready", context.id, ready),
      );
      return vm.writeU32(tokenOut, token) ? Status.Ok : Status.InvalidMemoryAccess;
    },
    proxy_resolve_shared_queue(
      vmIdPtr: number,
      vmIdLength: number,
      namePtr: number,
      nameLength: number,
      tokenOut: number,
    ): number {
      const [vmId, name] = [vm.readText(vmIdPtr, vmIdLength), vm.readText(namePtr, nameLength)];
      if (vmId === undefined || name === undefined) return Status.InvalidMemoryAccess;
      const token = queues.resolve(`${vmId === "" ? vm.environment.vmId : vmId}\0${name}`);
      if (token === 0) return Status.NotFound;
      return vm.writeU32(tokenOut, token) ? Status.Ok : Status.InvalidMemoryAccess;
    },
    proxy_enqueue_shared_queue(token: number, ptr: number, length: number): number {
      const message = vm.read(ptr, length);
      if (!message) return Status.InvalidMemoryAccess;
      return queues.enqueue(token, message.slice(), (work) => vm.defer(work)) ? Status.Ok : Status.NotFound;
    },
    proxy_dequeue_shared_queue(token: number, dataOut: number, lengthOut: number): number {
      const message = queues.dequeue(token);
      if (message === undefined) return Status.NotFound;
      if (message === "empty") return Status.Empty;
      return vm.give(message, dataOut, lengthOut) ? Status.Ok : Status.InvalidMemoryAccess;
    },
  };
}

function metricImports(vm: Vm): Readonly<Record<string, HostFunction>> {
  return {
    proxy_define_metric(type: number, namePtr: number, nameLength: number, idOut: number): number {
      const name = vm.readText(namePtr, nameLength);
      if (name === undefined) return Status.InvalidMemoryAccess;
      const id = vm.metricIds.define(type, name);
      if (id === undefined) return Status.BadArgument;
      return vm.writeU32(idOut, id) ? Status.Ok : Status.InvalidMemoryAccess;
    },
    proxy_increment_metric: (id: number, by: bigint): number => vm.metricIds.increment(id, by),
    proxy_record_metric: (id: number, value: bigint): number => vm.metricIds.record(id, BigInt.asUintN(64, value)),
    proxy_get_metric(id: number, valueOut: number): number {
      const found = vm.metricIds.read(id);
      if (found.status !== Status.Ok) return found.status;
      return vm.writeU64(valueOut, found.value) ? Status.Ok : Status.InvalidMemoryAccess;
    },
  };
}

function makeHttpCall(vm: Vm, cluster: string, headers: HeaderMap, body: Uint8Array, timeoutMs: number): number {
  const context = vm.context.rootContext ?? vm.context;
  const environment = vm.environment;
  const token = vm.nextCallToken();
  const deadlineNs = timeoutMs > 0 ? environment.clock.monotonicNs + BigInt(timeoutMs) * 1_000_000n : undefined;
  const call = new HttpCall(
    { token, contextId: vm.context.id, cluster, headers, body, timeoutMs, deadlineNs },
    (answer) => {
      environment.httpCalls.splice(environment.httpCalls.indexOf(call), 1);
      if (context.root.isGone) return;
      context.root.answer = answer;
      vm.call(
        context,
        "proxy_on_http_call_response",
        context.id,
        token,
        answer?.headers.size ?? 0,
        answer?.body.length ?? 0,
        answer?.trailers?.size ?? 0,
      );
      context.root.answer = undefined;
      vm.settle();
    },
  );
  environment.httpCalls.push(call);
  return token;
}

function calloutImports(vm: Vm): Readonly<Record<string, HostFunction>> {
  return {
    proxy_http_call(
      clusterPtr: number,
      clusterLength: number,
      headersPtr: number,
      headersLength: number,
      bodyPtr: number,
      bodyLength: number,
      trailersPtr: number,
      trailersLength: number,
      timeoutMs: number,
      tokenOut: number,
    ): number {
      const [cluster, headerBytes, body] = [
        vm.readText(clusterPtr, clusterLength),
        vm.read(headersPtr, headersLength),
        vm.read(bodyPtr, bodyLength),
      ];
      if (cluster === undefined || !headerBytes || !body || !vm.read(trailersPtr, trailersLength))
        return Status.InvalidMemoryAccess;
      if (!vm.writeU32(tokenOut, 0)) return Status.InvalidMemoryAccess;
      if (timeoutMs < 0 || vm.environment.clusters?.has(cluster) === false) return Status.BadArgument;
      const headers = HeaderMap.decode(headerBytes);
      if (!headers.has(":path") || !headers.has(":method") || !headers.has(":authority")) return Status.BadArgument;
      vm.writeU32(tokenOut, makeHttpCall(vm, cluster, headers, body.slice(), timeoutMs));
      return Status.Ok;
    },
  };
}

function environmentImports(vm: Vm): Readonly<Record<string, HostFunction>> {
  return {
    proxy_call_foreign_function(
      namePtr: number,
      nameLength: number,
      argPtr: number,
      argLength: number,
      resultOut: number,
      lengthOut: number,
    ): number {
      const [name, argument] = [vm.readText(namePtr, nameLength), vm.read(argPtr, argLength)];
      if (name === undefined || !argument) return Status.InvalidMemoryAccess;
      const own = vm.environment.foreignFunctions[name];
      const result = own ? own(argument.slice()) : callForeignFunction(vm, name, argument.slice());
      if (typeof result === "number") return result;
      return vm.give(result, resultOut, lengthOut) ? Status.Ok : Status.InvalidMemoryAccess;
    },
    proxy_set_tick_period_milliseconds(period: number): number {
      const root = vm.context.root;
      root.tickPeriodMs = period >>> 0;
      root.nextTickNs =
        period === 0 ? undefined : vm.environment.clock.monotonicNs + BigInt(root.tickPeriodMs) * 1_000_000n;
      return Status.Ok;
    },
    proxy_log(level: number, ptr: number, length: number): number {
      if (level >>> 0 > 5) return Status.BadArgument;
      const message = vm.read(ptr, length);
      if (!message) return Status.InvalidMemoryAccess;
      vm.log(level, Buffer.from(message).toString("utf8"));
      return Status.Ok;
    },
    proxy_get_log_level(levelOut: number): number {
      const level = ["trace", "debug", "info", "warn", "error", "critical"].indexOf(vm.environment.logLevel);
      return vm.writeU32(levelOut, level) ? Status.Ok : Status.InvalidMemoryAccess;
    },
    proxy_get_current_time_nanoseconds: (out: number): number =>
      vm.writeU64(out, vm.environment.clock.wallNs) ? Status.Ok : Status.InvalidMemoryAccess,
  };
}

/** Host functions on what outlives a stream: shared data, queues, metrics, callouts, timers, log. */
export function dataImports(vm: Vm): Readonly<Record<string, HostFunction>> {
  return {
    ...sharedDataImports(vm),
    ...queueImports(vm),
    ...metricImports(vm),
    ...calloutImports(vm),
    ...environmentImports(vm),
    pthread_equal: (a: number, b: number) => Number(a === b),
    emscripten_notify_memory_growth: () => {},
  };
}

import type { Context } from "./context.ts";
import { GrpcCall, type GrpcDelivery } from "./grpc-call.ts";
import { grpcCluster } from "./grpc-service.ts";
import { HeaderMap } from "./header-map.ts";
import type { HostFunction } from "./imports.ts";
import { Status } from "./status.ts";
import type { Vm } from "./vm.ts";

interface Wanted {
  readonly kind: GrpcCall["kind"];
  readonly target: Uint8Array | undefined;
  readonly service: string | undefined;
  readonly method: string | undefined;
  readonly metadata: Uint8Array | undefined;
  readonly timeoutMs: number;
}

const rootOf = (vm: Vm): Context => vm.context.rootContext ?? vm.context;

function deliveryTo(vm: Vm, context: Context, token: number): GrpcDelivery {
  return (callback, event, argument) => {
    if (context.root.isGone) return;
    context.root.grpcEvent = event;
    vm.call(context, callback, context.id, token, argument);
    context.root.grpcEvent = undefined;
    vm.settle();
  };
}

/** Begins a call or stream; a status if Envoy would refuse. */
function begin(vm: Vm, wanted: Wanted): GrpcCall | number {
  const { kind, target, service, method, metadata, timeoutMs } = wanted;
  if (!target || service === undefined || method === undefined || !metadata) return Status.InvalidMemoryAccess;
  const cluster = grpcCluster(target);
  if (!cluster) return Status.ParseFailure;
  const environment = vm.environment;
  const token = vm.nextCallToken() + (kind === "call" ? 1 : 2);
  const deliver = deliveryTo(vm, rootOf(vm), token);
  if (environment.clusters?.has(cluster.name) === false) {
    if (!cluster.isMessage) return Status.ParseFailure;
    vm.defer(() => deliver("proxy_on_grpc_close", { status: 14, statusMessage: "Cluster not available" }, 14));
    return Status.InternalFailure;
  }
  const deadlineNs = timeoutMs > 0 ? environment.clock.monotonicNs + BigInt(timeoutMs) * 1_000_000n : undefined;
  const call: GrpcCall = new GrpcCall(
    {
      kind,
      token,
      contextId: vm.context.id,
      cluster: cluster.name,
      service,
      method,
      metadata: HeaderMap.decode(metadata),
      timeoutMs,
      deadlineNs,
    },
    deliver,
    () => {
      environment.grpcCalls.splice(environment.grpcCalls.indexOf(call), 1);
    },
  );
  environment.grpcCalls.push(call);
  return call;
}

/** The callout `token` of this VM, or the status Envoy answers. */
function find(vm: Vm, token: number): GrpcCall | number {
  if ((token & 3) !== 1 && (token & 3) !== 2) return Status.BadArgument;
  return vm.environment.grpcCalls.find((call) => call.token === token && vm.ownsCall(call)) ?? Status.NotFound;
}

function beginningImports(vm: Vm): Readonly<Record<string, HostFunction>> {
  return {
    proxy_grpc_call(
      target: number,
      targetLength: number,
      service: number,
      serviceLength: number,
      method: number,
      methodLength: number,
      metadata: number,
      metadataLength: number,
      message: number,
      messageLength: number,
      timeoutMs: number,
      tokenOut: number,
    ): number {
      const body = vm.read(message, messageLength)?.slice();
      if (!body) return Status.InvalidMemoryAccess;
      const call = begin(vm, {
        kind: "call",
        target: vm.read(target, targetLength)?.slice(),
        service: vm.readText(service, serviceLength),
        method: vm.readText(method, methodLength),
        metadata: vm.read(metadata, metadataLength)?.slice(),
        timeoutMs,
      });
      if (typeof call === "number") return call;
      vm.adoptCall(call);
      call.messages.push(body);
      call.isHalfClosed = true;
      return vm.writeU32(tokenOut, call.token) ? Status.Ok : Status.InvalidMemoryAccess;
    },
    proxy_grpc_stream(
      target: number,
      targetLength: number,
      service: number,
      serviceLength: number,
      method: number,
      methodLength: number,
      metadata: number,
      metadataLength: number,
      tokenOut: number,
    ): number {
      const call = begin(vm, {
        kind: "stream",
        target: vm.read(target, targetLength)?.slice(),
        service: vm.readText(service, serviceLength),
        method: vm.readText(method, methodLength),
        metadata: vm.read(metadata, metadataLength)?.slice(),
        timeoutMs: 0,
      });
      if (typeof call === "number") return call;
      vm.adoptCall(call);
      return vm.writeU32(tokenOut, call.token) ? Status.Ok : Status.InvalidMemoryAccess;
    },
  };
}

/** Host functions for gRPC callouts. */
export function grpcImports(vm: Vm): Readonly<Record<string, HostFunction>> {
  return {
    ...beginningImports(vm),
    proxy_grpc_send(token: number, message: number, length: number, endOfStream: number): number {
      const body = vm.read(message, length)?.slice();
      if (!body) return Status.InvalidMemoryAccess;
      const call = (token & 3) === 2 ? find(vm, token) : Status.BadArgument;
      if (typeof call === "number") return call;
      call.messages.push(body);
      if (endOfStream !== 0) call.isHalfClosed = true;
      return Status.Ok;
    },
    proxy_grpc_close(token: number): number {
      const call = find(vm, token);
      if (typeof call === "number") return call;
      if (call.kind === "call") call.cancel();
      call.isHalfClosed = true;
      return Status.Ok;
    },
    proxy_grpc_cancel(token: number): number {
      const call = find(vm, token);
      if (typeof call === "number") return call;
      call.cancel();
      return Status.Ok;
    },
    proxy_get_status(codeOut: number, messageOut: number, lengthOut: number): number {
      const event = rootOf(vm).root.grpcEvent;
      const message = Buffer.from(event?.statusMessage ?? "");
      return vm.writeU32(codeOut, event?.status ?? 0) && vm.give(message, messageOut, lengthOut)
        ? Status.Ok
        : Status.InvalidMemoryAccess;
    },
  };
}

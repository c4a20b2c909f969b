import type { BodyBuffer } from "./context.ts";
import type { HostFunction } from "./imports.ts";
import { BufferType, Status } from "./status.ts";
import type { Vm } from "./vm.ts";

/** A stream always has its bodies' buffers: between pieces they are empty, and cannot be written. */
const NO_BODY: BodyBuffer = Object.freeze({ data: new Uint8Array() });

function bufferOf(vm: Vm, type: number): BodyBuffer | undefined {
  const { stream, root } = vm.context;
  switch (type) {
    case BufferType.HttpRequestBody:
      return stream?.isHttp ? (stream.requestBuffer ?? NO_BODY) : undefined;
    case BufferType.HttpResponseBody:
      return stream?.isHttp ? (stream.responseBuffer ?? NO_BODY) : undefined;
    case BufferType.NetworkDownstreamData:
      return stream?.downstreamBuffer;
    case BufferType.NetworkUpstreamData:
      return stream?.upstreamBuffer;
    case BufferType.GrpcReceiveBuffer:
      return root.grpcEvent?.message && { data: root.grpcEvent.message };
    case BufferType.HttpCallResponseBody:
      return root.answer && { data: root.answer.body };
    case BufferType.VmConfiguration:
      return { data: vm.environment.vmConfiguration };
    case BufferType.PluginConfiguration:
      return root.isConfiguring ? { data: root.configuration } : undefined;
    default:
      return undefined;
  }
}

/** Envoy's rule: replace the first bytes (none, some, all), or append; nothing in between. */
function writeBody(buffer: BodyBuffer, start: number, length: number, data: Uint8Array): number {
  if (start === 0) buffer.data = Buffer.concat([data, buffer.data.subarray(Math.min(length, buffer.data.length))]);
  else if (start >= buffer.data.length) buffer.data = Buffer.concat([buffer.data, data]);
  else return Status.BadArgument;
  return Status.Ok;
}

/** Host functions on bodies, configurations and what else is read in pieces. */
export function bufferImports(vm: Vm): Readonly<Record<string, HostFunction>> {
  return {
    proxy_get_buffer_bytes(type: number, start: number, length: number, dataOut: number, lengthOut: number): number {
      if (type >>> 0 > 8) return Status.BadArgument;
      const buffer = bufferOf(vm, type);
      if (!buffer) return Status.NotFound;
      const [from, wanted] = [start >>> 0, length >>> 0];
      if (from + wanted > 0xffffffff) return Status.BadArgument;
      const data = buffer.data.subarray(from, Math.min(from + wanted, buffer.data.length));
      if (data.length === 0) return Status.Ok; // nothing is written: Envoy leaves the outputs as they were
      return vm.give(data, dataOut, lengthOut) ? Status.Ok : Status.InvalidMemoryAccess;
    },
    proxy_get_buffer_status(type: number, lengthOut: number, flagsOut: number): number {
      if (type >>> 0 > 8) return Status.BadArgument;
      const buffer = bufferOf(vm, type);
      if (!buffer) return Status.NotFound;
      return vm.writeU32(lengthOut, buffer.data.length) && vm.writeU32(flagsOut, 0)
        ? Status.Ok
        : Status.InvalidMemoryAccess;
    },
    proxy_set_buffer_bytes(type: number, start: number, length: number, dataPtr: number, dataLength: number): number {
      if (type >>> 0 > 8) return Status.BadArgument;
      const buffer = bufferOf(vm, type);
      if (!buffer) return Status.NotFound;
      const data = vm.read(dataPtr, dataLength);
      if (!data) return Status.InvalidMemoryAccess;
      return type <= BufferType.NetworkUpstreamData && buffer !== NO_BODY
        ? writeBody(buffer, start >>> 0, length >>> 0, data.slice())
        : Status.BadArgument;
    },
  };
}

import { type AttributeTree, readAttribute } from "./attributes.ts";
import type { BodyBuffer } from "./context.ts";
import type { HostFunction } from "./imports.ts";
import { decodePairs } from "./pairs.ts";
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

/** Outside of streams Envoy knows the plugin's own names and xds.node. */
function attributeTrees(vm: Vm): readonly AttributeTree[] {
  const { stream, root } = vm.context;
  const own = { plugin_name: root.name, plugin_root_id: root.rootId, plugin_vm_id: vm.environment.vmId };
  if (stream) return [...stream.attributeTrees, own];
  const xds = vm.environment.attributes["xds"];
  const node = typeof xds === "object" && xds !== null && "node" in xds ? xds.node : undefined;
  return [{ xds: { node } }, own];
}

/** Host functions on the stream: properties, local replies, buffers, continue and close. */
export function streamImports(vm: Vm): Readonly<Record<string, HostFunction>> {
  return {
    proxy_get_property(ptr: number, length: number, valueOut: number, lengthOut: number): number {
      const path = vm.readText(ptr, length);
      if (path === undefined) return Status.InvalidMemoryAccess;
      const steps = path.split("\0");
      if (steps.length > 1 && steps.at(-1) === "") steps.pop();
      let found = readAttribute(
        attributeTrees(vm),
        steps.map((step) => Buffer.from(step, "latin1").toString("utf8")),
      );
      const state =
        found.status === Status.NotFound && steps.length === 1
          ? vm.context.stream?.filterState.get(`wasm.${path}`)
          : undefined;
      if (state) found = { status: Status.Ok, bytes: state };
      if (found.status !== Status.Ok) return found.status;
      return vm.give(found.bytes, valueOut, lengthOut) ? Status.Ok : Status.InvalidMemoryAccess;
    },
    proxy_set_property(ptr: number, length: number, valuePtr: number, valueLength: number): number {
      const path = vm.readText(ptr, length);
      const value = vm.read(valuePtr, valueLength);
      if (path === undefined || !value) return Status.InvalidMemoryAccess;
      const stream = vm.context.stream;
      if (!stream) return Status.NotFound;
      if (vm.context.root.foreign.declared.get(path) === true && stream.filterState.has(`wasm.${path}`))
        return Status.BadArgument;
      stream.filterState.set(`wasm.${path}`, value.slice());
      return Status.Ok;
    },
    proxy_send_local_response(
      status: number,
      details: number,
      detailsLength: number,
      body: number,
      bodyLength: number,
      headers: number,
      headersLength: number,
      grpcStatus: number,
    ): number {
      const [detailsText, bodyBytes, headerBytes] = [
        vm.readText(details, detailsLength),
        vm.read(body, bodyLength),
        vm.read(headers, headersLength),
      ];
      if (detailsText === undefined || !bodyBytes || !headerBytes) return Status.InvalidMemoryAccess;
      const stream = vm.context.stream;
      const reply = {
        status,
        details: detailsText.replaceAll(/\s/g, "_"),
        body: bodyBytes.slice(),
        headers: decodePairs(headerBytes),
        grpcStatus,
      };
      if (stream) vm.defer(() => stream.sendLocalReply(reply));
      vm.stopped = true;
      return Status.Ok;
    },
    proxy_continue_stream(type: number): number {
      if (type >>> 0 > 3) return Status.BadArgument;
      if (type === 3) return Status.Unimplemented;
      vm.context.stream?.continueStream(type);
      return Status.Ok;
    },
    proxy_close_stream(type: number): number {
      if (type >>> 0 > 3) return Status.BadArgument;
      vm.context.stream?.closeStream(type);
      return Status.Ok;
    },
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
    proxy_set_effective_context: (id: number): number =>
      vm.setEffectiveContext(id >>> 0) ? Status.Ok : Status.BadArgument,
    proxy_done: (): number => (vm.context.root.finish() ? Status.Ok : Status.NotFound),
  };
}

import { type AttributeTree, readAttribute } from "./attributes.ts";
import type { HostFunction } from "./imports.ts";
import { decodePairs } from "./pairs.ts";
import { Status } from "./status.ts";
import type { Vm } from "./vm.ts";

/** Outside of streams Envoy knows the plugin's own names and xds.node. */
function attributeTrees(vm: Vm): readonly AttributeTree[] {
  const { stream, root } = vm.context;
  const own = { plugin_name: root.name, plugin_root_id: root.rootId, plugin_vm_id: vm.environment.vmId };
  if (stream) return [...stream.attributeTrees, own];
  const xds = vm.environment.attributes["xds"];
  const node = typeof xds === "object" && xds !== null && "node" in xds ? xds.node : undefined;
  return [{ xds: { node } }, own];
}

function propertyImports(vm: Vm): Readonly<Record<string, HostFunction>> {
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
  };
}

/** Host functions on the stream: properties, local replies, continue and close. */
export function streamImports(vm: Vm): Readonly<Record<string, HostFunction>> {
  return {
    ...propertyImports(vm),
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
    proxy_set_effective_context: (id: number): number =>
      vm.setEffectiveContext(id >>> 0) ? Status.Ok : Status.BadArgument,
    proxy_done: (): number => (vm.context.root.finish() ? Status.Ok : Status.NotFound),
  };
}

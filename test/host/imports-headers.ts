import type { HeaderMap } from "./header-map.ts";
import type { HostFunction } from "./imports.ts";
import { decodePairs } from "./pairs.ts";
import { MapType, Status } from "./status.ts";
import type { Vm } from "./vm.ts";

function readable(vm: Vm, type: number): HeaderMap | undefined {
  const { stream, root } = vm.context;
  switch (type) {
    case MapType.RequestHeaders:
      return stream?.requestMap;
    case MapType.RequestTrailers:
      return stream?.requestTrailerMap;
    case MapType.ResponseHeaders:
      return stream?.responseMap;
    case MapType.ResponseTrailers:
      return stream?.responseTrailerMap;
    case MapType.GrpcReceiveInitialMetadata:
      return root.grpcEvent?.initialMetadata;
    case MapType.GrpcReceiveTrailingMetadata:
      return root.grpcEvent?.trailingMetadata;
    case MapType.HttpCallResponseHeaders:
      return root.answer?.headers;
    case MapType.HttpCallResponseTrailers:
      return root.answer?.trailers;
    default:
      return undefined;
  }
}

const TRAILERS = new Set<number>([MapType.RequestTrailers, MapType.ResponseTrailers]);

function change(vm: Vm, type: number, work: (map: HeaderMap) => void): number {
  const stream = vm.context.stream;
  const map =
    type <= MapType.ResponseTrailers
      ? (stream?.changeable(type) ?? (TRAILERS.has(type) ? stream?.createTrailers(type) : undefined))
      : undefined;
  if (!map) return Status.BadArgument;
  work(map);
  stream?.headersModified(type);
  return Status.Ok;
}

function changeValue(
  vm: Vm,
  type: number,
  name: string | undefined,
  value: Uint8Array | undefined,
  how: "add" | "replace",
): number {
  if (type >>> 0 > 7) return Status.BadArgument;
  if (name === undefined || value === undefined) return Status.InvalidMemoryAccess;
  return change(vm, type, (map) => map[how](name, value));
}

function readingImports(vm: Vm): Readonly<Record<string, HostFunction>> {
  return {
    proxy_get_header_map_value(
      type: number,
      namePtr: number,
      nameLength: number,
      valueOut: number,
      lengthOut: number,
    ): number {
      if (type >>> 0 > 7) return Status.BadArgument;
      const name = vm.readText(namePtr, nameLength);
      if (name === undefined) return Status.InvalidMemoryAccess;
      const map = readable(vm, type);
      if (!map) return vm.context.stream?.isLogging ? Status.NotFound : Status.BadArgument;
      const value = map.first(name);
      if (value === undefined) return Status.NotFound;
      return vm.give(value, valueOut, lengthOut) ? Status.Ok : Status.InvalidMemoryAccess;
    },
    proxy_get_header_map_pairs(type: number, pairsOut: number, lengthOut: number): number {
      if (type >>> 0 > 7) return Status.BadArgument;
      const map = readable(vm, type);
      const bytes = map && map.size > 0 ? map.encode() : new Uint8Array();
      return vm.give(bytes, pairsOut, lengthOut) ? Status.Ok : Status.InvalidMemoryAccess;
    },
    proxy_get_header_map_size(type: number, sizeOut: number): number {
      if (type >>> 0 > 7) return Status.BadArgument;
      const map = readable(vm, type);
      if (!map) return Status.BadArgument;
      return vm.writeU32(sizeOut, map.byteSize()) ? Status.Ok : Status.InvalidMemoryAccess;
    },
  };
}

function changingImports(vm: Vm): Readonly<Record<string, HostFunction>> {
  return {
    proxy_add_header_map_value: (
      type: number,
      name: number,
      nameLength: number,
      value: number,
      length: number,
    ): number => changeValue(vm, type, vm.readText(name, nameLength), vm.read(value, length), "add"),
    proxy_replace_header_map_value: (
      type: number,
      name: number,
      nameLength: number,
      value: number,
      length: number,
    ): number => changeValue(vm, type, vm.readText(name, nameLength), vm.read(value, length), "replace"),
    proxy_remove_header_map_value(type: number, namePtr: number, nameLength: number): number {
      if (type >>> 0 > 7) return Status.BadArgument;
      const name = vm.readText(namePtr, nameLength);
      return name === undefined ? Status.InvalidMemoryAccess : change(vm, type, (map) => map.remove(name));
    },
    proxy_set_header_map_pairs(type: number, ptr: number, length: number): number {
      if (type >>> 0 > 7) return Status.BadArgument;
      const bytes = vm.read(ptr, length);
      return bytes ? change(vm, type, (map) => map.assign(decodePairs(bytes))) : Status.InvalidMemoryAccess;
    },
  };
}

/** Host functions on header maps. */
export function headerImports(vm: Vm): Readonly<Record<string, HostFunction>> {
  return { ...readingImports(vm), ...changingImports(vm) };
}

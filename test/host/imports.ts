import { wasiImports } from "./imports-wasi.ts";
import { bufferImports } from "./imports-buffers.ts";
import { dataImports } from "./imports-data.ts";
import { grpcImports } from "./imports-grpc.ts";
import { headerImports } from "./imports-headers.ts";
import { streamImports } from "./imports-stream.ts";
import type { Vm } from "./vm.ts";

/** A host function: i32 arguments arrive as signed numbers, i64 as bigints. */
export type HostFunction = (...args: never[]) => number | void;

/** Every host function of ABI 0.2.1 for one VM, by name. */
export function createImports(vm: Vm): Readonly<Record<string, HostFunction>> {
  return {
    ...headerImports(vm),
    ...streamImports(vm),
    ...bufferImports(vm),
    ...dataImports(vm),
    ...grpcImports(vm),
    ...wasiImports(vm),
  };
}

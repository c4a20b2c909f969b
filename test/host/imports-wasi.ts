import type { HostFunction } from "./imports.ts";
import type { Vm } from "./vm.ts";

const SUCCESS = 0;
const EBADF = 8;
const EFAULT = 21;
const EINVAL = 28;
const ENOENT = 44;
const ENOTSUP = 58;

function fdWrite(vm: Vm, fd: number, vectors: number, count: number, writtenOut: number): number {
  if (fd !== 1 && fd !== 2) return EBADF;
  const parts: Uint8Array[] = [];
  for (let i = 0; i < count; i++) {
    const vector = vm.read(vectors + i * 8, 8);
    if (!vector) return EFAULT;
    const view = new DataView(vector.buffer, vector.byteOffset, 8);
    const part = vm.read(view.getUint32(0, true), view.getUint32(4, true));
    if (!part) return EFAULT;
    parts.push(part.slice());
  }
  const bytes = Buffer.concat(parts);
  if (bytes.length > 0) vm.log(fd === 1 ? 2 : 4, bytes.toString("utf8").replace(/\n$/, ""));
  return vm.writeU32(writtenOut, bytes.length) ? SUCCESS : EFAULT;
}

const MOST_RANDOM_BYTES = 65_536;

/** `KEY=value NUL` of each environment variable. */
function environment(vm: Vm): Uint8Array[] {
  return Object.entries(vm.environment.environmentVariables).map(([name, value]) => Buffer.from(`${name}=${value}\0`));
}

function environGet(vm: Vm, pointers: number, buffer: number): number {
  let [slot, at] = [pointers, buffer];
  for (const entry of environment(vm)) {
    const target = vm.read(at, entry.length);
    if (!target || !vm.writeU32(slot, at)) return EFAULT;
    target.set(entry);
    slot += 4;
    at += entry.length;
  }
  return SUCCESS;
}

function twoZeros(vm: Vm, first: number, second: number): number {
  return vm.writeU32(first, 0) && vm.writeU32(second, 0) ? SUCCESS : EFAULT;
}

// What Envoy 1.40 answers for files and sockets it does not have (seen).
const ANSWERS: Readonly<Record<number, readonly string[]>> = {
  0: [
    "clock_res_get",
    "fd_advise",
    "fd_allocate",
    "fd_datasync",
    "fd_fdstat_set_rights",
    "fd_filestat_set_size",
    "fd_filestat_set_times",
    "fd_sync",
    "fd_tell",
    "poll_oneoff",
  ],
  8: ["fd_filestat_get", "fd_renumber"],
  20: ["fd_readdir"],
  58: [
    "path_create_directory",
    "path_filestat_get",
    "path_filestat_set_times",
    "path_link",
    "path_readlink",
    "path_remove_directory",
    "path_rename",
    "path_symlink",
    "path_unlink_file",
    "sock_accept",
    "sock_recv",
    "sock_send",
    "sock_shutdown",
  ],
};

function fixedAnswers(): Record<string, HostFunction> {
  return Object.fromEntries(
    Object.entries(ANSWERS).flatMap(([status, names]) => names.map((name) => [name, () => Number(status)] as const)),
  );
}

/**
 * WASI as Envoy has it: clocks, random bytes, output, environment, and answers for what it lacks; the rest answers
 * ENOSYS.
 */
export function wasiImports(vm: Vm): Readonly<Record<string, HostFunction>> {
  const clock = vm.environment.clock;
  return {
    ...fixedAnswers(),
    clock_time_get(id: number, _precision: bigint, out: number): number {
      if (id !== 0 && id !== 1) return ENOTSUP;
      return vm.writeU64(out, id === 0 ? clock.wallNs : clock.monotonicNs) ? SUCCESS : EFAULT;
    },
    random_get(ptr: number, length: number): number {
      if (length >>> 0 > MOST_RANDOM_BYTES) return EINVAL;
      const target = vm.read(ptr, length);
      if (!target) return EFAULT;
      target.forEach((_, i) => (target[i] = (i * 167 + 13) & 0xff)); // the same bytes in every run
      return SUCCESS;
    },
    fd_write: (fd: number, vectors: number, count: number, out: number): number => fdWrite(vm, fd, vectors, count, out),
    fd_pwrite: (fd: number, vectors: number, count: number, _offset: bigint, out: number): number =>
      fdWrite(vm, fd, vectors, count, out),
    fd_prestat_get: (): number => EBADF,
    fd_seek: (): number => SUCCESS,
    fd_close: (): number => SUCCESS,
    fd_fdstat_get(fd: number, out: number): number {
      if (fd !== 1 && fd !== 2) return EBADF;
      return vm.writeU64(out, 0n) && vm.writeU64(out + 8, 64n) && vm.writeU64(out + 16, 0n) ? SUCCESS : EFAULT;
    },
    environ_get: (pointers: number, buffer: number): number => environGet(vm, pointers, buffer),
    environ_sizes_get(countOut: number, sizeOut: number): number {
      const entries = environment(vm);
      return vm.writeU32(countOut, entries.length) && vm.writeU32(sizeOut, Buffer.concat(entries).length)
        ? SUCCESS
        : EFAULT;
    },
    path_open: (): number => ENOENT,
    args_get: (): number => SUCCESS,
    args_sizes_get: (a: number, b: number): number => twoZeros(vm, a, b),
    sched_yield: (): number => SUCCESS,
    proc_exit: (): void => {},
  };
}

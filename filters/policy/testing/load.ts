// Compiles the policy code to a module of its own and instantiates it under Node.
import { readFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { instantiate } from "@assemblyscript/loader";
import asc from "assemblyscript/asc";
import { type Built, keptModule } from "../../sdk/testing/build.ts";

/** This file: it says how the module is compiled. */
const OWN = "filters/policy/testing/load.ts";
const filters = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** What the policy module offers to tests: text arguments are strings, what a client could send is bytes. */
export interface PolicyModule {
  regexCompile(pattern: string): string;
  regexMatches(text: Uint8Array): boolean;
  regexSize(): number;
  regexWork(): bigint;
  wildcard(pattern: string, ignoreCase: boolean, value: Uint8Array): boolean;
  templateError(pattern: string): string;
  templateMatches(pattern: string, path: Uint8Array): boolean;
  cidrContains(block: string, address: Uint8Array): number;
  address(text: Uint8Array): string;
  principal(uri: Uint8Array): string;
  path(target: Uint8Array): string;
  query(target: Uint8Array, name: string): string;
  cookie(header: Uint8Array, name: string): string;
  host(authority: Uint8Array): string;
  hash(value: Uint8Array): bigint;
  isUtf8(value: Uint8Array): boolean;
  rateFits(tokens: bigint, intervalNs: bigint, burst: bigint): boolean;
  bucketStart(tokens: bigint, intervalNs: bigint, burst: bigint, workers: number): void;
  bucketChange(tokens: bigint, intervalNs: bigint, burst: bigint, nowNs: bigint): void;
  stepCoded(step: bigint): bigint;
  bucketAdmit(worker: number, nowNs: bigint, cost: bigint): boolean;
  bucketLeft(nowNs: bigint): bigint;
  bucketReserve(worker: number, nowNs: bigint): bigint;
  bucketReturn(nowNs: bigint, count: bigint): void;
  bucketWait(nowNs: bigint, count: bigint): bigint;
  /** `first`: what stands at step 0 below the claim, if `hasFirst`. */
  claim(key: string, whole: Uint8Array, first: Uint8Array, hasFirst: boolean): string;
  claimPrincipal(whole: Uint8Array): string;
  peer(header: Uint8Array): string;
  peerEncode(workload: string, namespace: string, app: string): string;
  /** Works on a copy of the slot: returns the outcome and the slot afterwards. */
  slotClaim(slot: Uint8Array, size: number, fingerprint: bigint, now: bigint): { outcome: number; slot: Uint8Array };
}

const RETURNS_BOOLEAN = new Set(["regexMatches", "wildcard", "templateMatches", "rateFits", "bucketAdmit", "isUtf8"]);
const RETURNS_STRING = new Set([
  "regexCompile",
  "templateError",
  "address",
  "principal",
  "path",
  "query",
  "cookie",
  "host",
  "peer",
  "peerEncode",
  "claim",
  "claimPrincipal",
]);

/** Compiles filters/policy/testing/module.ts. Throws with the compiler's messages when it does not compile. */
async function compile(): Promise<Built> {
  let binary: Uint8Array | undefined;
  const inputs = new Map<string, string>();
  const stderr = asc.createMemoryStream();
  const { error } = await asc.main(
    [
      "policy/testing/module.ts",
      "--outFile",
      "module.wasm",
      "--optimizeLevel",
      "2",
      "--runtime",
      "minimal",
      "--exportRuntime",
    ],
    {
      stdout: asc.createMemoryStream(),
      stderr,
      listFiles: () => [],
      readFile: async (name: string) => {
        const text = await readFile(resolve(filters, name), "utf8").catch(() => null);
        if (text !== null) inputs.set(`filters/${name}`, text);
        return text;
      },
      writeFile: (_name: string, content: string | Uint8Array) => {
        if (typeof content !== "string") binary = content;
      },
    },
  );
  if (error || !binary) throw new Error(`the policy module does not compile:\n${stderr.toString()}`);
  return { binary, inputs: inputs.set(OWN, await readFile(resolve(filters, "..", OWN), "utf8")) };
}

/** Returns a fresh instance of the policy module. */
export async function loadPolicy(): Promise<PolicyModule> {
  const { exports } = await instantiate<Record<string, (...values: (number | bigint)[]) => number | bigint>>(
    await keptModule("policy", compile),
    {},
  );
  const lower = (value: unknown): number | bigint => {
    if (typeof value === "string") return exports.__newString(value);
    if (value instanceof Uint8Array) return exports.__newArrayBuffer(value.slice().buffer);
    return typeof value === "boolean" ? Number(value) : (value as number | bigint);
  };
  const call = (name: string, values: unknown[]): unknown => {
    const pinned: number[] = [];
    const lowered = values.map((value) => {
      const result = lower(value);
      if (typeof value === "string" || value instanceof Uint8Array) pinned.push(exports.__pin(result as number));
      return result;
    });
    const result = (exports[name] as (...values: (number | bigint)[]) => number | bigint)(...lowered);
    const lifted = RETURNS_STRING.has(name)
      ? exports.__getString(result as number)
      : RETURNS_BOOLEAN.has(name)
        ? result !== 0
        : result;
    if (name === "slotClaim")
      return { outcome: result, slot: new Uint8Array(exports.__getArrayBuffer(pinned[0] as number)) };
    for (const pointer of pinned) exports.__unpin(pointer);
    if (++calls % 256 === 0) exports.__collect();
    return lifted;
  };
  let calls = 0;
  return new Proxy({} as PolicyModule, {
    get: (_target, name) => (name === "then" ? undefined : (...values: unknown[]) => call(String(name), values)),
  });
}

// consumes: lines of an Envoy's log
// produces: the traps of plugins among them, and whose they are
// never does: believe what a plugin or a request had logged
import { createHash } from "node:crypto";
import type { VersionId } from "./state.ts";

/**
 * A callback of a plugin that ended in a trap. Its VM is gone then, on that worker: failStrategy says what happens to
 * requests.
 */
export interface Trap {
  /** Of the version whose code it was in. */
  readonly mark: string;
  /** `proxy_on_request_headers` */
  readonly callback: string;
  /** V8's words, at most 200 characters. */
  readonly message: string;
  readonly atMs: number;
}

/** Returns what names a plugin's version in its proxies' logs: its version, and three digits for the plugin. */
export function markOf(plugin: string, version: VersionId): string {
  return `${version}${createHash("sha256").update(plugin).digest("hex").slice(0, 3)}`;
}

// Envoy's own words, from its own source file. What is logged for a plugin has another one and begins with `wasm log`;
// every entry is one line (--log-format-escaped).
//
// [2026-11-21T17:38:02.849+00:00][29639][error][wasm] [source/extensions/common/wasm/wasm_vm.cc:38] Function:
// proxy_on_request_headers failed: Uncaught RuntimeError: unreachable\nProxy-Wasm plugin in-VM backtrace:\n 0: 0x146 -
// 81c73599681ea3f filters/header\n 1: …
//
// The innermost frame counts: it is always there, the outermost is cut off where calls go deep.
const TRAP = new RegExp(
  [
    /^\[([^\]]{1,40})\]\[\d+\]\[error\]\[wasm\] \[[\w./]*\/wasm_vm\.cc:\d+\] /,
    /Function: (\w{1,100}) failed: (.*?)\\nProxy-Wasm plugin in-VM backtrace:\\n/,
    /\s*0:\s+0x[0-9a-f]+ - ([0-9a-f]{15})(?![0-9a-f])/,
  ]
    .map(({ source }) => source)
    .join(""),
);

const LONGEST = 200;

/** Returns the trap that a line tells of; undefined for every other line. */
export function readTrap(line: string): Trap | undefined {
  const [, at = "", callback, message = "", mark] = TRAP.exec(line) ?? [];
  const atMs = Date.parse(at);
  return callback === undefined || mark === undefined || Number.isNaN(atMs)
    ? undefined
    : { mark, callback, message: message.slice(0, LONGEST), atMs };
}

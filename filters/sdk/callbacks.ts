import { rewind } from "./abi/arena";
import { enterPhase } from "./abi/abort";
import { proxy_set_effective_context } from "./abi/imports";
import { note } from "./abi/status";

// What every exported callback does before and after the filter's own code.

let depth: i32 = 0;
let collectWanted: bool = false;
let serial: u64 = 0;
let begun: u64 = 0;

/**
 * A number that only this callback has: what was read under it may be kept and used again under the same number.
 * Callbacks that the host makes within another one have numbers of their own, and the outer one has a new one after
 * them.
 */
// @ts-ignore: decorator
@inline
export function callbackSerial(): u64 {
  return serial;
}

/**
 * A number that changes with every callback but those on a response and at the end: enough for what need not be asked
 * twice for one request.
 */
// @ts-ignore: decorator
@inline
export function requestSerial(): u64 {
  return begun;
}

/** As `enter`, for callbacks on the response and at the end of a stream. */
// @ts-ignore: decorator
@inline
export function enterEnd(phase: string, context: u32): void {
  depth++;
  serial++;
  enterPhase(phase, context);
}

/** Called when the host enters the module. For the SDK's own use. */
// @ts-ignore: decorator
@inline
export function enter(phase: string, context: u32): void {
  begun++;
  depth++;
  serial++;
  enterPhase(phase, context);
}

/**
 * Called before the host gets control back: rewinds the arena when the outermost callback ends. For the SDK's own use.
 */
// @ts-ignore: decorator
@inline
export function leave(): void {
  serial++;
  if (--depth == 0) {
    rewind();
    if (collectWanted) collect();
  }
}

/**
 * Makes stream `id` the one that host calls are about, until the callback ends or another is named; false if it is
 * gone. For callbacks of a root (a timer, a callout's answer) that have something to do for streams. What was read of
 * the last one under `callbackSerial` counts no more.
 */
export function enterStream(id: u32): bool {
  serial++;
  return note(proxy_set_effective_context(id)) == 0;
}

function collect(): void {
  collectWanted = false;
  __collect();
}

/**
 * Frees unused objects when this callback ends (nothing happens under `--runtime stub`). For work that makes garbage,
 * such as reading JSON.
 */
export function collectLater(): void {
  collectWanted = true;
}

import { rewind } from "./abi/arena";
import { enterPhase } from "./abi/abort";

// What every exported callback does before and after the filter's own code.

let depth: i32 = 0;
let collectWanted: bool = false;

/** Called when the host enters the module. For the SDK's own use. */
// @ts-ignore: decorator
@inline
export function enter(phase: string): void {
  depth++;
  enterPhase(phase);
}

/** Called before the host gets control back: rewinds the arena when the outermost callback ends. For the SDK's own use. */
// @ts-ignore: decorator
@inline
export function leave(): void {
  if (--depth == 0) {
    rewind();
    if (collectWanted) collect();
  }
}

function collect(): void {
  collectWanted = false;
  __collect();
}

/** Frees unused objects when this callback ends (nothing happens under `--runtime stub`). For work that makes garbage, such as reading JSON. */
export function collectLater(): void {
  collectWanted = true;
}

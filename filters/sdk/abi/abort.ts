import { proxy_log } from "./imports";

// Stands in for AssemblyScript's abort (asc --use abort=…): Envoy has no env.abort. No allocation: the heap may be what
// failed. Lazy, because AssemblyScript's own library refers to abort before this file's turn comes.
// @ts-ignore: decorator
@lazy
const line: usize = memory.data(512);
// @ts-ignore: decorator
@lazy
let at: usize = 0;
// @ts-ignore: decorator
@lazy
let phase: string = "start";
// @ts-ignore: decorator
@lazy
let context: u32 = 0;

/** Names the callback that is running and the context it is for, for the abort message. For the SDK's own use. */
// @ts-ignore: decorator
@inline
export function enterPhase(name: string, contextId: u32): void {
  phase = name;
  context = contextId;
}

function put(text: string | null): void {
  if (text === null) return;
  for (let i = 0; i < text.length && at < 500; i++) {
    const unit = text.charCodeAt(i);
    store<u8>(line + at++, unit < 0x80 ? unit : 0x3f);
  }
}

function putNumber(value: u32): void {
  if (value >= 10) putNumber(value / 10);
  if (at < 510) store<u8>(line + at++, 0x30 + (value % 10));
}

/**
 * Logs the failure at critical level with callback, context, file, line and column, then traps (Envoy disables the VM).
 */
export function abort(message: string | null, file: string | null, lineNumber: u32, column: u32): void {
  at = 0;
  put("filter aborted in ");
  put(phase);
  if (context != 0) {
    put(" of context ");
    putNumber(context);
  }
  put(": ");
  put(message);
  put(" (");
  put(file);
  put(":");
  putNumber(lineNumber);
  put(":");
  putNumber(column);
  put(")");
  proxy_log(5, line, at);
  unreachable();
}

// The child process of process-checker.ts: tries one module with its settings as a proxy would start it, says what came of it, and ends.
import { startHost } from "../../test/host/host.ts";
import { type CheckRequest, type CheckResult, READY_LINE } from "./process-checker.ts";

const chunks: Buffer[] = [];
process.stdin.on("data", (chunk: Buffer) => chunks.push(chunk));
process.stdin.on("end", () => {
  const input = Buffer.concat(chunks);
  const end = input.indexOf("\n");
  const { settings } = JSON.parse(input.subarray(0, end).toString("utf8")) as CheckRequest;
  process.stdout.write(`${READY_LINE}\n`);
  const answer = tryModule(input.subarray(end + 1), settings);
  process.stdout.write(`${JSON.stringify(answer)}\n`, () => process.exit(0));
});

function tryModule(module: Uint8Array, settings: CheckRequest["settings"]): CheckResult {
  const result = startHost({ module, configuration: settings.configuration, rootId: settings.rootId });
  return result.ok ? { kind: "good" } : { kind: "bad", reason: `${result.stage}: ${result.reason}` };
}

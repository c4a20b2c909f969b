// The child process of process-checker.ts: tries one module with its settings as a proxy would start and call it, says what came of it, and ends.
import { type HostOptions, startHost } from "../../test/host/host.ts";
import { type CheckRequest, type CheckResult, READY_LINE, STARTED_LINE } from "./process-checker.ts";
import { trialCalls } from "./trial-calls.ts";

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
  const result = startHost({ module, configuration: settings.configuration, rootId: settings.rootId, environmentVariables: environmentOf(settings), ...restricted(settings) });
  if (!result.ok) return { kind: "bad", reason: `${result.stage}: ${result.reason}` };
  process.stdout.write(`${STARTED_LINE}\n`);
  const warnings = trialCalls(result.host, exportsOf(module));
  // Envoy would not call what the module may not be called with.
  const { capabilities } = settings;
  return { kind: "good", warnings: capabilities === undefined ? warnings : warnings.filter((warning) => !warning.includes(" trapped in ") || capabilities.includes(warning.split(" ")[0] ?? "")) };
}

function exportsOf(module: Uint8Array): ReadonlySet<string> {
  return new Set(WebAssembly.Module.exports(new WebAssembly.Module(module)).map(({ name }) => name));
}

/** What a proxy's own environment gives is not known here: such a variable is there, and empty. */
function environmentOf({ environment, hostEnvironment }: CheckRequest["settings"]): Readonly<Record<string, string>> {
  return { ...Object.fromEntries(hostEnvironment.map((name) => [name, ""])), ...environment };
}

/** As Envoy answers a function that the module may not use: WasmResult::InternalFailure, or WASI's ENOTCAPABLE. */
function restricted({ capabilities }: CheckRequest["settings"]): Pick<HostOptions, "intercept"> {
  if (capabilities === undefined) return {};
  const allowed = new Set(capabilities);
  return { intercept: ({ name }) => (allowed.has(name) ? undefined : name.startsWith("proxy_") ? 10 : 76) };
}

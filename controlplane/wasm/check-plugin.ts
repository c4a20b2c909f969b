// The child process of process-checker.ts: tries one module with its settings as a proxy would start and call it, says
// what came of it, and ends.
import { Worker } from "node:worker_threads";
import { type HostOptions, startHost } from "proxy-wasm-host";
import { fitConfiguration } from "./module/config-schema.ts";
import { type CheckRequest, type CheckResult, FITS_LINE, READY_LINE, STARTED_LINE } from "./process-checker.ts";
import { trialCalls } from "./trial-calls.ts";

// Who could kill this process may be killed itself, and a module that never returns leaves this thread no time to
// notice.
new Worker(`setInterval(() => process.ppid === ${process.ppid} || process.kill(process.pid, "SIGKILL"), 500)`, {
  eval: true,
}).unref();

const chunks: Buffer[] = [];
process.stdin.on("data", (chunk: Buffer) => chunks.push(chunk));
process.stdin.on("end", () => {
  const input = Buffer.concat(chunks);
  const end = input.indexOf("\n");
  const request = JSON.parse(input.subarray(0, end).toString("utf8")) as CheckRequest;
  process.stdout.write(`${READY_LINE}\n`);
  const answer = check(input.subarray(end + 1), request);
  process.stdout.write(`${JSON.stringify(answer)}\n`, () => process.exit(0));
});

function check(module: Uint8Array, { settings, configSchema }: CheckRequest): CheckResult {
  const fit =
    configSchema === undefined ? { kind: "fits" as const } : fitConfiguration(settings.configuration, configSchema);
  if (fit.kind === "misfit") return { kind: "bad", field: fit.field, reason: fit.reason };
  process.stdout.write(`${FITS_LINE}\n`);
  const tried = tryModule(module, settings);
  // The module has the last word on its configuration: a schema that cannot be applied only warns.
  return fit.kind === "unusable" && tried.kind === "good"
    ? { kind: "good", warnings: [`its manifest's configSchema ${fit.reason}`, ...(tried.warnings ?? [])] }
    : tried;
}

function tryModule(module: Uint8Array, settings: CheckRequest["settings"]): CheckResult {
  const result = startHost({
    module,
    configuration: settings.configuration,
    rootId: settings.rootId,
    environmentVariables: environmentOf(settings),
    allowOnHeadersStopIteration: settings.allowOnHeadersStopIteration === true,
    ...restricted(settings),
  });
  if (result.kind === "failed") return { kind: "bad", reason: `${result.code}: ${result.message}` };
  process.stdout.write(`${STARTED_LINE}\n`);
  const warnings = trialCalls(result.host, exportsOf(module));
  // Envoy would not call what the module may not be called with.
  const { capabilities } = settings;
  return {
    kind: "good",
    warnings:
      capabilities === undefined
        ? warnings
        : warnings.filter(
            (warning) => !warning.includes(" trapped in ") || capabilities.includes(warning.split(" ")[0] ?? ""),
          ),
  };
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

// `scrim plugin run`: one module in one stock Envoy on this machine, until it is asked to stop.
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isFailed } from "../../model/failure.ts";
import type { PluginSettings } from "../../model/plugin.ts";
import { type Child, describeExit, startChild } from "../../local/child-process.ts";
import { httpCall } from "../../local/http-call.ts";
import { parseAddress } from "../../settings/address.ts";
import { meteredModule } from "../../wasm/meter/metered-module.ts";
import { describeModule } from "../../wasm/module/describe-module.ts";
import { servesConnectionsOnly } from "../../wasm/trial-calls.ts";
import type { CommandContext } from "../context.ts";
import { commandFailure } from "../exit-codes.ts";
import { listenForStop } from "../stop-signals.ts";
import { findEnvoy } from "../up.ts";
import type { RegistryOptions } from "./options.ts";
import { readModule } from "./read-module.ts";
import { buildRunBootstrap, listenerAddress, type RunFacts } from "./run-bootstrap.ts";
import { tryPlugin } from "./trial.ts";

export interface RunOptions extends RegistryOptions {
  readonly config?: string;
  readonly rootId: string;
  readonly upstream?: string;
  /** The module serves connections; undefined: as its exports tell. */
  readonly network?: boolean;
  readonly port: string;
  readonly logLevel: string;
}

const START_MS = 30_000;
const POLL_MS = 50;

/**
 * Runs the module as a proxy of the mesh would, with what its manifest allows; prints the address to send requests to.
 */
export async function runPlugin(source: string, options: RunOptions, context: CommandContext): Promise<void> {
  const { terminal, environment, clock } = context;
  const port = await readPort(options.port);
  const asked = options.upstream === undefined ? undefined : readUpstream(options.upstream);
  const { bytes, settings, exported } = await checkedModule(source, options, context);
  const envoy = await findEnvoy(environment, (line) => terminal.err(`scrim: ${line}\n`));
  const stop = listenForStop({ followParent: environment.startedByNpm, clock });
  const echo = asked === undefined ? await startEcho() : undefined;
  const folder = await mkdtemp(join(tmpdir(), "scrim-plugin-"));
  const echoPort = (echo?.address() as AddressInfo | undefined)?.port ?? 0;
  const upstream = asked ?? { host: "127.0.0.1", port: echoPort, tls: false };
  const facts: RunFacts = {
    moduleFile: join(folder, "plugin.wasm"),
    configuration: settings.configuration,
    rootId: settings.rootId,
    capabilities: settings.capabilities,
    allowOnHeadersStopIteration: settings.allowOnHeadersStopIteration === true,
    network: options.network ?? servesConnectionsOnly(exported),
    port,
    upstream,
  };
  let child: Child | undefined;
  try {
    await writeFile(facts.moduleFile, bytes);
    await writeFile(join(folder, "envoy.json"), JSON.stringify(buildRunBootstrap(facts)));
    child = startEnvoy(envoy.path, folder, options.logLevel, environment.variables);
    const address = await Promise.race([waitForAddress(folder, child, clock), stop.whenAsked]);
    if (typeof address !== "string") return;
    terminal.out(
      `${address} → ${options.upstream ?? "an echo of what arrives"} (Envoy ${envoy.version}; Ctrl-C ends it)\n`,
    );
    const ended = await Promise.race([child.exited, stop.whenAsked]);
    if (ended !== undefined) throw commandFailure("failed", `Envoy ${describeExit(ended)}: what it said is above.`);
  } finally {
    await child?.stop(2_000);
    echo?.close();
    echo?.closeAllConnections();
    await rm(folder, { recursive: true, force: true });
  }
}

interface Checked {
  readonly bytes: Uint8Array;
  readonly settings: PluginSettings;
  readonly exported: ReadonlySet<string>;
}

/** What would not start in a proxy is told before there is one. */
async function checkedModule(source: string, options: RunOptions, context: CommandContext): Promise<Checked> {
  const acquired = await readModule(source, options, context);
  const { settings, result: checked } = await tryPlugin(source, acquired, options, context);
  if (checked.kind === "bad" && checked.field !== undefined)
    throw commandFailure("failed", `--config${checked.field.replace("spec.pluginConfig", "")} ${checked.reason}.`);
  if (checked.kind !== "good")
    throw commandFailure(
      "failed",
      `${source} does not start: ${checked.kind === "bad" ? checked.reason : checked.message}.`,
    );
  for (const warning of checked.warnings ?? []) context.terminal.err(`note: ${warning}\n`);
  const metered = meteredModule(acquired.module);
  if (isFailed(metered)) throw commandFailure("failed", `${source}: ${metered.message}.`);
  const described = describeModule(acquired.module.bytes);
  return {
    bytes: metered.bytes,
    settings,
    exported: new Set(isFailed(described) ? [] : described.exports.map(({ name }) => name)),
  };
}

async function readPort(text: string): Promise<number> {
  if (!/^\d{1,5}$/.test(text) || Number(text) > 65_535)
    throw commandFailure("usage", `--port ${text} is no port: write a number from 0 (any free port) to 65535.`);
  const probe = createServer();
  await new Promise<void>((resolve, reject) =>
    probe.once("error", reject).listen(Number(text), "127.0.0.1", resolve),
  ).catch((error: unknown) => {
    const why = error instanceof Error ? error.message : String(error);
    throw commandFailure("failed", `--port ${text} cannot be had (${why}): name another, or 0 for any free one.`);
  });
  await new Promise<void>((resolve) => probe.close(() => resolve()));
  return Number(text);
}

function readUpstream(text: string): RunFacts["upstream"] {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !["http:", "https:"].includes(url.protocol) || url.hostname === "")
    throw commandFailure("usage", `--upstream ${text} is no address: write http://HOST:PORT or https://HOST:PORT.`);
  const tls = url.protocol === "https:";
  return { host: url.hostname.replace(/^\[|\]$/g, ""), port: Number(url.port) || (tls ? 443 : 80), tls };
}

/** An upstream that answers what it was sent, as JSON. */
function startEcho(): Promise<Server> {
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const { method, url, headers } = request;
      response.writeHead(200, { "content-type": "application/json" });
      const body = Buffer.concat(chunks).toString("utf8");
      response.end(`${JSON.stringify({ method, path: url, headers, body }, undefined, 2)}\n`);
    });
  });
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => resolve(server));
  });
}

function startEnvoy(binary: string, folder: string, logLevel: string, env: Readonly<Record<string, string>>): Child {
  return startChild({
    command: binary,
    cwd: folder,
    env,
    stdout: "inherit",
    stderr: "inherit",
    args: [
      "-c",
      join(folder, "envoy.json"),
      "--admin-address-path",
      join(folder, "admin"),
      "--concurrency",
      "1",
      "--disable-hot-restart",
      "--log-level",
      "error",
      "--component-log-level",
      `wasm:${logLevel}`,
    ],
  });
}

async function waitForAddress(folder: string, child: Child, clock: CommandContext["clock"]): Promise<string> {
  let ended: string | undefined;
  void child.exited.then((exit) => (ended = describeExit(exit)));
  const deadline = clock.monotonicMs() + START_MS;
  while (ended === undefined && clock.monotonicMs() < deadline) {
    const admin = parseAddress((await readFile(join(folder, "admin"), "utf8").catch(() => "")).trim());
    const answer =
      admin === undefined
        ? undefined
        : await httpCall({ host: admin.address, port: admin.port, path: "/listeners?format=json", timeoutMs: 1_000 });
    const address = answer?.status === 200 ? listenerAddress(answer.body) : undefined;
    if (address !== undefined) return address;
    await clock.sleep(POLL_MS);
  }
  throw commandFailure(
    "failed",
    ended === undefined ? "Envoy did not open its listener in time." : `Envoy ${ended}: what it said is above.`,
  );
}

// One Envoy that serves what translation makes of a mesh, without a control plane: for tests of the way out.
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { translateProxy } from "../../controlplane/cli/translate-proxy.ts";
import { loadText } from "../../controlplane/store/load.ts";
import type { PluginModules } from "../../controlplane/translate/ir/modules.ts";
import { buildStaticBootstrap } from "../golden/static-bootstrap.ts";
import { envoyPath } from "../e2e/filters/probe-envoy.ts";

const modules: PluginModules = {
  builtin: () => ({ sha256: "none", bytes: new Uint8Array() }),
  plugin: () => ({ kind: "pending" }),
  differsByProxy: () => false,
};

/** A running Envoy; `stop` ends it. */
export interface OutboundEnvoy {
  log(): string;
  stop(): Promise<void>;
}

/** Returns an Envoy that serves `workload` of the mesh in `yaml`, once its port answers. Wasm filters are left out. */
export async function startOutboundEnvoy(yaml: string, workload: string, port: number): Promise<OutboundEnvoy> {
  const { world, violations } = loadText(yaml);
  const errors = violations.filter((violation) => violation.severity === "error");
  if (errors.length > 0) throw new Error(JSON.stringify(errors));
  const translation = translateProxy(world, workload, modules);
  if (translation.kind === "refused") throw new Error(translation.reason);
  const directory = mkdtempSync(join(tmpdir(), "scrim-outbound-"));
  const [config, log] = [join(directory, "envoy.json"), join(directory, "log")];
  writeFileSync(config, JSON.stringify(buildStaticBootstrap(translation.resources, { deliveredFilters: "drop" })));
  const child = spawn(
    envoyPath(),
    ["-c", config, "--use-dynamic-base-id", "--concurrency", "1", "-l", "warning", "--log-path", log],
    { stdio: "ignore" },
  );
  const envoy: OutboundEnvoy = {
    log: () => readFileSync(log, "utf8"),
    async stop() {
      await ended(child);
      rmSync(directory, { recursive: true, force: true });
    },
  };
  await answering(port, child, envoy);
  return envoy;
}

async function answering(port: number, child: ChildProcess, envoy: OutboundEnvoy): Promise<void> {
  for (let attempt = 0; attempt < 300; attempt++) {
    if (child.exitCode !== null) throw new Error(`Envoy ended: ${envoy.log()}`);
    if (await accepts(port)) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`Envoy does not answer: ${envoy.log()}`);
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => resolve(socket.destroy() !== undefined));
    socket.on("error", () => resolve(false));
  });
}

function ended(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) return resolve();
    child.on("exit", () => resolve());
    child.kill("SIGKILL");
  });
}

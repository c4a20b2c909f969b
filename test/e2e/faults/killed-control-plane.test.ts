// A control plane that is killed twenty times, at any moment of its life, while requests flow through an Envoy that it
// serves.
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startLoad } from "../../support/load.ts";
import { eventually, request, scrim } from "../../support/mesh.ts";
import { freePort } from "../filters/probe-envoy.ts";
import { documents, serviceAt } from "../../support/workloads.ts";

const root = mkdtempSync(join(tmpdir(), "scrim-killed-"));
const state = join(root, "state");
const byte = () => 2 + Math.floor(Math.random() * 250);
const podIp = `127.${byte()}.${byte()}.4`;
let application: Server;
let envoy: ChildProcess;
let controlPlane: ChildProcess;
let xds = 0;
let adminPort = 0;
let envoyAdmin = 0;

function writeMesh(round: number): void {
  const path = join(root, "mesh/web.yaml");
  writeFileSync(
    `${path}.new`,
    documents(
      serviceAt("web", "127.0.0.1", (application.address() as AddressInfo).port),
      `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: web, namespace: default}
spec:
  hosts: [web]
  http:
  - route: [{destination: {host: web}}]
    headers: {response: {set: {x-round: "${round}"}}}
`,
    ),
  );
  renameSync(`${path}.new`, path);
}

function startControlPlane(): void {
  controlPlane = spawn(
    process.execPath,
    [
      scrim,
      "serve",
      join(root, "mesh"),
      "--state-dir",
      state,
      "--xds-address",
      `127.0.0.1:${xds}`,
      "--admin-address",
      `127.0.0.1:${adminPort}`,
    ],
    { stdio: "ignore" },
  );
}

const ready = () =>
  eventually("ready", async () =>
    (await request(`http://127.0.0.1:${adminPort}/ready`)).status === 200 ? true : undefined,
  );

async function statistic(name: string): Promise<number> {
  const { body } = await request(`http://127.0.0.1:${envoyAdmin}/stats?filter=${encodeURIComponent(`^${name}$`)}`);
  return Number(/: (\d+)/.exec(body)?.[1] ?? 0);
}

beforeAll(async () => {
  application = createServer((_, response) => response.end("web"));
  await new Promise<void>((resolve) => void application.listen(0, "127.0.0.1", resolve));
  mkdirSync(join(root, "mesh"));
  writeMesh(0);
  [xds, adminPort, envoyAdmin] = [await freePort(), await freePort(), await freePort()];
  startControlPlane();
  await ready();
  const bootstrap = execFileSync(
    process.execPath,
    [
      scrim,
      "bootstrap",
      "--proxy",
      "default/client-0",
      "--ip",
      podIp,
      "--service-account",
      "client",
      "--issue-token",
      "--state-dir",
      state,
      "--xds-address",
      `127.0.0.1:${xds}`,
      "--admin-port",
      String(envoyAdmin),
    ],
    { encoding: "utf8" },
  );
  writeFileSync(join(root, "envoy.json"), bootstrap, { mode: 0o600 });
  const binary =
    execFileSync(process.execPath, [scrim, "envoy", "path"], { encoding: "utf8" }).trim().split("\n").at(-1) ?? "";
  envoy = spawn(
    binary,
    ["-c", join(root, "envoy.json"), "--use-dynamic-base-id", "--concurrency", "1", "-l", "error"],
    { stdio: "ignore" },
  );
  await eventually("an answer", async () =>
    (await request("http://web/", { proxy: `http://${podIp}:15001` })).status === 200 ? true : undefined,
  );
});
afterAll(() => {
  for (const child of [envoy, controlPlane]) child?.kill("SIGKILL");
  application?.close();
  rmSync(root, { recursive: true, force: true });
});

describe("a control plane that is killed twenty times", () => {
  it("costs no request; changes made meanwhile arrive, and nothing that the proxy had is taken from it", async () => {
    const load = startLoad({ url: "http://web/", proxy: `${podIp}:15001`, clients: 2 });
    for (let round = 1; round <= 20; round++) {
      const isOver = once(controlPlane, "exit");
      controlPlane.kill("SIGKILL");
      await isOver;
      if (round % 4 === 0) writeMesh(round);
      startControlPlane();
      // At every stage of its start: hardly begun, listening, serving.
      if (round % 2 === 0) await ready();
      await delay((round * 37) % 400);
    }
    await ready();
    await eventually("the last change", async () =>
      (await request("http://web/", { proxy: `http://${podIp}:15001` })).headers["x-round"] === "20" ? true : undefined,
    );
    const { sent, failed } = await load.stop();
    expect(sent).toBeGreaterThan(100);
    expect(failed).toEqual([]);
    // What did not change was neither sent again nor removed: content has the same version after every start.
    expect(await statistic("listener_manager\\.lds\\.update_rejected")).toBe(0);
    expect(await statistic("listener_manager\\.listener_modified")).toBe(0);
    expect(await statistic("cluster_manager\\.cluster_modified")).toBe(0);
    expect(await statistic("cluster_manager\\.cluster_removed")).toBe(0);
  });
});

// A control plane that is killed twenty times, at any moment of its life, while requests flow through an Envoy that it
// serves.
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startLoad } from "../../support/load.ts";
import { type Envoy, startEnvoy } from "../../support/envoy.ts";
import { request } from "../../support/mesh.ts";
import { freePort } from "../../support/ports.ts";
import { bootstrapText, type ServedMesh, startServe } from "../../support/serve.ts";
import { type ControlPlanePorts, freePorts } from "../../support/serve-settings.ts";
import { eventually } from "../../support/until.ts";
import { documents, routeWithHeader, serviceAt } from "../../support/workloads.ts";

const root = mkdtempSync(join(tmpdir(), "scrim-killed-"));
const state = join(root, "state");
const byte = () => 2 + Math.floor(Math.random() * 250);
const podIp = `127.${byte()}.${byte()}.4`;
let application: Server;
let envoy: Envoy;
let controlPlane: ServedMesh;
let ports: ControlPlanePorts;

function writeMesh(round: number): void {
  const path = join(root, "mesh/web.yaml");
  writeFileSync(
    `${path}.new`,
    documents(
      serviceAt("web", "127.0.0.1", (application.address() as AddressInfo).port),
      routeWithHeader("web", "x-round", String(round)),
    ),
  );
  renameSync(`${path}.new`, path);
}

function startControlPlane(): void {
  controlPlane = startServe({ directories: { mesh: join(root, "mesh"), state }, ports });
}

const statistic = async (name: string): Promise<number> => (await envoy.stat(name)) ?? 0;

beforeAll(async () => {
  application = createServer((_, response) => response.end("web"));
  await new Promise<void>((resolve) => void application.listen(0, "127.0.0.1", resolve));
  mkdirSync(join(root, "mesh"));
  writeMesh(0);
  ports = await freePorts();
  startControlPlane();
  await controlPlane.ready();
  const pod = ["--proxy", "default/client-0", "--ip", podIp, "--service-account", "client"];
  const bootstrap = bootstrapText(state, ports.xds, [...pod, "--admin-port", String(await freePort())]);
  envoy = await startEnvoy(JSON.parse(bootstrap) as object, { logLevel: "error" });
  await eventually("an answer", async () =>
    (await request("http://web/", { proxy: `http://${podIp}:15001` })).status === 200 ? true : undefined,
  );
});
afterAll(async () => {
  await envoy?.stop();
  await controlPlane?.stop("SIGKILL");
  application?.close();
  rmSync(root, { recursive: true, force: true });
});

describe("a control plane that is killed twenty times", () => {
  it("costs no request; changes made meanwhile arrive, and nothing that the proxy had is taken from it", async () => {
    const load = startLoad({ url: "http://web/", proxy: `${podIp}:15001`, clients: 2 });
    for (let round = 1; round <= 20; round++) {
      await controlPlane.stop("SIGKILL");
      if (round % 4 === 0) writeMesh(round);
      startControlPlane();
      // At every stage of its start: hardly begun, listening, serving.
      if (round % 2 === 0) await controlPlane.ready();
      await delay((round * 37) % 400);
    }
    await controlPlane.ready();
    await eventually("the last change", async () =>
      (await request("http://web/", { proxy: `http://${podIp}:15001` })).headers["x-round"] === "20" ? true : undefined,
    );
    const { sent, failed } = await load.stop();
    expect(sent).toBeGreaterThan(100);
    expect(failed).toEqual([]);
    // What did not change was neither sent again nor removed: content has the same version after every start.
    expect(await statistic("listener_manager.lds.update_rejected")).toBe(0);
    expect(await statistic("listener_manager.listener_modified")).toBe(0);
    expect(await statistic("cluster_manager.cluster_modified")).toBe(0);
    expect(await statistic("cluster_manager.cluster_removed")).toBe(0);
  });
});

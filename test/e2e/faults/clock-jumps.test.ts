// A clock that is set forward and back by an hour under the control plane's feet.
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { writeMesh } from "../../../bench/controlplane/mesh.ts";
import type { ControlPlane } from "../../../controlplane/admin/contract.ts";
import { createControlPlane } from "../../../controlplane/main.ts";
import { installationOf } from "../../../controlplane/settings/installation.ts";
import { createSystemClock } from "../../../controlplane/telemetry/clock.ts";
import { createLogger } from "../../../controlplane/telemetry/logger.ts";
import { createMetrics } from "../../../controlplane/telemetry/metrics.ts";
import { freePorts, serveSettings } from "../../support/serve-settings.ts";
import { DeltaProxy, type DeltaProxyCounts } from "../../support/delta-proxy.ts";
import { request, scrim } from "../../support/mesh.ts";
import { eventually } from "../../support/until.ts";
import { ENDPOINTS, HOSTS } from "../../support/xds-types.ts";

const HOUR_MS = 3_600_000;
const PROXIES = 30;
const root = mkdtempSync(join(tmpdir(), "scrim-clock-"));
const counts: DeltaProxyCounts = { connects: 0, losses: 0, responses: 0, resources: 0, rejections: 0, bytes: 0 };
const clock = { ...createSystemClock(), aheadMs: 0, nowMs: (): number => Date.now() + clock.aheadMs };
const mesh = writeMesh(root, 10, PROXIES);
let controlPlane: ControlPlane;
let admin = "";
let proxies: readonly DeltaProxy[];
/** Another each time: the same again would be no change. */
let nextValue = 10;

beforeAll(async () => {
  const state = join(root, "state");
  const directories = { mesh: mesh.directory, runtime: mesh.runtimeDir, state, cache: join(root, "cache") };
  const ports = await freePorts();
  mkdirSync(state);
  admin = `http://127.0.0.1:${ports.admin}`;
  controlPlane = createControlPlane(serveSettings(directories, ports, { logLevel: "error" }), {
    logger: createLogger("error"),
    clock,
    metrics: createMetrics(),
    installation: installationOf(scrim),
    random: Math.random,
    complain: (line) => console.error(line),
  });
  await controlPlane.start();
  const where = { port: ports.xds, rootPem: readFileSync(join(state, "ca", "root-cert.pem"), "utf8") };
  proxies = mesh.proxies.map(
    (client) => new DeltaProxy({ ...client, ip: client.nodeId.split("~")[1] ?? "" }, where, counts),
  );
  for (const proxy of proxies) proxy.connect();
  await quiet();
});
afterAll(async () => {
  for (const proxy of proxies ?? []) proxy.disconnect();
  await controlPlane?.stop();
  rmSync(root, { recursive: true, force: true });
});

/** Until every proxy is in sync and nothing was sent for half a second. */
const quiet = () =>
  eventually("quiet", async () => {
    const before = counts.responses;
    await delay(500);
    return counts.responses === before &&
      (await request(`${admin}/synced`)).status === 200 &&
      controlPlane.view.proxies().length === PROXIES
      ? true
      : undefined;
  });

const convergence = async (): Promise<{ readonly sum: number; readonly count: number }> => {
  const { body } = await request(`${admin}/metrics`);
  const read = (what: string): number =>
    Number(new RegExp(`^pilot_proxy_convergence_time_${what} (\\S+)`, "m").exec(body)?.[1] ?? NaN);
  return { sum: read("sum"), count: read("count") };
};

describe("a clock that jumps by an hour", () => {
  it.each([
    ["forward", HOUR_MS],
    ["back", 0],
    ["further back", -HOUR_MS],
    ["where it was", 0],
  ])("%s: nobody is cut off or told anything again, and a change goes out as ever", async (_, aheadMs) => {
    const before = { ...counts, converged: await convergence() };
    const [vhost, endpoints] = [
      `80/svc-3.default.svc.cluster.local:80`,
      `outbound|80||svc-3.default.svc.cluster.local`,
    ];
    const versions = proxies.map((proxy) => [proxy.versionOf(HOSTS, vhost), proxy.versionOf(ENDPOINTS, endpoints)]);
    clock.aheadMs = aheadMs;
    await quiet();
    expect(counts).toMatchObject({ losses: 0, connects: PROXIES, responses: before.responses });
    const value = nextValue++;
    mesh.changeVirtualService(3, value);
    mesh.changeEndpoint(3, value);
    // In the midst of it the clock jumps again, and back.
    clock.aheadMs += 30 * 60_000;
    await delay(20);
    clock.aheadMs = aheadMs;
    await eventually("the change at all", () =>
      proxies.every(
        (proxy, index) =>
          proxy.versionOf(HOSTS, vhost) !== versions[index]?.[0] &&
          proxy.versionOf(ENDPOINTS, endpoints) !== versions[index]?.[1],
      )
        ? true
        : undefined,
    );
    await quiet();
    expect(counts.losses).toBe(0);
    // One host and one assignment each, and no more.
    expect(counts.resources - before.resources).toBeLessThanOrEqual(PROXIES * 2);
    const after = await convergence();
    expect(after.count).toBeGreaterThan(before.converged.count);
    expect(after.sum - before.converged.sum).toBeGreaterThanOrEqual(0);
    expect((after.sum - before.converged.sum) / (after.count - before.converged.count)).toBeLessThan(60);
  });
});

// Who a proxy is: its credential is seen by nobody else, and gives nothing to who only claims to be it.
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { serialsOf } from "../../support/certificate-serials.ts";
import { startEnvoy } from "../../support/envoy.ts";
import { type Mesh, processesOf, type ProxyStatus, request, startMesh } from "../../support/mesh.ts";
import { eventually } from "../../support/until.ts";
import { echoApps } from "../../support/workloads.ts";

let mesh: Mesh;
beforeAll(async () => void (mesh = await startMesh({ files: { "workloads.yaml": echoApps("web", "client") } })));
afterAll(() => mesh?.stop());

interface Bootstrap {
  admin: { address: { socket_address: { address: string; port_value: number } } };
}

/**
 * Starts an Envoy of somebody who took a pod's bootstrap and writes another token into it; resolves to what it was
 * given.
 */
async function impostorGets(
  bootstrap: string,
  token: string,
): Promise<{ readonly configured: boolean; readonly certificates: string[] }> {
  const parsed = JSON.parse(bootstrap.replace(/Bearer [0-9a-f]+/, `Bearer ${token}`)) as Bootstrap;
  parsed.admin.address.socket_address.port_value = 0;
  const envoy = await startEnvoy(parsed, { logLevel: "off" });
  try {
    await eventually("a refusal or a configuration", async () => {
      const stats = await envoy.admin(
        "/stats?filter=cluster_manager.cds.update_success|cluster.xds-grpc.upstream_rq_completed",
      );
      return /update_success: [1-9]|rq_completed: [2-9]/.test(stats) ? true : undefined;
    });
    const successes = await envoy.admin("/stats?filter=cluster_manager.cds.update_success");
    return {
      configured: /update_success: [1-9]/.test(successes),
      certificates: serialsOf(await envoy.admin("/certs")),
    };
  } finally {
    await envoy.stop();
  }
}

describe("identity", () => {
  it("is kept in files of the owner alone; no token shows in a log, a process list or an admin page", async () => {
    expect(statSync(join(mesh.stateDirectory, "ca/ca-key.pem")).mode & 0o777).toBe(0o600);
    expect(statSync(join(mesh.stateDirectory, "ca")).mode & 0o777).toBe(0o700);
    const { name, envoyAdmin } = await mesh.proxy("client");
    const file = join(mesh.stateDirectory, "runtime", `${name}.bootstrap.json`);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const token = /Bearer ([0-9a-f]+)/.exec(readFileSync(file, "utf8"))?.[1] ?? "";
    expect(token.length).toBeGreaterThanOrEqual(32);
    const dump = (await request(`http://${envoyAdmin}/config_dump?include_eds`)).body;
    expect(dump.length).toBeGreaterThan(10_000);
    expect(dump).not.toContain(token);
    expect((await request(`${mesh.admin}/debug/proxies`)).body).not.toContain(token);
    for (const { words, environment } of processesOf(mesh))
      expect([...words, ...environment].join(" ")).not.toContain(token);
    const logs = readdirSync(join(mesh.stateDirectory, "logs"), { recursive: true, encoding: "utf8" }).filter((path) =>
      path.endsWith(".log"),
    );
    for (const log of logs) expect(readFileSync(join(mesh.stateDirectory, "logs", log), "utf8")).not.toContain(token);
  });

  it("is given to nobody who only claims a node id, be it with no valid token or with another pod's", async () => {
    const [client, victim] = [await mesh.proxy("client"), await mesh.proxy("web")];
    const bootstrapOf = ({ name }: ProxyStatus) =>
      readFileSync(join(mesh.stateDirectory, "runtime", `${name}.bootstrap.json`), "utf8");
    const ofClient = /Bearer ([0-9a-f]+)/.exec(bootstrapOf(client))?.[1] ?? "";
    expect(await impostorGets(bootstrapOf(victim), "0".repeat(64))).toEqual({ configured: false, certificates: [] });
    expect(await impostorGets(bootstrapOf(victim), ofClient)).toEqual({ configured: false, certificates: [] });
    await mesh.synced();
  });
});

// How far a change has got, and what the control plane shows of itself to istioctl's questions.
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Mesh, repository, request, scrim, startMesh } from "../../support/mesh.ts";
import { object } from "../../support/objects.ts";
import { echoApps } from "../../support/workloads.ts";

const run = promisify(execFile);
let mesh: Mesh;

beforeAll(async () => {
  mesh = await startMesh({
    files: {
      "workloads.yaml": echoApps("web", "client"),
    },
  });
});
afterAll(() => mesh?.stop());

async function waitFor(
  file: string,
  timeout = "20s",
): Promise<{ readonly code: number; readonly out: string; readonly err: string }> {
  try {
    const { stdout, stderr } = await run(process.execPath, [
      scrim,
      "wait",
      "--for=distribution",
      join(mesh.directory, file),
      "--timeout",
      timeout,
      "--admin",
      mesh.admin,
    ]);
    return { code: 0, out: stdout, err: stderr };
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
    return { code, out: stdout, err: stderr };
  }
}

function fault(status: number): string {
  return `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: web, namespace: default}
spec:
  hosts: [web]
  http: [{fault: {abort: {percentage: {value: 100}, httpStatus: ${status}}}, route: [{destination: {host: web}}]}]
`;
}

async function page<T>(path: string): Promise<T> {
  const answer = await request(`${mesh.admin}/debug/${path}`);
  expect(answer.status, answer.body).toBe(200);
  return JSON.parse(answer.body) as T;
}

describe("scrim wait --for=distribution", () => {
  it("returns only when the change is in force at once afterwards, ten times in a row", async () => {
    for (let i = 0; i < 10; i++) {
      mesh.write("fault.yaml", fault(550 + i));
      const { code, out, err } = await waitFor("fault.yaml");
      expect([code, err]).toEqual([0, ""]);
      expect(out).toMatch(/VirtualService\/default\/web\s+2 of 2 proxies/);
      expect((await mesh.from("client", "http://web/")).status).toBe(550 + i);
    }
  });
  it("asks only the proxies that a change concerns", async () => {
    mesh.write(
      "guard.yaml",
      object("AuthorizationPolicy", "guard", "{selector: {matchLabels: {app: web}}, rules: [{}]}"),
    );
    expect((await waitFor("guard.yaml")).out).toMatch(/AuthorizationPolicy\/default\/guard\s+1 of 1 proxies/);
  });
  it("does not take what stands in for a plugin for the plugin", async () => {
    const plugin = (path: string) =>
      object(
        "WasmPlugin",
        "stamp",
        `{selector: {matchLabels: {app: web}}, url: "file://${path}", failStrategy: FAIL_OPEN,
  pluginConfig: {name: x-stamp, value: here}}`,
      );
    mesh.write("plugin.yaml", plugin(join(mesh.directory, "nowhere.wasm")));
    expect(await waitFor("plugin.yaml", "1s")).toMatchObject({
      code: 1,
      err: expect.stringMatching(/WasmPlugin\/default\/stamp: .*there is no such file/) as string,
    });
    mesh.write("plugin.yaml", plugin(join(repository, "filters/build/examples/add-header.wasm")));
    expect((await waitFor("plugin.yaml")).out).toMatch(/WasmPlugin\/default\/stamp\s+1 of 1 proxies/);
    expect((await request(`http://${(await mesh.proxy("web")).ports[0]?.address}/`)).headers["x-stamp"]).toBe("here");
    mesh.remove("plugin.yaml");
  });
  it("says what is wrong with a file that the mesh will not take", async () => {
    mesh.write("fault.yaml", fault(9));
    expect(await waitFor("fault.yaml")).toMatchObject({ code: 5, err: expect.stringMatching(/httpStatus/) as string });
    mesh.write("fault.yaml", fault(550));
    expect((await waitFor("fault.yaml")).code).toBe(0);
  });
  it("says what has not arrived when the time is over", async () => {
    mesh.write("elsewhere.txt", fault(560).replace("name: web", "name: other"));
    expect(await waitFor("elsewhere.txt", "1s")).toMatchObject({
      code: 1,
      err: expect.stringContaining("VirtualService/default/other: the mesh does not have it") as string,
    });
  });
});

describe("the debug pages", () => {
  it("tell that every proxy acknowledged what it was sent", async () => {
    const status = await page<Record<string, string>[]>("syncz");
    expect(status).toHaveLength(2);
    for (const proxy of status)
      for (const type of ["cluster", "listener", "route", "endpoint"])
        expect([type, proxy[`${type}_acked`]]).toEqual([type, proxy[`${type}_sent`]]);
  });
  it("show of each proxy what its own Envoy has", async () => {
    const client = await mesh.proxy("client");
    const names = (dump: { configs: Record<string, unknown>[] }): string[] =>
      (
        (dump.configs.find((config) => String(config["@type"]).endsWith("ClustersConfigDump"))?.[
          Object.keys(dump.configs[0] ?? {}).includes("bootstrap") ? "dynamic_active_clusters" : "dynamicActiveClusters"
        ] as { cluster: { name: string } }[]) ?? []
      )
        .map(({ cluster }) => cluster.name)
        .sort();
    const told = names(await page(`config_dump?proxyID=${client.name}.default`));
    const has = names(
      JSON.parse((await request(`http://${client.envoyAdmin}/config_dump`)).body) as {
        configs: Record<string, unknown>[];
      },
    );
    expect(told.length).toBeGreaterThan(2);
    expect(told).toEqual(has);
  });
  it("list endpoints that answer", async () => {
    const shards =
      await page<
        Record<string, Record<string, { Shards: Record<string, { Addresses: string[]; EndpointPort: number }[]> }>>
      >("endpointz");
    const endpoint = shards["web.default.svc.cluster.local"]?.["default"]?.Shards["Kubernetes/Kubernetes"]?.[0];
    expect((await request(`http://${endpoint?.Addresses[0]}:${endpoint?.EndpointPort}/`)).status).toBe(200);
  });
});

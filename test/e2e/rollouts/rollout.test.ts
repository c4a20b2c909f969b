// A plugin's new version on its way: to some proxies, watched, to all or taken back; and what the commands say of it.
import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { bucketOf } from "../../../controlplane/rollout/bucket.ts";
import { startLoad } from "../../support/load.ts";
import { type Mesh, type ProxyStatus, repository, request, scrim, startMesh } from "../../support/mesh.ts";
import { REFUSED_BY_ENVOY, writeRawModule } from "../../support/raw-module.ts";
import { eventually } from "../../support/until.ts";
import { documents, echoDeployment, service } from "../../support/workloads.ts";

const PLUGIN = "default/stamp";
const run = promisify(execFile);

let mesh: Mesh;
let modules: string;
let pods: readonly ProxyStatus[];

const stampModule = `file://${join(repository, "filters/build/examples/add-header.wasm")}`;

interface Version {
  readonly value?: string;
  readonly url?: string;
  readonly plan?: string;
  readonly failStrategy?: string;
}

function plugin({ value = "", url = stampModule, plan, failStrategy = "FAIL_CLOSE" }: Version): string {
  return `apiVersion: extensions.istio.io/v1alpha1
kind: WasmPlugin
metadata:
  name: stamp
  namespace: default
${plan === undefined ? "" : `  annotations: {scrim.mesh/rollout: "${plan}"}\n`}spec:
  selector: {matchLabels: {app: web}}
  url: ${url}
  failStrategy: ${failStrategy}
${value === "" ? "" : `  pluginConfig: {name: x-stamp, value: ${value}}\n`}`;
}

/**
 * What each pod stamps on its answers ("" for nothing), or its status when that is not 200; asked at the pod itself.
 */
async function stamps(): Promise<readonly string[]> {
  return Promise.all(
    pods.map(async ({ ports }) => {
      const answer = await request(`http://${ports[0]?.address}/`);
      return answer.status === 200 ? String(answer.headers["x-stamp"] ?? "") : String(answer.status);
    }),
  );
}

async function untilStamped(expected: readonly string[]): Promise<void> {
  await eventually(`stamps ${expected.join()}`, async () => {
    const seen = await stamps();
    if (seen.join() !== expected.join()) throw new Error(seen.join());
    return true;
  });
}

const isIn = (percent: number) => (pod: ProxyStatus) => bucketOf(PLUGIN, pod.podIp) < percent;
/** A share that some pods are in and others are not. */
const someShare = () =>
  Math.max(1, [...pods].map(({ podIp }) => bucketOf(PLUGIN, podIp)).sort((a, b) => a - b)[1] ?? 50);

async function command(
  ...args: readonly string[]
): Promise<{ readonly code: number; readonly out: string; readonly err: string }> {
  try {
    const { stdout, stderr } = await run(process.execPath, [scrim, ...args, "--admin", mesh.admin]);
    return { code: 0, out: stdout, err: stderr };
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
    return { code, out: stdout, err: stderr };
  }
}

beforeAll(async () => {
  modules = mkdtempSync(join(tmpdir(), "scrim-modules-"));
  mesh = await startMesh({
    files: {
      "workloads.yaml": documents(
        service("web"),
        service("client"),
        echoDeployment({ name: "web", app: "web", replicas: 4 }),
        echoDeployment({ name: "client", app: "client" }),
      ),
      "plugin.yaml": plugin({ value: "one" }),
    },
  });
  pods = (await mesh.proxies()).filter(({ workload }) => workload === "web");
});

afterAll(async () => {
  await mesh?.stop();
  rmSync(modules, { recursive: true, force: true });
});

describe("a rollout", () => {
  it("gives a new version to its share of the proxies, waits for somebody, and goes to all", async () => {
    await untilStamped(pods.map(() => "one"));
    const share = someShare();
    mesh.write("plugin.yaml", plugin({ value: "two", plan: `{steps: [{percent: ${share}}]}` }));
    await untilStamped(pods.map((pod) => (isIn(share)(pod) ? "two" : "one")));
    const status = await command("rollout", "status", "stamp");
    expect(status.out).toMatch(
      new RegExp(`default/stamp\\s+\\w{12}\\s+\\w{12}\\s+${share} %\\s+${pods.filter(isIn(share)).length} of 4`),
    );
    expect(await command("rollout", "promote", "stamp")).toMatchObject({
      code: 0,
      out: "default/stamp: its new version goes to all proxies now\n",
    });
    await untilStamped(pods.map(() => "two"));
  });

  it("is undone by one command", async () => {
    expect((await command("rollout", "undo", "stamp")).code).toBe(0);
    await untilStamped(pods.map(() => "one"));
    expect(await command("rollout", "undo", "stamp")).toMatchObject({
      code: 1,
      err: expect.stringContaining("there is no version before this one") as string,
    });
    expect((await command("rollout", "undo", "nothing")).code).toBe(4);
  });

  // Latency is left out of the judgement: on a machine that runs other tests it tells of those.
  it("goes on by itself while the new version does well, without a failed request", async () => {
    const load = startLoad({ url: "http://web/", proxy: (await mesh.proxy("client")).outbound });
    mesh.write(
      "plugin.yaml",
      plugin({ value: "three", plan: "{steps: [{percent: 50, pause: 2s}], rollback: {latency: 100000}}" }),
    );
    await untilStamped(pods.map(() => "three"));
    const { sent, failed } = await load.stop();
    expect(failed).toEqual([]);
    expect(sent).toBeGreaterThan(100);
    await eventually("the end of the rollout", async () =>
      (await command("rollout", "status", "stamp", "-o", "json")).out.includes('"all steps passed"') ? true : undefined,
    );
  });

  it("gives a share of every proxy's requests to the new version, the same to a request each time", async () => {
    mesh.write("plugin.yaml", plugin({ value: "split", plan: "{of: requests, steps: [{percent: 40}]}" }));
    await eventually("the split", async () =>
      (await command("rollout", "status", "stamp")).out.includes("40 % of requests") ? true : undefined,
    );
    const [pod] = pods;
    const ask = async (id: string) =>
      String(
        (await request(`http://${pod?.ports[0]?.address}/`, { headers: { "x-request-id": id } })).headers["x-stamp"],
      );
    await eventually("the first new answer", async () => ((await ask(randomUUID())) === "split" ? true : undefined));
    const ids = Array.from({ length: 400 }, () => randomUUID());
    const first = [];
    for (const id of ids) first.push(await ask(id));
    const share = first.filter((stamp) => stamp === "split").length / ids.length;
    expect(new Set(first)).toEqual(new Set(["split", "three"]));
    expect(share).toBeGreaterThan(0.28);
    expect(share).toBeLessThan(0.52);
    const again = [];
    for (const id of ids.slice(0, 50)) again.push(await ask(id));
    expect(again).toEqual(first.slice(0, 50));
    expect((await command("rollout", "abort", "stamp")).code).toBe(0);
    await untilStamped(pods.map(() => "three"));
  });

  it("takes back a version that answers with errors, by itself", async () => {
    const sick = (await writeRawModule(join(modules, "sick.wasm"), "reply(503, 0, 0, 0, 0, 0, 0, -1); return 1;")).url;
    const share = someShare();
    const load = startLoad({
      url: "http://web/",
      proxy: (await mesh.proxy("client")).outbound,
      isGood: ({ status }) => status === 200 || status === 503,
    });
    mesh.write("plugin.yaml", plugin({ url: sick, plan: `{steps: [{percent: ${share}, pause: 60s}]}` }));
    const history = await eventually(
      "taken back",
      async () => {
        const { out } = await command("rollout", "status", "stamp", "-o", "json");
        return out.includes('"rolled back"') ? out : undefined;
      },
      60_000,
    );
    expect(history).toMatch(/% of its answers are 5xx/);
    await untilStamped(pods.map(() => "three"));
    await load.stop();
  });

  it("takes back a version whose callback never ends, and neighbours go on", async () => {
    const endless = (await writeRawModule(join(modules, "endless.wasm"), "while (true) { kept++; }")).url;
    const share = someShare();
    mesh.write(
      "plugin.yaml",
      plugin({ url: endless, plan: `{steps: [{percent: ${share}, pause: 60s}], rollback: {minimumRequests: 5}}` }),
    );
    const others = pods.filter((pod) => !isIn(share)(pod));
    const first = pods.find(isIn(share)) ?? expect.fail("nobody is in the share");
    // Found by its trial call already, or else by the proxies' own errors: in both cases it serves nobody in the end.
    await eventually(
      "taken back or not let through",
      async () => {
        const answer = await request(`http://${first.ports[0]?.address}/`);
        expect([200, 500, 503]).toContain(answer.status);
        for (const { ports } of others) expect((await request(`http://${ports[0]?.address}/`)).status).toBe(200);
        const { out } = await command("rollout", "status", "stamp", "-o", "json");
        return out.split('"rolled back"').length > 2 ||
          (mesh.output().includes("stamp") && (await request(`${mesh.admin}/debug/violations`)).body.includes("trial"))
          ? true
          : undefined;
      },
      60_000,
    );
    await untilStamped(pods.map(() => "three"));
  });

  it("goes back from a version that only Envoys refuse, also without a plan", async () => {
    const { url } = await writeRawModule(join(modules, "refused.wasm"), "return 0;", REFUSED_BY_ENVOY);
    mesh.write("plugin.yaml", plugin({ url }));
    await eventually("undone", async () =>
      (await command("rollout", "status", "stamp")).out.match(/undone\s+\S+ refused it: /) === null ? undefined : true,
    );
    await untilStamped(pods.map(() => "three"));
    await mesh.synced();
  });

  it("lets a failStrategy answer where Envoys refuse the only version there is", async () => {
    const { url } = await writeRawModule(join(modules, "refused.wasm"), "return 0;", REFUSED_BY_ENVOY);
    const alone = (name: string, failStrategy: string) =>
      documents(
        service(name),
        echoDeployment({ name, app: name }),
        plugin({ url, failStrategy }).replace("name: stamp", `name: ${name}`).replace("app: web", `app: ${name}`),
      );
    mesh.write("alone.yaml", documents(alone("open", "FAIL_OPEN"), alone("closed", "FAIL_CLOSE")));
    for (const [name, status] of [
      ["open", 200],
      ["closed", 403],
    ] as const) {
      await eventually(name, async () =>
        (await request(`http://${(await mesh.proxy(name)).ports[0]?.address}/`)).status === status ? true : undefined,
      );
    }
    mesh.remove("alone.yaml");
    await mesh.synced();
  });

  it("holds a new version back when its plan cannot be read, and says so", async () => {
    mesh.write("plugin.yaml", plugin({ value: "four", plan: "{steps: many}" }));
    await eventually("the complaint", async () =>
      (await request(`${mesh.admin}/debug/violations`)).body.includes("steps: expected a list") ? true : undefined,
    );
    await untilStamped(pods.map(() => "three"));
    expect((await command("rollout", "abort", "stamp")).code).toBe(0);
    mesh.write("plugin.yaml", plugin({ value: "five" }));
    await untilStamped(pods.map(() => "five"));
  });
});

// What an operator does to a mesh, and what befalls it: rollouts, crashes, renewals, lost files, its own sudden end.
import { execFile } from "node:child_process";
import { existsSync, readFileSync, renameSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { serialsOf } from "../../support/certificate-serials.ts";
import { type Load, startLoad } from "../../support/load.ts";
import { type Mesh, processesOf, type ProxyStatus, request, scrim, startMesh } from "../../support/mesh.ts";
import { type LivingProcess, processes } from "../../support/processes.ts";
import { eventually } from "../../support/until.ts";
import { documents, echoDeployment, service } from "../../support/workloads.ts";

const gateway = `apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: edge, namespace: istio-system}
spec:
  selector: {istio: ingressgateway}
  servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ["*"]}]
`;
const probed = echoDeployment({ name: "probed", app: "probed" }).replace(
  "        env:",
  `        readinessProbe: {exec: {command: [test, -f, ready]}, periodSeconds: 1}\n        env:`,
);

function web(replicas: number, version: string): string {
  return echoDeployment({ name: "web-v1", app: "web", replicas }).replace(
    "name: VERSION, value: v1",
    `name: VERSION, value: ${version}`,
  );
}

function workloads(replicas = 1, version = "v1"): string {
  return documents(
    service("web"),
    service("client"),
    service("probed"),
    gateway,
    web(replicas, version),
    echoDeployment({ name: "client", app: "client" }),
    probed,
  );
}

let mesh: Mesh;
let load: Load;

beforeAll(async () => {
  mesh = await startMesh({
    files: { "workloads.yaml": workloads(), ready: "" },
    args: ["--certificate-lifetime", "12s"],
  });
  load = startLoad({ url: "http://web/", proxy: (await mesh.proxy("client")).outbound, clients: 2 });
});

afterAll(async () => {
  await load?.stop();
  await mesh?.stop();
});

/** Ends the load so far and begins another: what failed meanwhile. */
async function failedSince(): Promise<readonly string[]> {
  const { sent, failed } = await load.stop();
  expect(sent).toBeGreaterThan(0);
  load = startLoad({ url: "http://web/", proxy: (await mesh.proxy("client")).outbound, clients: 2 });
  return failed;
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const ours = (): readonly LivingProcess[] => processesOf(mesh);

async function certificates({ envoyAdmin }: ProxyStatus): Promise<string[]> {
  return serialsOf((await request(`http://${envoyAdmin}/certs`)).body);
}

/** What /synced says once it is 503 for the reason looked for; a certificate on its way is one too, for a moment. */
async function reportOf(reason: RegExp): Promise<string> {
  return eventually(`503 with ${String(reason)}`, async () => {
    const { status, body } = await request(`${mesh.admin}/synced`);
    return status === 503 && reason.test(body) ? body : undefined;
  });
}

interface Ended {
  readonly code: number;
  readonly text: string;
}

function run(...args: readonly string[]): Promise<Ended> {
  return new Promise((resolve) => {
    execFile(process.execPath, [scrim, ...args], { timeout: 30_000 }, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : Number(error.code ?? -1), text: stdout + stderr }),
    );
  });
}

const upTo = (state: string, gatewayPort = "0", adminPort = "0") =>
  run("up", mesh.directory, "--state-dir", state, "--gateway-port", gatewayPort, "--admin-port", adminPort);

describe("changes by hand", () => {
  it("scales and rolls without a failed request", async () => {
    const running = async () => (await mesh.proxies()).filter(({ workload }) => workload === "web-v1").length;
    mesh.write("workloads.yaml", workloads(3));
    await eventually("three pods", async () => ((await running()) === 3 ? true : undefined));
    await mesh.synced();
    mesh.write("workloads.yaml", workloads(1, "v2"));
    await eventually("one pod of the new kind", async () =>
      (await running()) === 1 && (await mesh.from("client", "http://web/")).headers["x-version"] === "v2"
        ? true
        : undefined,
    );
    await mesh.synced();
    expect(await failedSince()).toEqual([]);
  });

  it("obeys an exec probe, and says who does not answer", async () => {
    mesh.remove("ready");
    await reportOf(/probed-0-\w+\.default/);
    mesh.write("ready", "");
    await mesh.synced();
  });

  it("waits for a proxy that hangs, by name", async () => {
    const { pid, name } = await mesh.proxy("probed");
    process.kill(pid, "SIGSTOP");
    try {
      mesh.write("more.yaml", service("more"));
      expect(await reportOf(new RegExp(name))).toMatch(/acknowledged|answer/);
    } finally {
      process.kill(pid, "SIGCONT");
    }
    await mesh.synced();
    mesh.remove("more.yaml");
    await mesh.synced();
  });

  it("renews certificates on both sides without a failed request", async () => {
    await failedSince();
    const proxies = [await mesh.proxy("client"), await mesh.proxy("web-v1")];
    const before = await Promise.all(proxies.map(certificates));
    expect(before.flat().length).toBeGreaterThanOrEqual(2);
    await eventually("other serial numbers", async () => {
      const now = await Promise.all(proxies.map(certificates));
      return now.every(
        (serials, at) =>
          serials.length > 0 && serials.every((serial) => !(before[at] ?? []).slice(0, 1).includes(serial)),
      )
        ? true
        : undefined;
    });
    expect(await failedSince()).toEqual([]);
  });
});

describe("commands beside a running mesh", () => {
  it("refuse a state directory and ports that are in use, and say by whom", async () => {
    const locked = await upTo(mesh.stateDirectory);
    expect(locked).toMatchObject({ code: 1, text: expect.stringContaining(`in use by process ${mesh.process.pid}`) });
    const other = join(mesh.directory, "..", "other-state");
    const adminPort = await upTo(other, "0", new URL(mesh.admin).port);
    expect(adminPort).toMatchObject({
      code: 1,
      text: expect.stringMatching(/--admin-port, is taken by process \d+ \(.*serve/),
    });
    const gatewayPort = await upTo(other, new URL(mesh.gateway).port);
    expect(gatewayPort).toMatchObject({
      code: 1,
      text: expect.stringMatching(/--gateway-port, is taken by process \d+ \(.*envoy/),
    });
  });

  it("tell the status of each proxy, its place and its process", async () => {
    const { code, text } = await run("proxy-status", "-o", "json", "--admin", mesh.admin);
    expect(code).toBe(0);
    const client = (JSON.parse(text) as ProxyStatus[]).find(({ workload }) => workload === "client");
    expect(client).toMatchObject({
      kind: "sidecar",
      namespace: "default",
      cluster: "local",
      identity: "spiffe://cluster.local/ns/default/sa/client",
      envoyVersion: expect.stringMatching(/^\d+\.\d+\.\d+$/),
      sync: {
        cds: "SYNCED",
        lds: "SYNCED",
        eds: "SYNCED",
        rds: "SYNCED",
        vhds: "SYNCED",
        ecds: "SYNCED",
        sds: "SYNCED",
      },
    });
    expect(client?.ports).toEqual([{ port: 9080, address: `${client?.podIp}:9080` }]);
    const envoy = processes().find(({ pid }) => pid === client?.pid);
    expect(envoy?.words.join(" ")).toContain(client?.name);
    expect((await run("proxy-status", "--admin", "http://127.0.0.1:9")).code).toBe(3);
  });
});

describe("crashes and losses", () => {
  it("starts a killed workload and a killed proxy again, and says so", async () => {
    const { name } = await mesh.proxy("probed");
    const app = await eventually(
      "the workload's process",
      () =>
        ours().find(
          ({ words, environment }) =>
            words.join(" ").includes("apps/echo.mjs") &&
            !words.join(" ").includes("scrim-child") &&
            environment.includes(`POD_NAME=${name}`),
        )?.pid,
    );
    process.kill(app, "SIGKILL");
    await eventually("said", () =>
      new RegExp(`${name} was ended by SIGKILL.*starting it again in`).test(mesh.output()) ? true : undefined,
    );
    await mesh.synced();
    process.kill((await mesh.proxy("probed")).pid, "SIGKILL");
    await eventually("said", () =>
      new RegExp(`the proxy of ${name} was ended by SIGKILL.*starting it again in`).test(mesh.output())
        ? true
        : undefined,
    );
    await eventually("answers again", async () =>
      (await mesh.from("client", "http://probed/")).status === 200 ? true : undefined,
    );
    await mesh.synced();
    expect(await failedSince()).toEqual([]);
  });

  it("keeps the mesh when its directory is empty, or gone, as the control plane starts anew", async () => {
    const [kept, away] = [join(mesh.directory, "workloads.yaml"), join(mesh.directory, "..", "away.yaml")];
    const kept503 = async () => {
      await eventually("the notice", async () =>
        (await request(`${mesh.admin}/debug/violations`)).body.includes("--allow-empty") ? true : undefined,
      );
      await pause(500);
      expect((await mesh.from("client", "http://web/")).status).toBe(200);
    };
    renameSync(kept, away);
    await kept503();
    await mesh.killControlPlane();
    await kept503();
    renameSync(away, kept);
    await mesh.synced();
    renameSync(mesh.directory, `${mesh.directory}-away`);
    await mesh.killControlPlane();
    await kept503();
    renameSync(`${mesh.directory}-away`, mesh.directory);
    await mesh.synced();
    // What is published did not change, so nothing tells when the source has seen the directory again.
    await eventually("nothing is wrong any more", async () =>
      (JSON.parse((await request(`${mesh.admin}/debug/violations`)).body) as unknown[]).length === 0 ? true : undefined,
    );
    expect(await failedSince()).toEqual([]);
  });

  it("makes no second root when the authority's key is lost; proxies go on", async () => {
    const [key, away] = [join(mesh.stateDirectory, "ca/ca-key.pem"), join(mesh.stateDirectory, "key-away.pem")];
    const root = readFileSync(join(mesh.stateDirectory, "ca/root-cert.pem"), "utf8");
    renameSync(key, away);
    await mesh.killControlPlane();
    await eventually("said", () =>
      /certificate authority cannot start: .*ca-key\.pem is missing/.test(mesh.output()) ? true : undefined,
    );
    expect((await mesh.from("client", "http://web/")).status).toBe(200);
    expect(existsSync(key)).toBe(false);
    renameSync(away, key);
    await mesh.synced();
    expect(readFileSync(join(mesh.stateDirectory, "ca/root-cert.pem"), "utf8")).toBe(root);
    expect(await failedSince()).toEqual([]);
  });

  it("leaves no process behind when it is killed by force", async () => {
    await load.stop();
    expect(ours().length).toBeGreaterThan(8);
    mesh.process.kill("SIGKILL");
    await eventually("the end of every process", () => (ours().length === 0 ? true : undefined), 10_000);
  });
});

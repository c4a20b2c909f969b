// A mesh out of a real API server: whole, followed, and kept through what API servers do.
import { join } from "node:path";
import { readFileSync, writeFileSync } from "node:fs";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { openAccess } from "../../../controlplane/kubernetes/access.ts";
import { createApiClient } from "../../../controlplane/kubernetes/http-api-client.ts";
import { isFailed } from "../../../controlplane/model/failure.ts";
import { createKubernetesSource } from "../../../controlplane/source/kubernetes/kubernetes-source.ts";
import { createStore } from "../../../controlplane/store/store.ts";
import { createSystemClock } from "../../../controlplane/telemetry/clock.ts";
import { formatViolation } from "../../../controlplane/validate/violation.ts";
import { type ApiServer, noApiServer, startApiServer } from "../../support/api-server.ts";
import { removeScratchDirectory, scratchDirectory } from "../../support/children.ts";
import { createCutLine, type CutLine } from "../../support/cut-line.ts";
import { request } from "../../support/mesh.ts";
import { freePorts } from "../../support/serve-settings.ts";
import { startServe } from "../../support/serve.ts";
import { until } from "../../support/until.ts";

const root = join(import.meta.dirname, "../../..");

let server: ApiServer;
let line: CutLine;
let directory: string;
let kubeconfig: string;
let stops: (() => Promise<void>)[] = [];

async function kubectl(args: readonly string[], input?: string): Promise<string> {
  const { code, stdout, stderr } = await server.kubectl(args, input);
  if (code !== 0) throw new Error(`kubectl ${args.join(" ")}: ${stderr}`);
  return stdout.trim();
}
const apply = (...objects: readonly object[]) =>
  kubectl(["apply", "-f", "-"], JSON.stringify({ apiVersion: "v1", kind: "List", items: objects }));
const applyCrds = async () => {
  await kubectl(["apply", "--server-side", "-f", join(root, "deploy/crds")]);
  await kubectl(["wait", "--for=condition=Established", "--timeout=60s", "crd", "--all"]);
};

const service = (name: string) => ({
  ...{ apiVersion: "v1", kind: "Service", metadata: { name, namespace: "shop" } },
  spec: { selector: { app: name }, ports: [{ name: "http", port: 80, targetPort: 8080 }] },
});
const virtualService = (weight: number) => ({
  ...{ apiVersion: "networking.istio.io/v1beta1", kind: "VirtualService" },
  metadata: { name: "reviews", namespace: "shop" },
  spec: { hosts: ["reviews"], http: [{ route: [{ destination: { host: "reviews" }, weight }] }] },
});
const pod = (name: string) => ({
  ...{ apiVersion: "v1", kind: "Pod", metadata: { name, namespace: "shop", labels: { app: "web" } } },
  spec: { nodeName: "node-1", containers: [{ name: "web", image: "web", ports: [{ containerPort: 8080 }] }] },
});

async function follow() {
  const access = await openAccess({ kind: "kubeconfig", paths: [kubeconfig], context: undefined });
  if (isFailed(access)) throw new Error(access.message);
  const clock = createSystemClock();
  const client = createApiClient({ access, clock });
  const store = createStore({ strict: false });
  const lost: string[] = [];
  let before = store.world();
  store.subscribe(({ world }) => {
    for (const { metadata } of before.list("Service"))
      if (!world.get("Service", metadata.namespace, metadata.name)) lost.push(metadata.name);
    before = world;
  });
  const source = createKubernetesSource({
    ...{ client, clock, random: Math.random, namespace: "istio-system", revision: "default", complain: () => {} },
  });
  stops.push(async () => {
    await source.stop();
    client.close();
  });
  await source.start((batch) => store.apply(batch));
  const names = () =>
    store
      .world()
      .list("Service")
      .map(({ metadata }) => metadata.name);
  const has = (name: string) =>
    until(
      () => names().includes(name),
      name,
      () => violations().join("\n"),
    );
  const violations = () => store.violations().map(formatViolation);
  return { world: () => store.world(), has, names, lost, violations };
}

describe.skipIf(noApiServer)(`a mesh of a real API server${noApiServer ? ` (${noApiServer})` : ""}`, () => {
  beforeAll(async () => {
    server = await startApiServer();
    line = await createCutLine(Number(new URL(server.url).port));
    directory = scratchDirectory();
    kubeconfig = join(directory, "kubeconfig");
    writeFileSync(
      kubeconfig,
      readFileSync(server.kubeconfig, "utf8").replace(server.url, `https://127.0.0.1:${line.port}`),
    );
    for (const name of ["istio-system", "shop"]) await kubectl(["create", "namespace", name]);
  });
  afterEach(async () => {
    for (const stop of stops) await stop();
    stops = [];
  });
  afterAll(async () => {
    await line.close();
    await server.stop();
    removeScratchDirectory(directory);
  });

  it("is there before its kinds are, and takes them up when they come", async () => {
    const { world, violations } = await follow();
    expect([world().list("Namespace").length >= 4, violations()]).toEqual([true, []]);
    await applyCrds();
    await apply(virtualService(90));
    await until(() => world().list("VirtualService").length === 1, "the VirtualService");
    expect(world().list("VirtualService")[0]).toMatchObject({
      origin: { kind: "kubernetes", object: "VirtualService/shop/reviews" },
      spec: { http: [{ route: [{ weight: 90 }] }] },
    });
  });

  it("has pods where their nodes are, and endpoints of those that are ready", async () => {
    const { world, violations } = await follow();
    // Of region and zone newer API servers give pods the labels themselves.
    const labels = { "topology.istio.io/subzone": "rack-7" };
    await apply({ apiVersion: "v1", kind: "Node", metadata: { name: "node-1", labels } }, service("web"), pod("web-1"));
    const status = {
      podIP: "10.1.2.3",
      podIPs: [{ ip: "10.1.2.3" }],
      phase: "Running",
      conditions: [{ type: "Ready", status: "True" }],
    };
    await kubectl(["patch", "pod", "web-1", "-n", "shop", "--subresource=status", "-p", JSON.stringify({ status })]);
    await until(() => world().get("Pod", "shop", "web-1")?.spec.status?.podIP === "10.1.2.3", "the pod's address");
    expect(world().get("Pod", "shop", "web-1")).toMatchObject({
      metadata: { annotations: labels },
      spec: { containers: [{ name: "web", ports: [{ containerPort: 8080 }] }] },
    });
    expect(violations()).toEqual([]);
    // What ended has no address any more, whatever its status says.
    const ended = JSON.stringify({ status: { ...status, phase: "Succeeded" } });
    await kubectl(["patch", "pod", "web-1", "-n", "shop", "--subresource=status", "-p", ended]);
    await until(() => world().list("Pod").length === 0, "no pod");
    await apply(pod("web-2"));
    await until(() => world().list("Pod").length === 1, "another pod");
    await kubectl(["delete", "pod", "web-2", "-n", "shop", "--force", "--grace-period=0"]);
    await until(() => world().list("Pod").length === 0, "no pod again");
  });

  it("loses nothing by a cut line, an API server that goes and comes, and an etcd that forgot", async () => {
    await apply(service("a"));
    const { has, names, lost } = await follow();
    expect(names()).toContain("a");
    line.cut();
    await apply(service("b"));
    line.mend();
    await has("b");
    await server.halt();
    await server.resume();
    await apply(service("c"));
    await has("c");
    line.cut();
    await apply(service("d"));
    await kubectl(["delete", "service", "b", "-n", "shop"]);
    await server.compact();
    await server.halt();
    await server.resume();
    line.mend();
    await has("d");
    await until(() => !names().includes("b"), "b to be gone");
    expect(lost).toEqual(["b"]);
  });

  it("is served by `scrim serve --kubernetes`, and followed", async () => {
    await applyCrds();
    await apply(virtualService(80));
    const ports = await freePorts();
    const served = startServe({
      directories: { state: join(directory, "state") },
      ports,
      args: ["--kubernetes", "--kubeconfig", kubeconfig],
    });
    stops.push(() => served.stop());
    await served.ready();
    const registry = async () => (await request(`${served.admin}/debug/configz`)).body;
    expect(await registry()).toContain("reviews");
    await kubectl(["delete", "virtualservice", "reviews", "-n", "shop"]);
    await until(async () => !(await registry()).includes("reviews"), "no VirtualService");
  });

  it("says what it waits for where no API server answers, and ends when it is asked to", async () => {
    line.cut();
    const said: string[] = [];
    const served = startServe({
      directories: { state: join(directory, "waiting") },
      ports: await freePorts(),
      args: ["--kubernetes", "--kubeconfig", kubeconfig],
      stdio: ["ignore", "ignore", "pipe"],
    });
    served.process.stderr?.on("data", (text: Buffer) => said.push(text.toString()));
    await until(() => said.join("").includes("waiting for the API server"), "what it waits for");
    expect((await request(`${served.admin}/ready`).catch(() => undefined))?.status).not.toBe(200);
    await served.stop();
    line.mend();
    expect(served.process.exitCode).toBe(0);
  });
});

// Consumes: a mesh, one of its workloads, what else there is in the world.
// Produces: that workload's pod in a network namespace of its own, its connections brought to an Envoy that serves what
// translation makes of the mesh, without a control plane; and the world in another namespace.
// Never does: touch the machine's own network.
import type { ChildProcess } from "node:child_process";
import { chmodSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { captureRules } from "../../controlplane/capture/rules.ts";
import { captureSettings, PROXY_OWNER } from "../../controlplane/capture/settings.ts";
import { CERTIFICATE, KEY } from "../golden/tls-material.ts";
import { buildStaticBootstrap } from "../golden/static-bootstrap.ts";
import { removeScratchDirectory, scratchDirectory } from "./children.ts";
import { findEnvoy } from "./envoy.ts";
import { createNamespace, joinNamespaces, type TestNamespace } from "./namespaces.ts";
import { resourcesOf } from "./outbound-envoy.ts";
import { until } from "./until.ts";

/** What stands outside of the client's pod, by `address:port`: each answers with that text. */
export interface OutsideWorld {
  /** HTTP servers: `address:port host path`. */
  readonly http: readonly string[];
  /** Servers that speak first: a line, then whatever they are told. */
  readonly first: readonly string[];
  /** HTTP servers behind TLS. */
  readonly tls: readonly string[];
  /** What the pod's own resolver knows. */
  readonly names: Readonly<Record<string, string>>;
}

export interface CapturedClient {
  /** Runs a bash script in the pod as an ordinary user; returns what it printed. */
  run(script: string): string;
  /** Starts one there. */
  open(script: string): ChildProcess;
  /** A page of the proxy's. */
  admin(path: string): string;
  /** Tells the proxy what becomes of another mesh. */
  change(mesh: string): void;
  end(): Promise<void>;
}

/** The client's address; the world has all others of 10.10.0.0/24. */
const CLIENT = "10.10.0.1";
const RESOLVER = "10.10.0.53";
const SEARCH = "default.svc.cluster.local svc.cluster.local cluster.local";
const ADMIN = 15_000;

/** Starts the pod of a workload whose address is 10.10.0.1; resolves when its proxy serves. */
export async function startCapturedClient(
  mesh: string,
  workload: string,
  outside: OutsideWorld,
): Promise<CapturedClient> {
  const directory = scratchDirectory();
  chmodSync(directory, 0o755);
  const file = (name: string, text: string) => (writeFileSync(join(directory, name), text), join(directory, name));
  const [pod, world] = [await createNamespace(), await createNamespace()];
  const end = async () => {
    await Promise.all([pod.end(), world.end()]);
    removeScratchDirectory(directory);
  };
  try {
    await connect(pod, world, outside);
    const told = proxyFiles(directory, (next) =>
      buildStaticBootstrap(resourcesOf(next, workload), { deliveredFilters: "drop" }),
    );
    told.change(mesh);
    const resolver = file("resolv.conf", `nameserver ${RESOLVER}\nsearch ${SEARCH}\noptions ndots:5\n`);
    const { path } = await findEnvoy();
    const config = [
      "-c",
      file("envoy.json", JSON.stringify(told.bootstrap)),
      "--use-dynamic-base-id",
      "--concurrency",
      "1",
    ];
    pod.spawn(resolvingBy(resolver, [...asUser(PROXY_OWNER.uid), path, ...config, "-l", "error"]));
    const admin = (page: string) => pod.run(["curl", "-s", `http://127.0.0.1:${ADMIN}${page}`]);
    await until(() => isLive(() => admin("/ready")), "the proxy's readiness");
    const inPod = (script: string) => resolvingBy(resolver, [...asUser(1000), "bash", "-c", script]);
    return {
      run: (script) => pod.run(inPod(`timeout 5 bash -c '${script.replaceAll("'", "'\\''")}' || true`)),
      open: (script) => pod.spawn(inPod(script)),
      admin,
      change: told.change,
      end,
    };
  } catch (error) {
    await end();
    throw error;
  }
}

async function connect(pod: TestNamespace, world: TestNamespace, outside: OutsideWorld): Promise<void> {
  joinNamespaces(pod, world, [[`${CLIENT}/24`, "10.10.0.254/24"]]);
  pod.run(["ip", "route", "add", "default", "via", "10.10.0.254"]);
  const servers = [...outside.http, ...outside.first, ...outside.tls];
  for (const address of new Set([...servers.map((server) => server.split(":")[0] ?? ""), RESOLVER]))
    world.run(["ip", "address", "add", `${address}/24`, "dev", "eth0"]);
  await world.start(worldProgram(outside), 0);
  pod.run(["iptables-restore", "--noflush"], captureRules(captureSettings()).ipv4.apply);
}

/** What the proxy is told, in files that it watches: a change of the mesh reaches it as one over xDS does. */
function proxyFiles(directory: string, bootstrapOf: (mesh: string) => ReturnType<typeof buildStaticBootstrap>) {
  const sourceOf = (kind: string) => ({
    resourceApiVersion: "V3",
    pathConfigSource: { path: join(directory, `${kind}.json`), watchedDirectory: { path: directory } },
  });
  const write = (kind: string, type: string, resources: readonly object[]) => {
    const packed = resources.map((one) => ({ "@type": `type.googleapis.com/envoy.config.${type}`, ...one }));
    const path = join(directory, `${kind}.json`);
    writeFileSync(`${path}.new`, JSON.stringify({ resources: packed }));
    renameSync(`${path}.new`, path);
  };
  return {
    bootstrap: {
      admin: { address: { socketAddress: { address: "127.0.0.1", portValue: ADMIN } } },
      node: { id: "sidecar~10.10.0.1~client-0.default~default.svc.cluster.local", cluster: "client" },
      dynamicResources: { cdsConfig: sourceOf("clusters"), ldsConfig: sourceOf("listeners") },
    },
    change(mesh: string) {
      const { clusters, listeners } = bootstrapOf(mesh)["staticResources"] as Record<string, readonly object[]>;
      write(
        "clusters",
        "cluster.v3.Cluster",
        (clusters ?? []).filter((one) => !("edsClusterConfig" in one)),
      );
      write("listeners", "listener.v3.Listener", listeners ?? []);
    },
  };
}

function isLive(ready: () => string): boolean {
  try {
    return ready().startsWith("LIVE");
  } catch {
    return false;
  }
}

function resolvingBy(file: string, command: readonly string[]): readonly string[] {
  const script = `mount --bind ${file} /etc/resolv.conf && exec "$@"`;
  return ["unshare", "--mount", "sh", "-c", script, "sh", ...command];
}

function asUser(uid: number): readonly string[] {
  return ["setpriv", `--reuid=${uid}`, `--regid=${uid}`, "--clear-groups"];
}

function worldProgram(outside: OutsideWorld): string {
  return `
    const http = require("node:http"), https = require("node:https"), net = require("node:net"), udp = require("node:dgram");
    const { http: web, first, tls, names } = ${JSON.stringify(outside)};
    const places = (list) => list.map((text) => [text, ...text.split(":")]);
    const answer = (text) => (request, response) => response.end(text + " " + request.headers.host + " " + request.url);
    for (const [text, address, port] of places(web)) http.createServer(answer(text)).listen(Number(port), address);
    const secret = ${JSON.stringify({ cert: CERTIFICATE, key: KEY })};
    for (const [text, address, port] of places(tls)) https.createServer(secret, answer(text)).listen(Number(port), address);
    for (const [text, address, port] of places(first))
      net.createServer((socket) => { socket.on("error", () => {}); socket.write(text + "\\n"); socket.pipe(socket); }).listen(Number(port), address);
    const resolver = udp.createSocket("udp4");
    resolver.on("message", (question, from) => {
      let at = 12; const labels = [];
      for (; question[at] > 0; at += question[at] + 1) labels.push(question.toString("latin1", at + 1, at + 1 + question[at]));
      const isV4 = question.readUInt16BE(at + 1) === 1, address = names[labels.join(".").toLowerCase()];
      const known = isV4 && address !== undefined;
      const head = Buffer.from([question[0], question[1], 0x81, address === undefined ? 0x83 : 0x80, 0, 1, 0, known ? 1 : 0, 0, 0, 0, 0]);
      const record = known ? Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 9, 0, 4, ...address.split(".").map(Number)]) : Buffer.alloc(0);
      resolver.send(Buffer.concat([head, question.subarray(12, at + 5), record]), from.port, from.address);
    });
    resolver.bind(53, "${RESOLVER}", () => console.log("ready"));
    setInterval(() => {}, 1e6);`;
}

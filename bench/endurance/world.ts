// consumes: where proxies reach their control plane
// produces: a small mesh: its files, its applications in this process, and a real Envoy beside each
// never does: run the control plane
import { randomBytes, randomInt } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { dirname, join } from "node:path";
import { buildBootstrap, CONTROL_PLANE_SERVER_NAME } from "../../controlplane/bootstrap/bootstrap.ts";
import { renderIdentities, renderPods } from "../../controlplane/local/pod-documents.ts";
import type { PodRecord } from "../../controlplane/local/pod-record.ts";
import { OUTBOUND_PORT, ENVOY_ADMIN_PORT, sidecarListens } from "../../controlplane/pods/listen-port.ts";
import { scratchDirectory } from "../../test/support/children.ts";
import { type Envoy, startEnvoy } from "../../test/support/envoy.ts";
import { documents, routeWithHeader, service, serviceAt } from "../../test/support/workloads.ts";
import { root } from "../places.ts";

const INBOUND_PORT = 8080;
const SERVED = [{ name: "http", port: INBOUND_PORT }];
const PLUGIN = join(root, "filters/build/examples/add-header.wasm");

/** What the mesh's files say, by numbers that changes count up. */
export interface MeshState {
  /** The VirtualService of web sets it as `x-route` on answers. */
  readonly route: number;
  /** The plugin of web sets it as `x-plugin`; each number is a module of its own bytes. */
  readonly plugin: number;
  /** Which of two addresses the service `outside` has. */
  readonly endpoint: 0 | 1;
  /** Services that came one after the other; the newest has a route. */
  readonly services: number;
}

export interface World {
  readonly directories: {
    readonly mesh: string;
    readonly runtime: string;
    readonly state: string;
    readonly cache: string;
  };
  readonly pods: readonly PodRecord[];
  /** Where the client's sidecar takes requests, as HOST:PORT. */
  readonly outbound: string;
  /** The newest state that was written. */
  state(): MeshState;
  /** Writes what differs from the state before, each file by renaming. */
  change(to: Partial<MeshState>): void;
  /** Writes any file of the mesh by renaming. */
  write(name: string, text: string): void;
  /** Pods that are known to the mesh and have no Envoy: whoever has their token may be their proxy. */
  guests(): readonly PodRecord[];
  /** Another pod, of another name and address, comes in the place of one. */
  replaceGuest(index: number): void;
  /** Starts the Envoys; the control plane must have made its root certificate. */
  startEnvoys(xdsPort: number, adjust?: (bootstrap: object) => object): Promise<readonly Envoy[]>;
  /** The Envoys that are running, in the order of the pods. */
  envoys(): readonly Envoy[];
  close(): Promise<void>;
}

/** Writes the mesh, with so many pods beside those that get an Envoy, and starts its applications. */
export async function createWorld(guestCount = 0): Promise<World> {
  const base = scratchDirectory();
  const directories = {
    mesh: join(base, "mesh"),
    runtime: join(base, "runtime"),
    state: join(base, "state"),
    cache: join(base, "cache"),
  };
  for (const directory of Object.values(directories)) mkdirSync(directory, { recursive: true, mode: 0o700 });
  const applications = await Promise.all(["web", "a", "b", "late"].map(startApplication));
  const [web = 0, a = 0, b = 0, late = 0] = applications.map(portOf);
  const pods = podsOf(web);
  const guests = createGuests(guestCount, (all) => writePods([...pods, ...all]));
  let revision = 0;
  function writePods(all: readonly PodRecord[]): void {
    replace(join(directories.runtime, "identities.json"), renderIdentities(all));
    const described = all.map((pod) => ({ pod, ready: true, deletionTimestamp: undefined, envoyPid: undefined }));
    replace(join(directories.runtime, "pods.yaml"), renderPods(described, ++revision));
  }
  writePods([...pods, ...guests.all]);
  let state: MeshState = { route: 0, plugin: 0, endpoint: 0, services: 0 };
  const files = (of: MeshState): Readonly<Record<string, string>> => filesOf(of, base, { a, b, late });
  const write = (name: string, text: string): void => replace(join(directories.mesh, name), text);
  for (const [name, text] of Object.entries(files(state))) write(name, text);
  let envoys: readonly Envoy[] = [];
  return {
    directories,
    pods,
    outbound: `${pods[0]?.ip}:${OUTBOUND_PORT}`,
    state: () => state,
    change(to) {
      const before = files(state);
      state = { ...state, ...to };
      for (const [name, text] of Object.entries(files(state))) if (before[name] !== text) write(name, text);
    },
    write,
    guests: () => guests.all,
    replaceGuest: guests.replace,
    async startEnvoys(xdsPort, adjust = (bootstrap) => bootstrap) {
      envoys = await Promise.all(pods.map((pod) => startEnvoy(adjust(bootstrapOf(pod, xdsPort, directories.state)))));
      return envoys;
    },
    envoys: () => envoys,
    async close() {
      await Promise.all(envoys.map((envoy) => envoy.stop()));
      for (const application of applications) application.close().closeAllConnections();
    },
  };
}

/** The mesh's files in a state; `ports` of the applications that have no pod. */
function filesOf(
  of: MeshState,
  base: string,
  ports: { readonly a: number; readonly b: number; readonly late: number },
): Readonly<Record<string, string>> {
  const toInbound = { targetPort: INBOUND_PORT };
  return {
    "services.yaml": documents(service("web", toInbound), service("client", toInbound)),
    "route.yaml": routeWithHeader("web", "x-route", String(of.route)),
    "plugin.yaml": pluginOf(moduleOf(base, of.plugin), of.plugin),
    "outside.yaml": serviceAt("outside", "127.0.0.1", of.endpoint === 0 ? ports.a : ports.b),
    "late.yaml": of.services === 0 ? "" : serviceAt(`late-${of.services}`, "127.0.0.1", ports.late),
  };
}

/** Pods that come and go, each with a number of its own. */
function createGuests(
  count: number,
  changed: (all: readonly PodRecord[]) => void,
): { readonly all: readonly PodRecord[]; replace(index: number): void } {
  let number = 0;
  const all = Array.from({ length: count }, () => guestOf(number++));
  return {
    all,
    replace(index) {
      all[index] = guestOf(number++);
      changed(all);
    },
  };
}

function replace(path: string, text: string): void {
  writeFileSync(`${path}.new`, text, { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

/** Each has a name, an address and, every second one, a service account of its own. */
function guestOf(number: number): PodRecord {
  const name = `guest-${number}`;
  const ip = `10.77.${number >> 8}.${number & 255}`;
  return {
    kind: "sidecar",
    name,
    namespace: "guests",
    workload: "guest",
    ordinal: number,
    labels: { app: "guest" },
    serviceAccount: number % 2 === 0 ? name : "guest",
    templateHash: "",
    ip,
    admin: { address: ip, port: ENVOY_ADMIN_PORT },
    ports: sidecarListens(ip, SERVED),
    token: randomBytes(32).toString("hex"),
  };
}

function startApplication(name: string): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer((_request, response) => response.end(name)).once("error", reject);
    server.listen(0, "127.0.0.1", () => resolve(server));
  });
}

function portOf(server: Server): number {
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}

/** A client and two versions of web, on addresses of their own. */
function podsOf(appPort: number): readonly PodRecord[] {
  const prefix = `127.${randomInt(30, 250)}.${randomInt(1, 250)}`;
  const pod = (app: string, version: string, last: number): PodRecord => {
    const ip = `${prefix}.${last}`;
    return {
      kind: "sidecar",
      name: `${app}-${version}-0`,
      namespace: "default",
      workload: `${app}-${version}`,
      ordinal: 0,
      labels: { app, version },
      serviceAccount: app,
      templateHash: "",
      ip,
      admin: { address: ip, port: ENVOY_ADMIN_PORT },
      ports: sidecarListens(ip, SERVED, () => appPort),
      token: randomBytes(32).toString("hex"),
    };
  };
  return [pod("client", "v1", 2), pod("web", "v1", 3), pod("web", "v2", 4)];
}

function bootstrapOf(pod: PodRecord, xdsPort: number, stateDir: string): object {
  return buildBootstrap({
    kind: pod.kind,
    podName: pod.name,
    namespace: pod.namespace,
    workload: pod.workload,
    serviceAccount: pod.serviceAccount,
    labels: pod.labels,
    podIp: pod.ip,
    trustDomain: "cluster.local",
    clusterId: "Kubernetes",
    version: "bench",
    admin: { address: "127.0.0.1", port: 0 },
    token: pod.token,
    metricLabels: [],
    controlPlane: {
      at: { address: "127.0.0.1", port: xdsPort },
      rootCertificateFile: join(stateDir, "ca", "root-cert.pem"),
      serverName: CONTROL_PLANE_SERVER_NAME,
    },
  });
}

function pluginOf(url: string, version: number): string {
  return `apiVersion: extensions.istio.io/v1alpha1
kind: WasmPlugin
metadata: {name: stamp, namespace: default}
spec:
  selector: {matchLabels: {app: web}}
  url: ${url}
  failStrategy: FAIL_CLOSE
  pluginConfig: {name: x-plugin, value: "${version}"}
`;
}

/** Returns the URL of a module that differs from those before by a custom section, which no engine runs. */
function moduleOf(base: string, version: number): string {
  const path = join(base, "modules", `stamp-${version}.wasm`);
  if (existsSync(path)) return `file://${path}`;
  mkdirSync(dirname(path), { recursive: true });
  const name = Buffer.from("version"),
    content = Buffer.from(String(version).padStart(8, "0"));
  const section = Buffer.concat([Buffer.from([name.length]), name, content]);
  writeFileSync(path, Buffer.concat([readFileSync(PLUGIN), Buffer.from([0, section.length]), section]));
  return `file://${path}`;
}

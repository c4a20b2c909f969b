// Pods in network namespaces of their own, captured by the kernel, with real sidecars and a real control plane: what
// `scrim bootstrap --capture` and the rules of capture make, and nothing else of ours in a pod.
import { once } from "node:events";
import { chmodSync, chownSync, mkdirSync, openSync, writeFileSync } from "node:fs";
import http from "node:http";
import { join } from "node:path";
import { PROXY_OWNER } from "../../controlplane/capture/settings.ts";
import { issueToken } from "../../controlplane/cli/issue-token.ts";
import type { CaptureMode } from "../../controlplane/pods/annotations.ts";
import { capturedListens } from "../../controlplane/pods/listen-port.ts";
import { podDocument } from "../../controlplane/pods/pod-document.ts";
import { selfSigned } from "./certificate.ts";
import { scratchDirectory } from "./children.ts";
import { certificateOf, CONTROL_PLANE, type SidecarFiles, startSidecar, writeAs } from "./captured-sidecar.ts";
import { findEnvoy } from "./envoy.ts";
import { repository, scrim } from "./mesh.ts";
import { bridgeNamespaces, createNamespace, type TestNamespace } from "./namespaces.ts";
import { until } from "./until.ts";

/** One pod that is to be. */
export interface PodPlan {
  readonly name: string;
  /** The workload's, and its service account's and label `app`. */
  readonly app: string;
  /** What its application serves (apps/ports.mjs). */
  readonly serves?: Readonly<Record<number, "http" | "echo" | "greeting" | "tls">>;
  /** Container ports that it declares, by name. */
  readonly declares?: Readonly<Record<string, number>>;
  /** Undefined: it has no sidecar. */
  readonly capture?: CaptureMode | undefined;
  /** The addresses that its document says, of the two that it has, the first of them its own; both unless given. */
  readonly families?: readonly ("IPv4" | "IPv6")[];
  /** The bootstrap that its sidecar has instead of ours, by the paths of files that are there for it. */
  readonly bootstrap?: (files: SidecarFiles) => object;
}

export interface Dialled {
  readonly received: string;
  /** `closed`, `enough`, `waiting`, or the code of an error. */
  readonly end: string;
  /** The names in the server's certificate. */
  readonly peer: string;
}

export interface Dialling {
  readonly send?: string;
  /** Shows a mesh certificate of this service account of `default` and offers this ALPN; none: TLS of one's own. */
  readonly tls?: { readonly as?: string; readonly alpn?: readonly string[] };
  readonly until?: string;
  readonly patienceMs?: number;
  /** Sent once the file is there. */
  readonly later?: { readonly file: string; readonly send: string };
}

export interface CapturedPod {
  readonly ipv4: string;
  readonly ipv6: string;
  readonly namespace: TestNamespace;
  /** The process of its sidecar; 0 without one. */
  readonly sidecarPid: number;
  /** Opens a connection from one of its programs. */
  dial(host: string, port: number, options?: Dialling, uid?: number): Dialled;
  /** The same, going on beside the test. */
  dialling(host: string, port: number, options?: Dialling): Promise<Dialled>;
  /** What an Envoy page says, by its sidecar's admin socket. */
  admin(path: string, method?: string): Promise<string>;
  /** The lines of /stats/prometheus that hold all of these texts. */
  metrics(...texts: readonly string[]): Promise<readonly string[]>;
}

export interface CapturedMesh {
  readonly directory: string;
  pod(name: string): CapturedPod;
  /** Replaces a file of the mesh. */
  write(file: string, text: string): void;
  /** Gives a pod a new token; the one before counts no more. */
  renewToken(name: string): Promise<string>;
  /** What the control plane says of its proxies. */
  proxies(): string;
  /** Ends the control plane and starts it again. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

const APPLICATION_UID = 1000;

/** Starts the mesh of these documents with these pods; every sidecar is ready. */
export async function startCapturedMesh(yaml: string, plans: readonly PodPlan[]): Promise<CapturedMesh> {
  const directory = scratchDirectory();
  chmodSync(directory, 0o755);
  const at = (...names: readonly string[]): string => join(directory, ...names);
  const namespaces = await Promise.all([...plans, "control plane"].map(() => createNamespace()));
  const [hub, controlPlane] = [await createNamespace(), namespaces.at(-1)!];
  bridgeNamespaces(
    hub,
    namespaces.map((namespace, index) => ({
      namespace,
      addresses: namespace === controlPlane ? ["10.7.0.2/16"] : [`10.7.1.${index + 1}/16`, `fd07::${index + 1}/64`],
    })),
  );
  mkdirSync(at("mesh"));
  const write = (file: string, text: string): void => writeFileSync(at("mesh", file), text);
  write("mesh.yaml", yaml);
  plans.forEach((plan, index) => write(`pod-${plan.name}.yaml`, JSON.stringify(documentOf(plan, index))));
  const serve = async (): Promise<() => Promise<void>> => {
    const log = openSync(at("serve.log"), "a");
    const where = [at("mesh"), "--state-dir", at("state"), "--admin-port", "15014"];
    const child = controlPlane.spawn(
      [process.execPath, scrim, "serve", ...where, "--xds-address", `${CONTROL_PLANE.address}:${CONTROL_PLANE.port}`],
      { stdio: ["ignore", log, log] },
    );
    const ask = "curl -s -o /dev/null -w %{http_code} localhost:15014/ready";
    await until(() => controlPlane.bash(ask, 0) === "200", "the control plane");
    return async () => {
      const gone = new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGKILL");
      await gone;
    };
  };
  let end = await serve();
  const renewToken = async (name: string): Promise<string> => {
    const plan = plans.find((candidate) => candidate.name === name)!;
    const token = `token-of-${name}-${Math.random().toString(36).slice(2)}`;
    const holder = { namespace: "default", serviceAccount: plan.app, pod: name };
    await issueToken(at("state/identities.json"), token, holder);
    writeAs(at(name, "tokens", "new"), token);
    // As Kubernetes does: the file is another one from one moment to the next.
    hub.run(["mv", at(name, "tokens", "new"), at(name, "tokens", "token")]);
    return token;
  };
  const { path: envoy } = await findEnvoy();
  const pods = new Map<string, CapturedPod>();
  for (const [index, plan] of plans.entries()) {
    const namespace = namespaces[index]!;
    mkdirSync(at(plan.name, "tokens"), { recursive: true });
    chownSync(at(plan.name), PROXY_OWNER.uid, PROXY_OWNER.gid);
    if (plan.serves) await startApplication(namespace, at(plan.name), plan.serves);
    const place = {
      namespace,
      ip: addressesOf(plan, index)[0],
      directory: at(plan.name),
      authority: at("state/ca"),
      envoy,
    };
    const pod = podAt(index, namespace, at(plan.name), at("state/ca"));
    if (plan.capture) await renewToken(plan.name);
    pods.set(plan.name, { ...pod, sidecarPid: plan.capture ? startSidecar(plan, place) : 0 });
  }
  for (const plan of plans)
    if (plan.capture)
      await until(
        async () =>
          (
            await pods
              .get(plan.name)!
              .admin("/ready")
              .catch(() => "")
          ).startsWith("LIVE"),
        `the sidecar of ${plan.name}`,
      );
  return {
    directory,
    pod: (name) => pods.get(name)!,
    write,
    renewToken,
    proxies: () => controlPlane.bash("curl -s localhost:15014/debug/proxies", 0),
    async restart() {
      await end();
      end = await serve();
    },
    async stop() {
      await Promise.all([...namespaces, hub].map((namespace) => namespace.end()));
    },
  };
}

function addressesOf({ families = ["IPv4", "IPv6"] }: PodPlan, index: number): readonly [string, ...string[]] {
  const [own, ...more] = families.map((family) => (family === "IPv6" ? `fd07::${index + 1}` : `10.7.1.${index + 1}`));
  return [own ?? "", ...more];
}

function documentOf(plan: PodPlan, index: number) {
  const { name, app, capture, declares = {} } = plan;
  const [ip, ...moreIps] = addressesOf(plan, index);
  const containerPorts = Object.entries(declares).map(([port, number]) => ({ name: port, port: number }));
  return podDocument({
    ...{ name, namespace: "default", labels: { app }, serviceAccount: app, ip, moreIps, workload: app, containerPorts },
    proxy: capture ? "sidecar" : "none",
    ready: true,
    capture,
    ...(capture && { listens: capturedListens(ip, containerPorts) }),
  });
}

async function startApplication(
  namespace: TestNamespace,
  directory: string,
  serves: NonNullable<PodPlan["serves"]>,
): Promise<void> {
  const { certificate, key } = selfSigned(["own.example"]);
  writeFileSync(join(directory, "own.crt"), certificate);
  writeFileSync(join(directory, "own.key"), key);
  const app = join(repository, "test/support/apps/ports.mjs");
  await namespace.startProgram(
    [process.execPath, app, JSON.stringify(serves), join(directory, "own")],
    APPLICATION_UID,
  );
}

function podAt(
  index: number,
  namespace: TestNamespace,
  directory: string,
  ca: string,
): Omit<CapturedPod, "sidecarPid"> {
  const admin = (path: string, method = "GET"): Promise<string> =>
    new Promise((resolve, reject) => {
      const options = { socketPath: join(directory, "admin.sock"), path, method };
      const request = http.request(options, (response) => {
        let text = "";
        response.setEncoding("utf8").on("data", (part: string) => (text += part));
        response.on("end", () => resolve(text));
      });
      request.on("error", reject).end();
    });
  const dialCommand = (host: string, port: number, { tls, ...options }: Dialling, uid: number): readonly string[] => {
    const secure = tls && { ...(tls.as !== undefined && certificateOf(tls.as, ca)), alpn: tls.alpn };
    const order = JSON.stringify({ host, port, ...options, ...(secure && { tls: secure }) });
    const program = join(repository, "test/support/apps/dial.mjs");
    return ["setpriv", `--reuid=${uid}`, `--regid=${uid}`, "--clear-groups", process.execPath, program, order];
  };
  return {
    ipv4: `10.7.1.${index + 1}`,
    ipv6: `fd07::${index + 1}`,
    namespace,
    admin,
    async metrics(...texts) {
      const lines = (await admin("/stats/prometheus")).split("\n");
      return lines.filter((line) => texts.every((text) => line.includes(text)));
    },
    dial: (host, port, options = {}, uid = APPLICATION_UID) =>
      JSON.parse(namespace.run(dialCommand(host, port, options, uid))) as Dialled,
    async dialling(host, port, options = {}) {
      const child = namespace.spawn(dialCommand(host, port, options, APPLICATION_UID));
      let text = "";
      child.stdout?.setEncoding("utf8").on("data", (part: string) => (text += part));
      await once(child, "close");
      return JSON.parse(text) as Dialled;
    },
  };
}

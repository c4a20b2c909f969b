// Pods in network namespaces of their own, captured by the kernel, with real sidecars and a real control plane: what
// `scrim bootstrap --capture` and the rules of capture make, and nothing else of ours in a pod.
import { once } from "node:events";
import { chmodSync, chownSync, copyFileSync, mkdirSync, openSync, writeFileSync } from "node:fs";
import http from "node:http";
import { join } from "node:path";
import { LABELS } from "../../filters/telemetry/labels.ts";
import { CONTROL_PLANE_SERVER_NAME } from "../../controlplane/bootstrap/bootstrap.ts";
import { buildCapturedBootstrap, buildTokenSecret } from "../../controlplane/bootstrap/captured-bootstrap.ts";
import { captureRules } from "../../controlplane/capture/rules.ts";
import { captureSettings, PROXY_OWNER } from "../../controlplane/capture/settings.ts";
import { openAuthority } from "../../controlplane/ca/authority.ts";
import { issueToken } from "../../controlplane/cli/issue-token.ts";
import { spiffeId } from "../../controlplane/model/spiffe.ts";
import type { CaptureMode } from "../../controlplane/pods/annotations.ts";
import { capturedListens } from "../../controlplane/pods/listen-port.ts";
import { podDocument } from "../../controlplane/pods/pod-document.ts";
import { selfSigned } from "./certificate.ts";
import { scratchDirectory } from "./children.ts";
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

const CONTROL_PLANE = { address: "10.7.0.2", port: 15_012 };
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
    pods.set(plan.name, podAt(index, namespace, at(plan.name), at("state/ca")));
    if (plan.serves) await startApplication(namespace, at(plan.name), plan.serves);
    if (plan.capture === undefined) continue;
    await renewToken(plan.name);
    startSidecar(plan, {
      namespace,
      index,
      directory: at(plan.name),
      rootCertificate: at("state/ca/root-cert.pem"),
      envoy,
    });
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

interface SidecarPlace {
  readonly namespace: TestNamespace;
  readonly index: number;
  readonly directory: string;
  readonly rootCertificate: string;
  readonly envoy: string;
}

function startSidecar(plan: PodPlan, { namespace, index, directory, rootCertificate, envoy }: SidecarPlace): void {
  const at = (name: string): string => join(directory, name);
  copyFileSync(rootCertificate, at("root-cert.pem"));
  const token = { tokenFile: at("tokens/token"), secretFile: at("xds-token.json") };
  writeAs(token.secretFile, JSON.stringify(buildTokenSecret(token)));
  const capture = plan.capture ?? "REDIRECT";
  const bootstrap = buildCapturedBootstrap({
    ...{ capture, namespace: "default", workload: plan.app, serviceAccount: plan.app, labels: { app: plan.app } },
    ...{ trustDomain: "cluster.local", clusterId: "Kubernetes" },
    controlPlane: {
      at: CONTROL_PLANE,
      rootCertificateFile: at("root-cert.pem"),
      serverName: CONTROL_PLANE_SERVER_NAME,
    },
    token,
    admin: { pipe: at("admin.sock") },
    ipFamilies: "dual",
    metricLabels: LABELS,
    extraStatTags: [],
  });
  writeAs(at("envoy.json"), JSON.stringify(bootstrap));
  const rules = captureRules(captureSettings({ mode: capture }));
  namespace.run(["iptables-restore", "--noflush"], rules.ipv4.apply);
  namespace.run(["ip6tables-restore", "--noflush"], rules.ipv6.apply);
  for (const { add } of [...rules.ipv4.routes, ...rules.ipv6.routes]) namespace.run(["ip", ...add]);
  namespace.run(["ip", "-6", "address", "add", "::6/128", "dev", "lo", "nodad"]);
  const [ip] = addressesOf(plan, index);
  const id = `sidecar~${ip}~${plan.name}.default~default.svc.cluster.local`;
  const args = [
    ...["-c", at("envoy.json"), "--service-node", id, "--service-cluster", `${plan.app}.default`],
    ...["--concurrency", "1", "--disable-hot-restart", "-l", "warning", "--file-flush-interval-msec", "10"],
  ];
  const log = openSync(at("envoy.log"), "a");
  // Whoever may not look into the folder of the program may still run it when somebody has opened it for them.
  const asOwner = `exec 9<"$0"; exec setpriv --reuid=${PROXY_OWNER.uid} --regid=${PROXY_OWNER.gid} --clear-groups`;
  const rights = capture === "TPROXY" ? " --inh-caps=+net_admin --ambient-caps=+net_admin" : "";
  namespace.spawn(["bash", "-c", `${asOwner}${rights} /proc/self/fd/9 "$@"`, envoy, ...args], {
    stdio: ["ignore", log, log],
  });
}

function podAt(index: number, namespace: TestNamespace, directory: string, ca: string): CapturedPod {
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

function certificateOf(account: string, directory: string): { readonly cert: string; readonly key: string } {
  const clock = { nowMs: () => Date.now() };
  const opening = openAuthority({ directory, trustDomain: "cluster.local", clock });
  if (opening.kind === "failed") throw new Error(opening.message);
  const { chainPem, keyPem } = opening.authority.issueWorkloadCertificate(
    spiffeId("cluster.local", "default", account),
  );
  return { cert: chainPem, key: keyPem };
}

/** For the sidecar to read. */
function writeAs(path: string, text: string): void {
  writeFileSync(path, text, { mode: 0o600 });
  chownSync(path, PROXY_OWNER.uid, PROXY_OWNER.gid);
}

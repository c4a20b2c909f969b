// A Kubernetes API server with its etcd, alone on loopback: no nodes, no controllers, who asks it may do everything.
import { generateKeyPairSync } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { endChild, removeScratchDirectory, scratchDirectory, startChild } from "./children.ts";
import { type Ended, run } from "./command.ts";
import { freePort } from "./ports.ts";
import { until } from "./until.ts";

const binaries = join(process.env["SCRIM_CACHE_DIR"] ?? join(homedir(), ".cache", "scrim"), "kubernetes", "bin");

/** Why no API server can be started here; undefined: it can. */
export const noApiServer = ["etcd", "kube-apiserver", "kubectl"].every((name) => existsSync(join(binaries, name)))
  ? undefined
  : `no Kubernetes in ${binaries}`;

export interface ApiServer {
  readonly kubeconfig: string;
  readonly url: string;
  readonly token: string;
  /** Runs kubectl against it. */
  kubectl(args: readonly string[], input?: string): Promise<Ended>;
  /** Ends the API server, but not its etcd. */
  halt(): Promise<void>;
  /** Starts it again, at the same port; resolves once it is ready. */
  resume(): Promise<void>;
  /** Makes etcd forget how things were before now. */
  compact(): Promise<void>;
  stop(): Promise<void>;
}

const TOKEN = "admin-of-the-test";

/** Starts one; resolves once it is ready. */
export async function startApiServer(): Promise<ApiServer> {
  const directory = scratchDirectory();
  const [client, peer, port] = [await freePort(), await freePort(), await freePort()];
  const local = (of: number) => `http://127.0.0.1:${of}`;
  const start = (name: string, args: readonly string[]) =>
    startChild(join(binaries, name), args, { cwd: directory, stdio: ["ignore", "ignore", "ignore"] });
  const etcd = start("etcd", [
    ...["--data-dir", join(directory, "etcd"), "--unsafe-no-fsync", "--log-level=error"],
    ...["--listen-client-urls", local(client), "--advertise-client-urls", local(client)],
    ...["--listen-peer-urls", local(peer), "--initial-advertise-peer-urls", local(peer)],
    ...["--initial-cluster", `default=${local(peer)}`],
  ]);
  writeKeys(directory);
  const startServer = () =>
    start("kube-apiserver", [
      ...[`--etcd-servers=${local(client)}`, "--bind-address=127.0.0.1", `--secure-port=${port}`],
      ...["--cert-dir=certificates", "--authorization-mode=RBAC", "--token-auth-file=tokens"],
      ...[
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
        "--service-cluster-ip-range=10.96.0.0/16",
      ],
      ...["--service-account-key-file=accounts.pub", "--service-account-signing-key-file=accounts.key"],
      ...["--disable-admission-plugins=ServiceAccount", "--allow-privileged=true", "--v=0"],
    ]);
  let server = startServer();
  const kubeconfig = join(directory, "kubeconfig");
  const url = `https://127.0.0.1:${port}`;
  const certificate = join(directory, "certificates", "apiserver.crt");
  const kubectl = (args: readonly string[], input = "") =>
    run(join(binaries, "kubectl"), ["--kubeconfig", kubeconfig, ...args], { input });
  await until(
    () => existsSync(certificate) && readFileSync(certificate, "utf8").includes("END"),
    "the API server's certificate",
  );
  writeFileSync(kubeconfig, kubeconfigOf(url, readFileSync(certificate)));
  const ready = () => until(async () => (await kubectl(["get", "--raw", "/readyz"])).code === 0, "the API server");
  await ready();
  return {
    kubeconfig,
    url,
    token: TOKEN,
    kubectl,
    halt: () => endChild(server),
    async resume() {
      server = startServer();
      await ready();
    },
    compact: () => compactEtcd(local(client)),
    async stop() {
      await endChild(server);
      await endChild(etcd);
      removeScratchDirectory(directory);
    },
  };
}

/** By etcd's JSON gateway (https://etcd.io/docs/v3.6/dev-guide/api_grpc_gateway/). */
async function compactEtcd(url: string): Promise<void> {
  const call = async (path: string, body: object) => {
    const answer = await fetch(`${url}/v3/kv/${path}`, { method: "POST", body: JSON.stringify(body) });
    if (!answer.ok) throw new Error(`etcd's ${path}: ${await answer.text()}`);
    return (await answer.json()) as { readonly header: { readonly revision: string } };
  };
  const { header } = await call("range", { key: Buffer.from("none").toString("base64") });
  await call("compaction", { revision: header.revision, physical: true });
}

function writeKeys(directory: string): void {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  writeFileSync(join(directory, "accounts.key"), privateKey.export({ type: "sec1", format: "pem" }));
  writeFileSync(join(directory, "accounts.pub"), publicKey.export({ type: "spki", format: "pem" }));
  writeFileSync(join(directory, "tokens"), `${TOKEN},admin,admin,system:masters\n`);
}

function kubeconfigOf(server: string, authority: Buffer): string {
  return JSON.stringify({
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name: "test", cluster: { server, "certificate-authority-data": authority.toString("base64") } }],
    users: [{ name: "admin", user: { token: TOKEN } }],
    contexts: [{ name: "test", context: { cluster: "test", user: "admin", namespace: "default" } }],
    "current-context": "test",
  });
}

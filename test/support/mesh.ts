// A whole mesh for one test file: `scrim up` on a temporary directory with ports of its own, ended with the test.
import { type ChildProcess, spawn } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import http from "node:http";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { Distribution, SyncReport } from "../../controlplane/admin/contract.ts";
import { contentHash } from "../../controlplane/model/content-hash.ts";
import { allKinds } from "../../controlplane/model/kinds.ts";
import { objectKey, refOf } from "../../controlplane/model/object.ts";
import { loadText } from "../../controlplane/store/load.ts";
import { isAlive, type LivingProcess, processes } from "./processes.ts";
import { eventually } from "./until.ts";
import { documents } from "./workloads.ts";

export const repository = fileURLToPath(new URL("../..", import.meta.url));
export const scrim = join(repository, "controlplane/cli/scrim.mjs");

/** After so long a small change of a file has been read and published, also one that removes objects. */
const NOTICED_MS = 700;
/** An object that another file has too may never be what this one says. */
const PUBLISHED_MS = 20_000;

export interface Answer {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: string;
}

export interface ProxyStatus {
  readonly name: string;
  readonly kind: string;
  readonly workload: string;
  readonly namespace: string;
  readonly identity: string;
  readonly podIp: string;
  readonly outbound: string;
  readonly envoyAdmin: string;
  readonly pid: number;
  readonly envoyVersion: string;
  readonly ports: readonly { readonly port: number; readonly address: string }[];
  readonly sync: Readonly<Record<string, string>>;
}

export interface Mesh {
  readonly directory: string;
  readonly stateDirectory: string;
  readonly admin: string;
  readonly gateway: string;
  readonly process: ChildProcess;
  output(): string;
  /** Writes a file of the mesh directory by an atomic rename. */
  write(file: string, text: string): void;
  remove(file: string): void;
  /** Writes documents as a file of the mesh and waits until every proxy has what became of them. */
  apply(file: string, ...texts: readonly string[]): Promise<void>;
  /** What the proxies of pods whose names begin so have logged of requests. */
  accessLog(pods: string): string;
  /** The errors that the control plane finds in a file. */
  errorsIn(file: string): Promise<readonly object[]>;
  proxies(): Promise<ProxyStatus[]>;
  proxy(workload: string): Promise<ProxyStatus>;
  synced(): Promise<void>;
  /** A request from the workload named: through its sidecar, as HTTP_PROXY would send it. */
  from(workload: string, url: string, options?: RequestOptions): Promise<Answer>;
  /** The process that serves proxies, a child of `process`; undefined while it is being started again. */
  controlPlanePid(): number | undefined;
  /** Ends that process by force, and waits until it has ended. */
  killControlPlane(): Promise<void>;
  stop(): Promise<void>;
}

export interface RequestOptions {
  readonly method?: string;
  readonly headers?: http.OutgoingHttpHeaders;
  readonly body?: string;
  readonly agent?: http.Agent | undefined;
}

/** One HTTP/1.1 request; rejects when no answer comes. */
export function request(url: string, options: RequestOptions & { proxy?: string } = {}): Promise<Answer> {
  const target = new URL(url);
  const via = options.proxy === undefined ? undefined : new URL(options.proxy);
  return new Promise((resolve, reject) => {
    const sent = http.request(
      {
        host: (via ?? target).hostname,
        port: (via ?? target).port || 80,
        path: via === undefined ? target.pathname + target.search : url,
        method: options.method ?? "GET",
        headers: { host: target.host, ...options.headers },
        ...(options.agent === undefined ? {} : { agent: options.agent }),
        timeout: 30_000,
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("end", () =>
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            body: Buffer.concat(chunks).toString("utf8"),
          }),
        );
        response.on("error", reject);
      },
    );
    sent.on("timeout", () => sent.destroy(new Error(`no answer from ${url} in 30 s`)));
    sent.on("error", reject);
    sent.end(options.body);
  });
}

/** Starts a mesh. `files` are written into an empty directory; `copy` is a directory copied first. */
export async function startMesh(input: {
  files?: Readonly<Record<string, string>>;
  copy?: string;
  args?: readonly string[];
}): Promise<Mesh> {
  const root = mkdtempSync(join(tmpdir(), "scrim-e2e-"));
  const directory = join(root, "mesh");
  mkdirSync(directory);
  if (input.copy !== undefined) cpSync(input.copy, directory, { recursive: true });
  cpSync(join(repository, "test/support/apps"), join(directory, "apps"), { recursive: true });
  for (const [file, text] of Object.entries(input.files ?? {})) {
    mkdirSync(dirname(join(directory, file)), { recursive: true });
    writeFileSync(join(directory, file), text);
  }
  const stateDirectory = join(root, "state");
  const child = spawn(
    process.execPath,
    [
      scrim,
      "up",
      directory,
      "--gateway-port",
      "0",
      "--admin-port",
      "0",
      "--state-dir",
      stateDirectory,
      ...(input.args ?? []),
    ],
    {
      stdio: ["ignore", "pipe", "pipe"],
    },
  );
  let output = "";
  for (const stream of [child.stdout, child.stderr])
    stream?.on("data", (chunk: Buffer) => (output += chunk.toString("utf8")));
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  const stop = async (): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) child.kill("SIGTERM");
    await ended;
    rmSync(root, { recursive: true, force: true });
  };
  try {
    const admin = await eventually(
      "the admin address",
      () => failIfEnded(child, output) ?? /admin\S*\s+(http:\/\/127\.0\.0\.1:\d+)/i.exec(output)?.[1],
      90_000,
    );
    await eventually(
      "synced",
      async () => ((await isWaitedForNobody(admin)) ? true : failIfEnded(child, output)),
      90_000,
    );
    const gateway = /gateway\S*\s+(http:\/\/127\.0\.0\.1:\d+)/i.exec(output)?.[1] ?? "";
    return {
      directory,
      stateDirectory,
      admin,
      gateway,
      process: child,
      output: () => output,
      stop,
      accessLog: (pods) => accessLog(join(stateDirectory, "logs"), pods),
      ...controlPlaneOf(directory),
      ...actions(directory, admin),
    };
  } catch (error) {
    await stop();
    throw new Error(`${String(error)}\n--- output of scrim up ---\n${output}`);
  }
}

function accessLog(logs: string, pods: string): string {
  return readdirSync(logs)
    .filter((pod) => pod.startsWith(pods))
    .map((pod) => readFileSync(join(logs, pod, "access.log"), "utf8"))
    .join("");
}

function controlPlaneOf(directory: string): Pick<Mesh, "controlPlanePid" | "killControlPlane"> {
  // Beside it stands a process that only watches over it.
  const controlPlanePid = (): number | undefined =>
    processes().find(
      ({ words }) =>
        words.includes("serve") && words.includes(directory) && !words.some((word) => word.includes("scrim-child")),
    )?.pid;
  return {
    controlPlanePid,
    async killControlPlane() {
      const pid = await eventually("the control plane's process", controlPlanePid);
      process.kill(pid, "SIGKILL");
      await eventually("its end", () => (isAlive(pid) ? undefined : true));
    },
  };
}

/** The living processes of a mesh: those that run in its directories, or are told of them. */
export function processesOf({ directory }: Mesh): readonly LivingProcess[] {
  const root = join(directory, "..");
  return processes().filter((one) => one.directory.startsWith(root) || one.words.join(" ").includes(root));
}

function failIfEnded(child: ChildProcess, output: string): undefined {
  if (child.exitCode !== null) throw new Error(`scrim up ended with ${child.exitCode}:\n${output}`);
  return undefined;
}

function actions(
  directory: string,
  admin: string,
): Pick<Mesh, "write" | "remove" | "apply" | "errorsIn" | "proxies" | "proxy" | "synced" | "from"> {
  const proxies = async (): Promise<ProxyStatus[]> =>
    JSON.parse((await request(`${admin}/debug/proxies`)).body) as ProxyStatus[];
  const known = new Map<string, ProxyStatus>();
  const proxy = async (workload: string): Promise<ProxyStatus> => {
    const found = (await proxies()).find((each) => each.workload === workload);
    if (found === undefined) throw new Error(`no proxy of workload ${workload}`);
    known.set(workload, found);
    return found;
  };
  const write = (file: string, text: string): void => {
    const path = join(directory, file);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(`${path}.tmp`, text);
    renameSync(`${path}.tmp`, path);
  };
  const isSynced = async (): Promise<true | undefined> => ((await isWaitedForNobody(admin)) ? true : undefined);
  const synced = async (): Promise<void> => void (await eventually("synced", isSynced, 60_000));
  return {
    proxies,
    proxy,
    write,
    remove: (file) => rmSync(join(directory, file)),
    synced,
    async apply(file, ...texts) {
      const text = documents(...texts);
      write(file, text);
      await delay(NOTICED_MS);
      await published(admin, text);
      await synced();
    },
    async errorsIn(file) {
      const violations = JSON.parse((await request(`${admin}/debug/violations`)).body) as {
        file: string;
        severity: string;
      }[];
      return violations.filter((violation) => violation.file.endsWith(file) && violation.severity === "error");
    },
    async from(workload, url, options = {}) {
      const { outbound } = known.get(workload) ?? (await proxy(workload));
      return request(url, { ...options, proxy: `http://${outbound}` });
    },
  };
}

/** What protects and is not enforced is no reason to wait. */
async function isWaitedForNobody(admin: string): Promise<boolean> {
  const { body } = await request(`${admin}/synced`);
  return (JSON.parse(body) as SyncReport).waiting.length === 0;
}

/** Resolves when the control plane has published the valid objects of a text, or when it plainly will not. */
async function published(admin: string, text: string): Promise<void> {
  const { world } = loadText(text);
  const end = Date.now() + PUBLISHED_MS;
  for (const object of allKinds.flatMap((kind) => world.list(kind))) {
    const [key, content] = [objectKey(refOf(object)), contentHash(object)];
    for (; Date.now() < end; await delay(50)) {
      const { body } = await request(`${admin}/debug/distribution?object=${encodeURIComponent(key)}`);
      const found = JSON.parse(body) as Distribution;
      if (found.problem !== undefined || (found.content === content && found.published)) break;
    }
  }
}

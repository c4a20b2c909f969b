// What a kubelet does with an injected pod, for its proxy alone: files from volumes, variables in arguments, the init
// container to its end with the one right that it has, then Envoy, each as whom the pod says.
import { chmodSync, mkdirSync, openSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { named, type Named, type PodTemplate } from "../../controlplane/injector/pod.ts";
import type { TestNamespace } from "./namespaces.ts";

/** The pod that is to be, and what its kubelet knows of it. */
export interface KubeletPod {
  readonly pod: PodTemplate;
  readonly name: string;
  readonly namespaceName: string;
  readonly ips: readonly string[];
  readonly namespace: TestNamespace;
  /** Its volumes, and Envoy's log, are made here. */
  readonly directory: string;
  readonly rootCertificate: string;
  readonly token: string;
  readonly envoy: string;
  /** Lines of /etc/hosts. */
  readonly hosts: string;
}

interface Volume {
  readonly projected?: { readonly sources: readonly Source[] };
  readonly configMap?: object;
  readonly emptyDir?: object;
}

interface Source {
  readonly serviceAccountToken?: { readonly path: string };
  readonly downwardAPI?: {
    readonly items: readonly { readonly path: string; readonly fieldRef: { readonly fieldPath: string } }[];
  };
}

interface ProxyContainer {
  readonly args: readonly string[];
  readonly env: readonly { readonly name: string; readonly value?: string; readonly valueFrom?: Reference }[];
  readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string }[];
  readonly securityContext: {
    readonly runAsUser: number;
    readonly runAsGroup: number;
    readonly capabilities: { readonly add?: readonly string[] };
  };
}

type Reference = { readonly fieldRef?: { readonly fieldPath: string }; readonly resourceFieldRef?: object };

/** Starts the proxy of the pod. */
export function startInjected(of: KubeletPod): void {
  const init = named(of.pod.spec.initContainers, "istio-init") as (Named & { readonly args: string[] }) | undefined;
  if (init !== undefined) runInit(init, of);
  const { spec } = of.pod;
  const proxy = (named(spec.initContainers, "istio-proxy") ?? named(spec.containers, "istio-proxy")) as unknown;
  startProxy(proxy as ProxyContainer, of);
}

function runInit({ args: [script = ""], env }: Named & { readonly args: readonly string[] }, of: KubeletPod): void {
  const variables = (env as readonly { name: string; value: string }[]).map(({ name, value }) => `${name}=${value}`);
  const rights = ["--bounding-set=-all,+net_admin", "--inh-caps=-all", "--no-new-privs"];
  of.namespace.run(["setpriv", ...rights, "env", ...variables, "/bin/sh", "-ec", script]);
}

function startProxy({ args, env, volumeMounts, securityContext }: ProxyContainer, of: KubeletPod): void {
  const variables = Object.fromEntries(
    env.map(({ name, value, valueFrom }) => [name, value ?? valueOf(valueFrom, of)]),
  );
  const expanded = args.map((text) => expand(text, variables));
  const at = (name: string): string => join(of.directory, name);
  for (const { name } of volumeMounts) makeVolume(named(of.pod.spec.volumes, name) as Volume | undefined, name, of);
  writeFileSync(at("hosts"), of.hosts);
  const { runAsUser, runAsGroup, capabilities } = securityContext;
  const rights = ["-all", ...(capabilities.add ?? []).map((name) => `+${name.toLowerCase()}`)].join(",");
  const script = [
    "mount -t tmpfs pod /run",
    `mount --bind ${at("hosts")} /etc/hosts`,
    ...volumeMounts.map(({ name, mountPath }) => `mkdir -p ${mountPath} && mount --bind ${at(name)} ${mountPath}`),
    'exec 9<"$0"',
    `exec setpriv --reuid=${runAsUser} --regid=${runAsGroup} --clear-groups --bounding-set=${rights} --no-new-privs \\`,
    '  /proc/self/fd/9 "$@"',
  ].join("\n");
  const log = openSync(at("envoy.log"), "a");
  of.namespace.spawn(["unshare", "--mount", "bash", "-ec", script, of.envoy, ...expanded], {
    stdio: ["ignore", log, log],
  });
}

function valueOf({ fieldRef, resourceFieldRef }: Reference = {}, of: KubeletPod): string {
  if (resourceFieldRef !== undefined) return "1";
  const fields: Readonly<Record<string, string>> = {
    "metadata.name": of.name,
    "metadata.namespace": of.namespaceName,
    "status.podIP": of.ips[0] ?? "",
    "status.podIPs": of.ips.join(","),
  };
  return fields[fieldRef?.fieldPath ?? ""] ?? "";
}

/** As Kubernetes: `$(NAME)` of a variable that there is, `$$` for `$`, all else as it stands. */
export function expand(text: string, variables: Readonly<Record<string, string>>): string {
  return text.replaceAll(/\$\$|\$\(([^)]*)\)/g, (all, name: string | undefined) =>
    name === undefined ? "$" : (variables[name] ?? all),
  );
}

function makeVolume(volume: Volume | undefined, name: string, of: KubeletPod): void {
  const path = join(of.directory, name);
  mkdirSync(path, { recursive: true });
  chmodSync(path, 0o777);
  if (volume?.configMap !== undefined) writeFileSync(join(path, "root-cert.pem"), of.rootCertificate);
  if (volume?.projected !== undefined) project(path, filesOf(volume.projected.sources, of));
}

function filesOf(sources: readonly Source[], { pod, token }: KubeletPod): Readonly<Record<string, string>> {
  return Object.fromEntries(
    sources.flatMap(({ serviceAccountToken, downwardAPI }) => [
      ...(serviceAccountToken ? [[serviceAccountToken.path, token]] : []),
      ...(downwardAPI?.items ?? []).map(({ path, fieldRef: { fieldPath } }) => [
        path,
        pod.metadata.annotations[/^metadata\.annotations\['(.+)'\]$/.exec(fieldPath)?.[1] ?? ""] ?? "",
      ]),
    ]),
  ) as Record<string, string>;
}

let generation = 0;

/** All files are others from one moment to the next: they are links through a link to a folder, which is replaced. */
export function project(path: string, files: Readonly<Record<string, string>>): void {
  const [folder, fresh] = [`..${++generation}`, join(path, "..data_tmp")];
  mkdirSync(join(path, folder), { mode: 0o755 });
  for (const [name, text] of Object.entries(files)) {
    writeFileSync(join(path, folder, name), text, { mode: 0o644 });
    rmSync(join(path, name), { force: true });
    symlinkSync(join("..data", name), join(path, name));
  }
  symlinkSync(folder, fresh);
  renameSync(fresh, join(path, "..data"));
}

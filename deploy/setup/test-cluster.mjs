// Consumes: Go, root on Linux, Debian's containerd, and what the set-up built before.
// Produces: build/cluster/: links to Kubernetes' programs, which are built once into the cache (11 minutes of one
// core), and the archives of images that a test cluster runs.
// Never does: fail the set-up: where a cluster cannot run, its tests are left out by name.
import { createHash } from "node:crypto";
import { access, mkdir, readFile, rename, rm, symlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { locateEnvoy } from "../../controlplane/envoy/install.mjs";
import { writeArchive } from "../images/archive.mjs";
import { buildImages } from "../images/images.mjs";
import { baseParts, layerOf, programParts } from "../images/layer.mjs";
import { hashInputs, readStamp, writeStamp } from "./inputs.mjs";
import { run } from "./run.mjs";

const root = join(dirname(fileURLToPath(import.meta.url)), "../..");
const out = join(root, "build/cluster");
const SOURCES = join(root, "test/cluster/machine/hyperkube");
const VERSION = "k8s.io/component-base/version";
const PROGRAMS = "etcd coredns kube-apiserver kube-controller-manager kube-scheduler kubelet kube-proxy kubectl".split(
  " ",
);
const CNI = "/usr/lib/cni/bridge";
const BUSYBOX = "/bin/busybox";

/** The hub of the mesh's images in a test cluster. */
export const TEST_HUB = "localhost/scrim";

/** The folder of Kubernetes' programs, as the set-up left it. */
export const CLUSTER_PROGRAMS = join(out, "bin");

/** The archives of images that each node of a test cluster imports. */
export const CLUSTER_IMAGES = [join(out, "programs.tar"), join(out, "images.tar")];

/** Builds what a test cluster needs; resolves to whether there was anything to do. */
export async function buildTestCluster({ cacheDir, searchPath, isRoot, begin, report }) {
  const missing = await missingForCluster(searchPath, isRoot);
  if (missing !== undefined) {
    report(`no test cluster, so its tests are left out: ${missing}`);
    return false;
  }
  let changed = false;
  const beginOnce = () => {
    if (!changed) begin();
    changed = true;
  };
  const problem = await buildKubernetes(join(cacheDir, "kubernetes/bin"), beginOnce, report);
  if (problem !== undefined) {
    report(`no test cluster, so its tests are left out: ${problem}`);
    return changed;
  }
  await archiveImages({ cacheDir, searchPath, begin: beginOnce });
  return changed;
}

async function missingForCluster(searchPath, isRoot) {
  if (!isRoot) return "not root";
  if ((await run("go", ["version"], { cwd: root })).code !== 0) return "there is no go";
  for (const file of [CNI, BUSYBOX]) if (!(await exists(file))) return `no ${file}`;
  for (const name of ["containerd", "runc", "conntrack", "openssl"])
    if ((await findProgram(name, searchPath)) === undefined) return `no ${name}`;
  return undefined;
}

/** Returns why it could not be built. */
async function buildKubernetes(cache, begin, report) {
  const { output: compiler } = await run("go", ["version"], { cwd: root });
  const hash = createHash("sha256");
  for (const file of ["main.go", "go.mod", "go.sum"]) hash.update(await readFile(join(SOURCES, file)));
  const binary = join(cache, `hyperkube-${hash.update(compiler).digest("hex").slice(0, 16)}`);
  if (!(await exists(binary))) {
    begin();
    const [, major, minor, patch] = /k8s\.io\/kubernetes v(\d+)\.(\d+)\.(\d+)/.exec(
      await readFile(join(SOURCES, "go.mod"), "utf8"),
    );
    report(`building Kubernetes ${major}.${minor}.${patch} (once, 11 minutes of one core) …`);
    await mkdir(cache, { recursive: true });
    const facts = {
      gitVersion: `v${major}.${minor}.${patch}`,
      gitMajor: major,
      gitMinor: minor,
      gitTreeState: "clean",
    };
    const linked = Object.entries(facts).map(([name, value]) => `-X ${VERSION}.${name}=${value}`);
    const fresh = `${binary}.${process.pid}`;
    const built = await run(
      "go",
      ["build", "-trimpath", "-ldflags", ["-s -w", ...linked].join(" "), "-o", fresh, "."],
      {
        cwd: SOURCES,
        env: { ...process.env, CGO_ENABLED: "0" },
      },
    );
    if (built.code !== 0) return built.output.trim().split("\n").slice(-3).join(" / ");
    await rename(fresh, binary);
  }
  await rm(CLUSTER_PROGRAMS, { recursive: true, force: true });
  await mkdir(CLUSTER_PROGRAMS, { recursive: true });
  for (const name of ["hyperkube", ...PROGRAMS]) await symlink(binary, join(CLUSTER_PROGRAMS, name));
  return undefined;
}

async function archiveImages({ cacheDir, searchPath, begin }) {
  const inputs = ["controlplane/build", "filters/build", "deploy/demo/bookinfo/services/build"];
  const stamps = await Promise.all(inputs.map((folder) => readStamp(join(root, folder, ".inputs"))));
  const recipes = await hashInputs(root, [
    "deploy/images",
    "deploy/setup/test-cluster.mjs",
    "test/cluster/machine/hyperkube",
  ]);
  const key = [...stamps, recipes, process.version].join(" ");
  const stamp = join(out, "images.inputs");
  if ((await readStamp(stamp)) === key) return;
  begin();
  const find = (name) => findProgram(name, searchPath);
  const { path: envoy } = await locateEnvoy({
    envoyPath: process.env.ENVOY_PATH,
    searchPath,
    cacheDir,
    arch: process.arch,
  });
  const programs = {
    node: process.execPath,
    envoy,
    shell: "/bin/sh",
    ip: await find("ip"),
    iptables: await find("xtables-nft-multi"),
  };
  const layersDir = join(cacheDir, "kubernetes/layers");
  await buildImages({ root, layersDir, hub: TEST_HUB, out: CLUSTER_IMAGES[1], programs });
  await archivePrograms(layersDir, await find("curl"));
  await writeStamp(stamp, key);
}

/** What a cluster itself runs, and what tests call from inside pods. */
async function archivePrograms(layersDir, curl) {
  const layer = (parts) => layerOf(layersDir, parts);
  const shell = await layer([
    ...baseParts(),
    ...(await programParts(BUSYBOX, BUSYBOX)),
    ...["sh", "sleep", "cat", "wget", "nc", "test", "env", "ls"].map((name) => ({
      link: "busybox",
      to: `/bin/${name}`,
    })),
  ]);
  const hyperkube = await layer([{ from: join(CLUSTER_PROGRAMS, "hyperkube"), to: "/usr/bin/hyperkube" }]);
  const node = await layer(await programParts(process.execPath, "/usr/bin/node"));
  const client = await layer(await programParts(curl, "/usr/bin/curl"));
  await writeArchive(CLUSTER_IMAGES[0], [
    { name: "localhost/pause:1", layers: [shell], entrypoint: ["/bin/sleep", "infinity"] },
    { name: "localhost/hyperkube:1", layers: [shell, hyperkube], entrypoint: ["/usr/bin/hyperkube"] },
    { name: "localhost/tools:1", layers: [shell, node, client], command: ["/bin/sleep", "infinity"] },
  ]);
}

async function findProgram(name, searchPath) {
  for (const folder of [...searchPath.split(":"), "/usr/sbin", "/sbin"])
    if (await exists(join(folder, name))) return join(folder, name);
  return undefined;
}

async function exists(path) {
  return access(path).then(
    () => true,
    () => false,
  );
}

// Consumes: a Debian machine that is there for tests only (CI), and being root on it.
// Produces: the programs of other people's that tests run beside the mesh's, from Debian's packages.
// Never does: install anything on a developer's machine, or fail the set-up: a test whose program is not there is left
// out by name.
import { access } from "node:fs/promises";
import { delimiter, resolve } from "node:path";
import { run } from "./run.mjs";

/** Programs that tests run if they are there (on the PATH, or where Debian has them), and the Debian package that each is from. */
export const TEST_PROGRAMS = {
  ip: "iproute2",
  "iptables-restore": "iptables",
  "redis-server": "redis-server",
  "redis-cli": "redis-tools",
  containerd: "containerd",
  runc: "runc",
  "/usr/lib/cni/bridge": "containernetworking-plugins",
  conntrack: "conntrack",
  busybox: "busybox-static",
  curl: "curl",
  openssl: "openssl",
};

/** Returns the packages whose programs are not on the search path. */
export async function missingPackages(searchPath) {
  const missing = [];
  for (const [program, name] of Object.entries(TEST_PROGRAMS))
    if (!(await isOnPath(program, searchPath))) missing.push(name);
  return missing;
}

/** Installs what is missing where `mayInstall`, else tells how; resolves to whether there was anything to do. */
export async function installTestPrograms({ searchPath, mayInstall, begin, report }) {
  const missing = await missingPackages(searchPath);
  if (missing.length === 0) return false;
  if (!mayInstall) {
    report(`tests of programs that are not here are left out (apt-get install ${missing.join(" ")})`);
    return false;
  }
  begin();
  // No service is to start: tests start their own, on ports of their own.
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive", RUNLEVEL: "1" };
  for (const args of [
    ["update", "-qq"],
    ["install", "-y", "-qq", "--no-install-recommends", ...missing],
  ]) {
    const { code, output } = await run("apt-get", args, { cwd: "/", env });
    if (code === 0) continue;
    report(`no ${missing.join(", ")}, so tests of them are left out: ${output.trim().split("\n").at(-1)}`);
    return true;
  }
  return true;
}

async function isOnPath(program, searchPath) {
  // Of an ordinary user's path the system's own programs are often missing.
  const folders = [...searchPath.split(delimiter), "/usr/sbin", "/sbin"];
  const found = await Promise.all(
    folders.map((folder) =>
      access(resolve(folder, program)).then(
        () => true,
        () => false,
      ),
    ),
  );
  return found.includes(true);
}

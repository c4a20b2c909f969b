// What isolation needs of this machine, and the sentence that says what is missing.
import { accessSync, constants } from "node:fs";
import { join } from "node:path";
import { type Failure, failed } from "../../model/failure.ts";

/** The programs that make and enter namespaces, by their paths. */
export type Programs = Readonly<Record<(typeof NAMES)[number], string>>;

export type ProgramsResult = { readonly kind: "programs"; readonly programs: Programs } | Failure<"cannot-isolate">;

/** Where a system keeps them, whatever the person's PATH says. */
export const SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

const NAMES = [
  "bash",
  "ip",
  "ip6tables-restore",
  "iptables-restore",
  "mount",
  "nsenter",
  "setpriv",
  "unshare",
] as const;
const PACKAGES = "on Debian they are in iproute2, iptables and util-linux";
const OTHERWISE = "Without --isolate no privilege is needed: programs then reach the mesh through HTTP_PROXY.";

/** Returns the programs, or what is missing; `find` returns a program's path. */
export function findPrograms(
  { uid, platform }: { readonly uid: number | undefined; readonly platform: string },
  find: (name: string) => string | undefined = findProgram,
): ProgramsResult {
  if (platform !== "linux")
    return failed("cannot-isolate", `--isolate needs Linux, whose network namespaces it makes. ${OTHERWISE}`);
  if (uid !== 0)
    return failed(
      "cannot-isolate",
      `--isolate makes network namespaces, which takes root: run it by sudo. ${OTHERWISE}`,
    );
  const found = NAMES.map((name) => [name, find(name)] as const);
  const missing = found.filter(([, path]) => path === undefined).map(([name]) => name);
  if (missing.length > 0)
    return failed("cannot-isolate", `--isolate needs ${missing.join(", ")} (${PACKAGES}). ${OTHERWISE}`);
  return { kind: "programs", programs: Object.fromEntries(found) as Programs };
}

function findProgram(name: string): string | undefined {
  return SYSTEM_PATH.split(":")
    .map((folder) => join(folder, name))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}

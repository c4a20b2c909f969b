import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { SetupError } from "./machine.mjs";

/**
 * Returns true when node_modules holds exactly the versions the lockfile names (packages for other machines may be
 * absent).
 */
export async function dependenciesMatch(root) {
  const wanted = await readLock(join(root, "package-lock.json"));
  if (!wanted) throw new SetupError("package-lock.json is missing or unreadable: restore it from the repository.");
  const installed = await readLock(join(root, "node_modules", ".package-lock.json"));
  return installed !== undefined && missingPackages(wanted, installed).length === 0;
}

/** Returns the paths of the lockfile's packages that are not installed in the version named. */
export function missingPackages(wanted, installed) {
  return Object.entries(wanted.packages)
    .filter(([path]) => path.startsWith("node_modules/"))
    .filter(([path, entry]) => {
      const there = installed.packages[path];
      if (!there) return !entry.optional;
      return there.version !== entry.version || Boolean(there.link) !== Boolean(entry.link);
    })
    .map(([path]) => path);
}

async function readLock(path) {
  try {
    const lock = JSON.parse(await readFile(path, "utf8"));
    return typeof lock.packages === "object" ? lock : undefined;
  } catch {
    return undefined;
  }
}

/** Returns the SetupError that explains what `npm ci` printed. */
export function explainNpmFailure(output) {
  const code = /npm (?:error|ERR!) code (\w+)/.exec(output)?.[1] ?? "";
  if (
    [
      "ENOTFOUND",
      "ECONNREFUSED",
      "ECONNRESET",
      "ETIMEDOUT",
      "EAI_AGAIN",
      "ERR_SOCKET_TIMEOUT",
      "ENETUNREACH",
      "EHOSTUNREACH",
    ].includes(code)
  ) {
    return new SetupError(
      `The npm registry could not be reached (${code}): check the network, or npm's registry and ` +
        "proxy settings, and run this again.",
    );
  }
  if (code === "EINTEGRITY")
    return new SetupError(
      "A package came with another hash than the lockfile names: refused; clear npm's cache (`npm " +
        "cache clean --force`) and run this again.",
    );
  if (code === "ENOSPC") return new SetupError("The disk is full: free some space and run this again.");
  const reason = output
    .split("\n")
    .filter((line) => /npm (error|ERR!)/.test(line))
    .slice(0, 4)
    .join(" / ");
  return new SetupError(`\`npm ci\` failed (${reason || "no reason given"}): correct that and run this again.`);
}

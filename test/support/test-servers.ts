// Consumes: the cache of the set-up.
// Produces: the paths of the servers and tools that only tests use.
// Never does: builds one (deploy/setup/test-servers.mjs does, at `npm test`).
import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { testServerPath } from "../../deploy/setup/test-servers.mjs";

/**
 * Returns the path of a test server's binary, or undefined where the set-up could not build it (then its tests are left
 * out by name).
 */
export function testServer(name: "registry" | "cosign" | "helm"): string | undefined {
  const path = testServerPath(process.env["SCRIM_CACHE_DIR"] ?? join(homedir(), ".cache", "scrim"), name);
  return existsSync(path) ? path : undefined;
}

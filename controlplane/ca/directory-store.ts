// consumes: a directory of its own
// produces: what the authority of a mesh directory signs with: `root-cert.pem` and `ca-key.pem`, made on first use
// never does: make a second root in silence: a missing key beside a root is told
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { ensurePrivateDirectory } from "../disk/private-directory.ts";
import { replaceFileForGood } from "../disk/replace-file.ts";
import { type Failure, failed } from "../model/failure.ts";
import { createKey, createRoot } from "./root.ts";
import { readSigningIdentity, type SigningFault, type SigningIdentity } from "./signing-identity.ts";
import type { SigningStore } from "./signing-store.ts";

/** Returns the store that a directory is; nobody puts another root into it while it is in use. */
export function directoryStore(directory: string, clock: { nowMs(): number }): SigningStore {
  return { open: async (trustDomain) => openDirectoryStore(directory, trustDomain, clock.nowMs()) };
}

/** Why an authority must not start. */
export type StoreFault = SigningFault | "unwritable" | "key-missing" | "other-trust-domain";

/**
 * Returns what is signed with in a directory; made on first use. Refuses a root whose key is missing, unreadable or
 * another's, and an expired root: minting a new one would cut off every workload that trusts the old one.
 */
export function openDirectoryStore(
  directory: string,
  trustDomain: string,
  nowMs: number,
): SigningIdentity | Failure<StoreFault> {
  const rootPath = join(directory, "root-cert.pem");
  const keyPath = join(directory, "ca-key.pem");
  try {
    ensurePrivateDirectory(directory);
    if (!existsSync(rootPath)) makeRoot(rootPath, keyPath, trustDomain, nowMs);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return failed("unwritable", `${directory} cannot be written (${why}): make room there, or make it writable`);
  }
  if (!existsSync(keyPath))
    return failed(
      "key-missing",
      `${keyPath} is missing beside ${rootPath}: put the key back, or remove the root to start a new trust`,
    );
  const root = readFileSync(rootPath, "utf8");
  const files = {
    "ca-cert.pem": root,
    "ca-key.pem": readFileSync(keyPath, "utf8"),
    "cert-chain.pem": "",
    "root-cert.pem": root,
  };
  const identity = readSigningIdentity(files, (file) => (file === "ca-key.pem" ? keyPath : rootPath), nowMs);
  if (identity.kind === "failed") return identity;
  if (!(identity.root.subjectAltName ?? "").split(", ").includes(`URI:spiffe://${trustDomain}`))
    return failed("other-trust-domain", `${rootPath} is of another trust domain than ${trustDomain}`);
  return identity;
}

/**
 * The key is durable before the root is: a kill between the two leaves a key that nothing depends on yet, which is
 * used.
 */
function makeRoot(rootPath: string, keyPath: string, trustDomain: string, nowMs: number): void {
  if (!existsSync(keyPath)) replaceFileForGood(keyPath, createKey(), 0o600);
  replaceFileForGood(rootPath, createRoot(trustDomain, readFileSync(keyPath, "utf8"), nowMs), 0o644);
}

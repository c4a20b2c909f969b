// Which token belongs to which pod: the runtime directory's identities.json, read again whenever it was replaced.
import { createHash, timingSafeEqual } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { failed } from "../model/failure.ts";
import type { Authenticate } from "./authenticate.ts";
import type { ProxyIdentity } from "./node.ts";

interface Entry extends ProxyIdentity {
  readonly digest: Buffer;
}

/**
 * An Authenticate over a file of `[{ tokenSha256, namespace, serviceAccount, pod }]`. A file that is missing proves
 * nothing; one that cannot be read as such leaves what was known, and `warn` is told.
 */
export function createIdentityFile(path: string, warn: (problem: string) => void): Authenticate {
  let entries: readonly Entry[] = [];
  let seen = "";
  const refresh = (): void => {
    const stamp = stampOf(path);
    if (stamp === seen) return;
    seen = stamp;
    if (stamp === "") return void (entries = []);
    const read = readEntries(path);
    if (read === undefined) warn(`${path} is not a list of identities; the one read before still holds`);
    else entries = read;
  };
  return async (token) => {
    refresh();
    const digest = createHash("sha256").update(token).digest();
    let found: Entry | undefined;
    // All are compared, so that the time taken says nothing about which came near.
    for (const entry of entries) if (timingSafeEqual(entry.digest, digest)) found = entry;
    return found === undefined ? failed("unproven", "a valid token is needed") : { kind: "proven", identity: found };
  };
}

function stampOf(path: string): string {
  const stat = statSync(path, { throwIfNoEntry: false, bigint: true });
  return stat === undefined ? "" : `${stat.ino}/${stat.size}/${stat.mtimeNs}`;
}

function readEntries(path: string): Entry[] | undefined {
  let list: unknown;
  try {
    list = JSON.parse(readFileSync(path, "utf8"));
  } catch {
    return undefined;
  }
  if (!Array.isArray(list)) return undefined;
  const entries = list.map(readEntry);
  return entries.includes(undefined) ? undefined : (entries as Entry[]);
}

function readEntry(value: unknown): Entry | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const { tokenSha256, namespace, serviceAccount, pod } = value as Record<string, unknown>;
  if (typeof tokenSha256 !== "string" || !/^[0-9a-f]{64}$/.test(tokenSha256)) return undefined;
  if (typeof namespace !== "string" || typeof serviceAccount !== "string" || typeof pod !== "string") return undefined;
  return { digest: Buffer.from(tokenSha256, "hex"), namespace, serviceAccount, pod };
}

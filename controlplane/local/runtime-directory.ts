import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { replaceFile } from "../disk/replace-file.ts";
import { type PodSnapshot, renderIdentities, renderPods } from "./pod-documents.ts";

/** The directory in which the control plane reads of the pods that run. */
export interface RuntimeDirectory {
  readonly path: string;
  /** Writes the pods' state and returns its revision; writes queue up, and those in between are merged. */
  publish(): Promise<number>;
}

/** Returns the runtime directory under the state directory; `snapshot` is asked for the pods at each write. */
export async function createRuntimeDirectory(
  stateDir: string,
  snapshot: () => readonly PodSnapshot[],
): Promise<RuntimeDirectory> {
  const path = join(stateDir, "runtime");
  await mkdir(path, { recursive: true, mode: 0o700 });
  let revision = Date.now();
  let running: Promise<number> | undefined;
  let queued: Promise<number> | undefined;

  async function write(): Promise<number> {
    const pods = snapshot();
    revision += 1;
    const written = revision;
    // Identities first: a pod must not be known before its credential is.
    await replaceFile(join(path, "identities.json"), renderIdentities(pods.map(({ pod }) => pod)));
    await replaceFile(join(path, "pods.yaml"), renderPods(pods, written));
    return written;
  }

  function publish(): Promise<number> {
    if (running === undefined) {
      running = write().finally(() => (running = undefined));
      return running;
    }
    // A write under way may have read the state before this change: one more follows it.
    queued ??= running
      .catch(() => 0)
      .then(() => {
        queued = undefined;
        return publish();
      });
    return queued;
  }
  return { path, publish };
}

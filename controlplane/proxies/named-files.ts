// Consumes: refusals whose reason names a file: one that is not there, or holds what Envoy cannot read.
// Produces: a word when such a file has become another.
// Never does: read a file, or look at one that no refusal names.
import { stat } from "node:fs/promises";
import { dirname } from "node:path";

export interface NamedFiles<Refusal> {
  /** From now on the files that the reason names are looked at. */
  follow(refusal: Refusal, reason: string): Promise<void>;
  forget(refusal: Refusal): void;
  /** Those of the refusals of which a file is another than when it was looked at last, with all their files. */
  changed(): Promise<readonly { readonly refusal: Refusal; readonly paths: readonly string[] }[]>;
}

/** Follows nothing yet. `signatureOf` gives a text that is equal as long as a file is the same. */
export function createNamedFiles<Refusal>(signatureOf = signature): NamedFiles<Refusal> {
  const followed = new Map<Refusal, { readonly paths: readonly string[]; signature: string }>();
  const look = async (paths: readonly string[]): Promise<string> =>
    (await Promise.all(paths.flatMap((path) => [path, dirname(path)]).map(signatureOf))).join("\n");
  return {
    async follow(refusal, reason) {
      const paths = pathsIn(reason);
      if (paths.length > 0) followed.set(refusal, { paths, signature: await look(paths) });
    },
    forget: (refusal) => void followed.delete(refusal),
    async changed() {
      const found: { refusal: Refusal; paths: readonly string[] }[] = [];
      for (const [refusal, known] of followed) {
        const now = await look(known.paths);
        if (now !== known.signature) found.push({ refusal, paths: known.paths });
        known.signature = now;
      }
      return found;
    },
  };
}

/** Envoy writes `Invalid path: /a/b.pem`, `unable to open file '/a/b.log': …`, `… certificates from /a/b.pem`. */
function pathsIn(reason: string): readonly string[] {
  return [...new Set([...reason.matchAll(/(?:^|[\s'"])(\/[^\s'":,]+)/g)].map(([, path]) => path ?? ""))];
}

async function signature(path: string): Promise<string> {
  try {
    const { ino, mtimeMs, size, mode } = await stat(path);
    return `${ino} ${mtimeMs} ${size} ${mode}`;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? "";
  }
}

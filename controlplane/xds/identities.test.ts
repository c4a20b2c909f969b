import { createHash } from "node:crypto";
import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createIdentityFile } from "./identities.ts";

const identity = { namespace: "default", serviceAccount: "web", pod: "web-1" };

describe("the identity file", () => {
  let directory: string;
  let path: string;
  const warnings: string[] = [];
  const write = (content: unknown) => {
    writeFileSync(`${path}.new`, typeof content === "string" ? content : JSON.stringify(content));
    renameSync(`${path}.new`, path);
  };
  const entry = (token: string, pod: string) => ({
    ...identity,
    pod,
    tokenSha256: createHash("sha256").update(token).digest("hex"),
  });
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "scrim-identities-"));
    path = join(directory, "identities.json");
    warnings.length = 0;
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  it("proves nothing while it is missing, and is read when it comes and whenever it is replaced", async () => {
    const authenticate = createIdentityFile(path, (problem) => warnings.push(problem));
    expect(await authenticate("one")).toMatchObject({ code: "unproven" });
    write([entry("one", "web-1")]);
    expect(await authenticate("one")).toMatchObject({ identity: { pod: "web-1" } });
    expect(await authenticate("two")).toMatchObject({ code: "unproven" });
    write([entry("one", "web-1"), entry("two", "web-2")]);
    expect(await authenticate("two")).toMatchObject({ identity: { pod: "web-2" } });
    write([entry("two", "web-2")]);
    expect(await authenticate("one")).toMatchObject({ code: "unproven" });
  });

  it.each(["[{", "{}", "[1]", '[{"tokenSha256":"x","namespace":"a","serviceAccount":"b","pod":"c"}]'])(
    "keeps what was known when it holds %s",
    async (broken) => {
      const authenticate = createIdentityFile(path, (problem) => warnings.push(problem));
      write([entry("one", "web-1")]);
      expect(await authenticate("one")).toMatchObject({ kind: "proven" });
      write(broken);
      expect(await authenticate("one")).toMatchObject({ kind: "proven" });
      expect(warnings).toHaveLength(1);
    },
  );
});

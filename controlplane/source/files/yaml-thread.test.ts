import { mkdir, mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { failed } from "../../model/failure.ts";
import { documentOf, parsePiece, splitDocuments } from "../../model/yaml.ts";
import { createStore } from "../../store/store.ts";
import { createSystemClock } from "../../telemetry/clock.ts";
import { createFileSource, type FileSource } from "./file-source.ts";
import type { ParseAside } from "./parse-ahead.ts";
import { createYamlThread, type YamlThread, type YamlThreadOptions } from "./yaml-thread.ts";

let directory: string;
let script: string;
const open: YamlThread[] = [];
let source: FileSource | undefined;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "yaml-thread-"));
  script = join(directory, "parse-yaml.mjs");
  await build({
    entryPoints: [fileURLToPath(new URL("parse-yaml.ts", import.meta.url))],
    outfile: script,
    bundle: true,
    platform: "node",
    format: "esm",
    logLevel: "error",
    banner: {
      js: 'import { createRequire as madeRequire } from "node:module"; const require = madeRequire(import.meta.url);',
    },
  });
});
afterEach(async () => {
  await source?.stop();
  source = undefined;
  for (const thread of open.splice(0)) thread.close();
});
afterAll(() => rm(directory, { recursive: true, force: true }));

function threadOf(options: Partial<YamlThreadOptions> = {}): YamlThread {
  const thread = createYamlThread({ script, ...options });
  open.push(thread);
  return thread;
}

/** A List of service accounts. */
function listOf(count: number, version: string, last = ""): string {
  const items = Array.from(
    { length: count },
    (_, index) =>
      `- apiVersion: v1\n  kind: ServiceAccount\n  metadata:\n    name: a-${index}\n` +
      `    labels: {version: "${version}"}\n`,
  );
  return `apiVersion: v1\nkind: List\nitems:\n${items.join("")}${last}`;
}

describe("a thread that parses", () => {
  it.each<[string, string]>([
    [
      "a document",
      "spec:\n  base: &base {deep: 1}\n  merged:\n    <<: *base\n    list: [a, {b: 1}]\n  text: |\n    one\n    two\n",
    ],
    ["a key that stands twice", "a: [{b: 1, b: 2}]"],
    [
      "what would grow without end",
      "a: &a [1,1,1,1,1,1,1,1,1,1]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b]\n" +
        "d: [*c,*c,*c,*c,*c]\n",
    ],
    ["what is nested too deep", `${"[".repeat(70)}${"]".repeat(70)}`],
    ["an ordinary key named __proto__", "__proto__: {polluted: true}\na: 1"],
    ["nothing", "# only a comment"],
    ["what is no YAML", "a: [\nb"],
  ])("says of %s what is said without one", async (_, text) => {
    const here = parsePiece(text),
      there = await threadOf().parse(text);
    const { places, ...said } = there as Extract<typeof here, { kind: "document" }>;
    expect(said).toEqual(here);
    if (here.kind !== "document") return;
    expect(Object.keys(said.value as object)).toEqual(Object.keys(here.value as object));
    const [piece] = splitDocuments(text);
    const locations = [here, there as typeof here]
      .map((parsed) => documentOf(parsed, piece!, "f.yaml"))
      .map((document) =>
        [["spec"], ["spec", "merged", "deep"], ["spec", "merged", "list", 1, "b"], ["spec", "merged", "list", 7], ["a"]]
          .map((path) => document.locate(path))
          .concat(document.locate(["spec", "text"], { line: 2, column: 1 })),
      );
    expect(locations[1]).toEqual(locations[0]);
  });

  it("answers again after a text that took too long, or too much memory", async () => {
    const hurried = threadOf({ limitMs: 150 });
    expect(await hurried.parse(listOf(20_000, "1"))).toEqual({
      kind: "failed",
      code: "too-slow",
      message: "cannot be parsed within 0.15 s: split it into smaller documents",
    });
    const small = threadOf({ limitMiB: 20 });
    expect(await small.parse(listOf(20_000, "1"))).toEqual({
      kind: "failed",
      code: "out-of-memory",
      message: "needs too much memory to be parsed: split it into smaller documents",
    });
    expect(await small.parse("a: 1")).toMatchObject({ kind: "document", value: { a: 1 } });
  });

  it("tells who waits when it is closed, or cannot be started", async () => {
    const thread = threadOf();
    const parsed = thread.parse(listOf(20_000, "1"));
    await new Promise((resolve) => setTimeout(resolve, 10));
    thread.close();
    expect(await parsed).toMatchObject({ kind: "failed" });
    expect(await threadOf({ script: join(directory, "missing.mjs") }).parse("a: 1")).toMatchObject({ kind: "failed" });
    // What makes the start itself throw, as a machine without a thread to give would.
    const unstartable = threadOf({ script: "no path at all" });
    for (const text of ["a: 1", "b: 2"]) expect(await unstartable.parse(text)).toMatchObject({ kind: "failed" });
  });
});

describe("a file with a large document", () => {
  async function begin(parseAside: ParseAside, text: string) {
    const mesh = await mkdtemp(join(directory, "mesh-"));
    await mkdir(mesh, { recursive: true });
    const put = async (name: string, content: string): Promise<void> => {
      await writeFile(join(mesh, `${name}.new`), content);
      await rename(join(mesh, `${name}.new`), join(mesh, name));
    };
    await put("large.yaml", text);
    const store = createStore({ strict: false });
    source = createFileSource({ directory: mesh, clock: createSystemClock(), parseAside });
    await source.start((batch) => store.apply(batch));
    const versions = (): string =>
      [
        ...new Set(
          store
            .world()
            .list("ServiceAccount")
            .map(({ metadata }) => metadata.labels["version"]),
        ),
      ]
        .sort()
        .join(" ");
    return { put, store, versions };
  }

  it("is taken in whole, with the places of what is wrong with it", async () => {
    const wrong =
      "- apiVersion: v1\n  kind: ServiceAccount\n  metadata:\n    name: a-last\n    labels: {version: [1]}\n";
    const { store } = await begin(threadOf().parse, listOf(500, "1", wrong));
    expect(store.world().list("ServiceAccount")).toHaveLength(500);
    expect(store.violations()).toMatchObject([{ origin: { line: 3 + 500 * 5 + 5, column: 14 } }]);
  });

  it("keeps no other file waiting", async () => {
    let release = (): void => undefined;
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const thread = threadOf();
    let isFirst = true;
    const { put, versions } = await begin(
      async (text) => {
        if (!isFirst) await held;
        isFirst = false;
        return thread.parse(text);
      },
      listOf(500, "1"),
    );
    await put("large.yaml", listOf(500, "2"));
    await put("other.yaml", listOf(1, "other").replaceAll("a-0", "other"));
    await expect.poll(versions, { timeout: 10_000 }).toBe("1 other");
    release();
    await expect.poll(versions, { timeout: 10_000 }).toBe("2 other");
  });

  it("keeps its objects and says so when it cannot be parsed, until it is changed", async () => {
    const thread = threadOf();
    let fails = false;
    const { put, store, versions } = await begin(
      async (text) =>
        fails
          ? failed("too-slow", "cannot be parsed within 60 s: split it into smaller documents")
          : thread.parse(text),
      listOf(500, "1"),
    );
    fails = true;
    await put("large.yaml", listOf(500, "2"));
    await expect
      .poll(() => store.violations().map(({ message, servingLastGood }) => ({ message, servingLastGood })), {
        timeout: 10_000,
      })
      .toEqual([{ message: "cannot be parsed within 60 s: split it into smaller documents", servingLastGood: true }]);
    expect(versions()).toBe("1");
    fails = false;
    await put("large.yaml", listOf(500, "2"));
    await expect.poll(versions, { timeout: 10_000 }).toBe("2");
    expect(store.violations()).toEqual([]);
  });

  it("is parsed a few documents at a time where it has many small ones", async () => {
    const documents = Array.from(
      { length: 3_000 },
      (_, index) => `apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: a-${index}, labels: {version: "1"}}\n`,
    ).join("---\n");
    let turns = 0;
    const counting = setInterval(() => turns++, 0);
    const { store } = await begin(async () => {
      throw new Error("none of them is large");
    }, documents);
    clearInterval(counting);
    expect(store.world().list("ServiceAccount")).toHaveLength(3_000);
    expect(turns).toBeGreaterThan(10);
  });
});

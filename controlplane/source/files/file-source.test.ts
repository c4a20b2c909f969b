import { mkdir, mkdtemp, rename, rm, symlink, unlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { SourceBatch } from "../../model/document.ts";
import { createStore, type Store } from "../../store/store.ts";
import { createFileSource, type FileSource, type FileSourceOptions, type SourceClock } from "./file-source.ts";

const clock: SourceClock = {
  monotonicMs: () => performance.now(),
  sleep: (ms, signal) =>
    new Promise((resolve, reject) => {
      const timer = setTimeout(resolve, ms);
      signal?.addEventListener(
        "abort",
        () => {
          clearTimeout(timer);
          reject(new Error("aborted"));
        },
        { once: true },
      );
    }),
};

/** A ServiceAccount document: the smallest object there is; its label tells versions apart. */
function account(name: string, version = "1"): string {
  return `apiVersion: v1\nkind: ServiceAccount\nmetadata:\n  name: ${name}\n  labels: {version: "${version}"}\n`;
}

let directory: string;
let source: FileSource | undefined;
let store: Store;
let batches: SourceBatch[];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "file-source-"));
  store = createStore({ strict: false });
  batches = [];
});

afterEach(async () => {
  await source?.stop();
  source = undefined;
  await rm(directory, { recursive: true, force: true });
});

async function begin(options: Partial<FileSourceOptions> = {}): Promise<FileSource> {
  source = createFileSource({ directory, clock, ...options });
  await source.start((batch) => {
    batches.push(batch);
    store.apply(batch);
  });
  return source;
}

/** What is in force, as `name=version`. */
function accounts(): string {
  return store
    .world()
    .list("ServiceAccount")
    .map(({ metadata }) => `${metadata.name}=${metadata.labels["version"]}`)
    .join(" ");
}

async function until(what: () => boolean, describeState: () => unknown = accounts): Promise<void> {
  for (let waited = 0; waited < 10_000; waited += 10) {
    if (what()) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error(`did not happen; state: ${JSON.stringify(describeState())}`);
}

async function pause(ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms));
}

function write(name: string, text: string): Promise<void> {
  return writeFile(join(directory, name), text);
}

describe("what a file source reads", () => {
  it("tells everything there is before start resolves, by path, recursively", async () => {
    await mkdir(join(directory, "deep/er"), { recursive: true });
    await mkdir(join(directory, "node_modules"));
    await mkdir(join(directory, ".git"));
    await write("b.yml", account("b"));
    await write("a.yaml", `${account("a1")}---\n${account("a2")}`);
    await write(
      "deep/er/c.json",
      JSON.stringify({ apiVersion: "v1", kind: "ServiceAccount", metadata: { name: "c", labels: { version: "1" } } }),
    );
    await write(".hidden.yaml", account("hidden"));
    await write("notes.txt", account("text"));
    await write("package.json", "{}");
    await write("node_modules/x.yaml", account("module"));
    await write(".git/x.yaml", account("git"));
    await begin();
    expect(accounts()).toBe("a1=1 a2=1 b=1 c=1");
    expect(batches[0]?.units.map(({ id }) => id)).toEqual(
      ["a.yaml", "b.yml", "deep/er/c.json"].map((name) => join(directory, name)),
    );
    expect(store.violations()).toEqual([]);
  });

  it("reads only what include allows", async () => {
    await write("pods.yaml", account("a"));
    await write("identities.json", "[]");
    await begin({ include: (path) => path.endsWith("pods.yaml") });
    expect(accounts()).toBe("a=1");
    expect(store.violations()).toEqual([]);
  });

  it("reports an empty and a missing directory as nothing", async () => {
    await begin();
    expect(batches).toEqual([{ source: directory, units: [], notices: [] }]);
  });

  it("reports text that is not UTF-8", async () => {
    await writeFile(join(directory, "a.yaml"), Buffer.from([0x61, 0x3a, 0x20, 0xff, 0xfe, 0x0a]));
    await begin();
    expect(store.violations().map(({ message }) => message)).toEqual(["is not UTF-8 text"]);
  });

  it("does not follow links in circles", async () => {
    await write("a.yaml", account("a"));
    await symlink(directory, join(directory, "again"));
    await begin();
    expect(accounts()).toBe("a=1");
  });
});

describe("what a file source sees change", () => {
  it("sees new, edited and removed files, in new directories too", async () => {
    await write("a.yaml", account("a"));
    await begin();
    await mkdir(join(directory, "later"));
    await write("later/b.yaml", account("b"));
    await until(() => accounts() === "a=1 b=1");
    await write("later/b.yaml", account("b", "2"));
    await until(() => accounts() === "a=1 b=2");
    await rm(join(directory, "later"), { recursive: true });
    await until(() => accounts() === "a=1");
  });

  it("sees an atomic rename, and never a moment without the objects", async () => {
    await write("a.yaml", account("a", "0"));
    await begin();
    const seen = new Set<string>();
    store.subscribe(() => seen.add(accounts()));
    for (let version = 1; version <= 10; version++) {
      await write("a.yaml.tmp", account("a", String(version)));
      await rename(join(directory, "a.yaml.tmp"), join(directory, "a.yaml"));
      await pause(30);
    }
    await until(() => accounts() === "a=10");
    expect([...seen].every((state) => /^a=\d+$/.test(state))).toBe(true);
  });

  it("waits for quiet where a file is written in place, and not where a whole one is put in its place", async () => {
    await write("a.yaml", account("a"));
    await write("b.yaml", account("b"));
    let nowMs = 1_000_000;
    await begin({ clock: { ...clock, monotonicMs: () => nowMs } });
    await write("b.yaml", account("b", "2"));
    await write("a.new", account("a", "2"));
    await rename(join(directory, "a.new"), join(directory, "a.yaml"));
    // For the source no time passes: it tells nothing that it has to wait for.
    await until(() => accounts() === "a=2 b=1");
    await pause(50);
    expect(accounts()).toBe("a=2 b=1");
    nowMs += 100;
    await write("c.yaml", "");
    await until(() => accounts() === "a=2 b=2");
  });

  it("sees a file that a link leads to change", async () => {
    const elsewhere = await mkdtemp(join(tmpdir(), "file-source-elsewhere-"));
    try {
      await writeFile(join(elsewhere, "real.yaml"), account("a"));
      await symlink(join(elsewhere, "real.yaml"), join(directory, "link.yaml"));
      await begin();
      await writeFile(join(elsewhere, "real.yaml"), account("a", "2"));
      await until(() => accounts() === "a=2");
    } finally {
      await rm(elsewhere, { recursive: true, force: true });
    }
  });

  it("sees a ConfigMap mount's links swapped", async () => {
    await mkdir(join(directory, "..v1"));
    await mkdir(join(directory, "..v2"));
    await write("..v1/a.yaml", account("a", "1"));
    await write("..v2/a.yaml", account("a", "2"));
    await symlink("..v1", join(directory, "..data"));
    await symlink("..data/a.yaml", join(directory, "a.yaml"));
    await begin();
    expect(accounts()).toBe("a=1");
    await symlink("..v2", join(directory, "..data_tmp"));
    await rename(join(directory, "..data_tmp"), join(directory, "..data"));
    await until(() => accounts() === "a=2");
  });

  it("keeps what a link led to while it leads nowhere, says so, and lets go of it with the link", async () => {
    await write("b.yaml", account("b", "1"));
    await mkdir(join(directory, "..v1"));
    await write("..v1/a.yaml", account("a", "1"));
    await symlink("..v1/a.yaml", join(directory, "a.yaml"));
    await begin();
    expect(accounts()).toBe("a=1 b=1");
    await rm(join(directory, "..v1"), { recursive: true });
    await until(() => batches.at(-1)?.notices.length === 1);
    expect(batches.at(-1)?.notices).toMatchObject([
      {
        origin: { path: join(directory, "a.yaml") },
        message: "cannot be read (the link leads nowhere): its last objects are kept",
      },
    ]);
    expect(accounts()).toBe("a=1 b=1");
    await unlink(join(directory, "a.yaml"));
    await until(() => accounts() === "b=1" && batches.at(-1)?.notices.length === 0);
  });

  it("sees a change behind a linked directory", async () => {
    const outside = await mkdtemp(join(tmpdir(), "file-source-outside-"));
    await writeFile(join(outside, "a.yaml"), account("a", "1"));
    await symlink(outside, join(directory, "linked"));
    await begin();
    await writeFile(join(outside, "a.yaml"), account("a", "2"));
    await until(() => accounts() === "a=2");
    await rm(outside, { recursive: true });
  });

  it("deletes what vanished from a file only after a quiet time", async () => {
    await write("a.yaml", `${account("a")}---\n${account("b")}`);
    await begin();
    await write("a.yaml", account("a", "2"));
    await until(() => accounts() === "a=2");
    const told = batches.filter(({ units }) => units.length > 0).map(({ units }) => units[0]?.settled);
    expect(told).toEqual([true, false, true]);
  });

  it("never tears a file written in pieces", async () => {
    // Each document ends with what names it, so that no part of it could be taken for the whole.
    const flow = (name: string) =>
      `{apiVersion: v1, kind: ServiceAccount, metadata: {labels: {version: "2"}, name: ${name}}}\n`;
    const whole = `${flow("a")}---\n${flow("b")}`;
    await write("a.yaml", `${account("a")}---\n${account("b")}`);
    await begin();
    const seen = new Set<string>();
    store.subscribe(() => seen.add(accounts()));
    for (let end = 0; end <= whole.length; end += 7) {
      await write("a.yaml", whole.slice(0, end));
      await pause(5);
    }
    await write("a.yaml", whole);
    await until(() => accounts() === "a=2 b=2");
    for (const state of seen) expect(state).toMatch(/^a=[12] b=[12]$/);
  });

  it("keeps a broken file's objects and says where it is broken", async () => {
    await write("a.yaml", `${account("a")}---\n${account("b")}`);
    await begin();
    await write("a.yaml", `${account("a", "2")}---\nkind: [\n`);
    await until(() => store.violations().length > 0);
    expect(accounts()).toBe("a=2 b=1");
    expect(store.violations()[0]).toMatchObject({
      origin: { path: join(directory, "a.yaml"), line: 8 },
      severity: "error",
      servingLastGood: true,
    });
    await write("a.yaml", account("a", "3"));
    await until(() => accounts() === "a=3" && store.violations().length === 0);
  });
});

describe("an emptied directory", () => {
  it("is held, says so, and ends with new content", async () => {
    await write("a.yaml", account("a"));
    await begin();
    await unlink(join(directory, "a.yaml"));
    await until(() => store.violations().length > 0);
    expect(accounts()).toBe("a=1");
    expect(store.violations()[0]).toMatchObject({
      origin: { path: directory },
      severity: "error",
      servingLastGood: true,
    });
    expect(store.violations()[0]?.message).toContain("--allow-empty");
    await write("b.yaml", account("b"));
    await until(() => accounts() === "b=1" && store.violations().length === 0);
  });

  it("is held when its only file is emptied or the directory itself goes", async () => {
    await write("a.yaml", account("a"));
    await begin();
    await write("a.yaml", "");
    await until(() => store.violations().length > 0);
    expect(accounts()).toBe("a=1");
    await rm(directory, { recursive: true });
    await until(
      () => store.violations()[0]?.message.includes("is gone") === true,
      () => store.violations(),
    );
    expect(accounts()).toBe("a=1");
    source?.allowEmpty();
    await until(
      () => accounts() === "" && store.violations().length === 0,
      () => store.violations(),
    );
  });

  it("is seen again after the directory was away", async () => {
    await write("a.yaml", account("a"));
    await begin();
    await rename(directory, `${directory}-away`);
    await until(
      () => batches.at(-1)?.notices.length === 1,
      () => batches.at(-1),
    );
    await rename(`${directory}-away`, directory);
    await until(
      () => batches.at(-1)?.notices.length === 0,
      () => batches.at(-1),
    );
    expect(accounts()).toBe("a=1");
  });

  it("lets go of an emptied file when that is allowed afterwards", async () => {
    await write("a.yaml", account("a"));
    await begin();
    await write("a.yaml", "# nothing\n");
    await until(() => store.violations().length > 0);
    source?.allowEmpty();
    await until(() => accounts() === "");
  });

  it("is emptied where that is allowed", async () => {
    await write("a.yaml", account("a"));
    await begin({ allowEmpty: true });
    await unlink(join(directory, "a.yaml"));
    await until(() => accounts() === "");
    expect(store.violations()).toEqual([]);
  });
});

describe("many edits", () => {
  it("serves the last good version after each of 100 edits, half of them invalid", async () => {
    await write("a.yaml", account("a", "0"));
    await write("other.yaml", account("z", "0"));
    await begin();
    const states = new Set<string>();
    store.subscribe(() => states.add(accounts()));
    const broken = [
      "kind: [",
      account("a", "bad value!"),
      "apiVersion: v1\nkind: ServiceAcount\nmetadata: {name: a}\n",
      "metadata: {}\n",
      "",
      "- 1\n",
    ];
    for (let edit = 1; edit <= 100; edit++) {
      const text = edit % 2 === 0 ? account("a", String(edit)) : (broken[edit % broken.length] ?? "");
      await write("a.yaml", text);
      await pause(edit % 10 === 0 ? 120 : 2);
    }
    await until(
      () => accounts() === "a=100 z=0" && store.violations().length === 0,
      () => [accounts(), store.violations()],
    );
    for (const state of states) expect(state).toMatch(/^a=\d+ z=0$/);
  });
});

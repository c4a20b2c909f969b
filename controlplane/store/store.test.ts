import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseFile, type ParsedFile } from "../source/files/parse-file.ts";
import { fileOrigin } from "../model/origin.ts";
import { createStore, type Store, type StoreUpdate } from "./store.ts";

function account(name: string, version = "1"): string {
  return `apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: ${name}, labels: {version: "${version}"}}\n`;
}

/** A store with files that can be written, and everything its listener was told. */
function storeWithFiles(strict = false): {
  store: Store;
  write(file: string, text: string, settled?: boolean, source?: string): void;
  updates: StoreUpdate[];
  accounts(): string;
} {
  const store = createStore({ strict });
  const parsedFiles = new Map<string, ParsedFile>();
  const updates: StoreUpdate[] = [];
  store.subscribe((update) => updates.push(update));
  return {
    store,
    updates,
    write(file, text, settled = true, source = "mesh") {
      const parsed = parseFile(text, file, parsedFiles.get(file));
      parsedFiles.set(file, parsed);
      store.apply({
        source,
        units: [{ id: file, documents: parsed.documents, problems: parsed.problems, settled }],
        notices: [],
      });
    },
    accounts: () =>
      store
        .world()
        .list("ServiceAccount")
        .map(({ metadata }) => `${metadata.name}=${metadata.labels["version"]}`)
        .join(" "),
  };
}

describe("last good", () => {
  it("keeps an object whose document became invalid, and says so, until it is valid again", () => {
    const { store, write, accounts } = storeWithFiles();
    write("a.yaml", `${account("a")}---\n${account("b")}`);
    write("a.yaml", `${account("a", "!")}---\n${account("b", "2")}`);
    expect(accounts()).toBe("a=1 b=2");
    expect(store.violations()).toMatchObject([
      {
        object: "ServiceAccount/default/a",
        origin: { line: 3 },
        field: "metadata.labels.version",
        servingLastGood: true,
      },
    ]);
    write("a.yaml", `${account("a", "3")}---\n${account("b", "2")}`);
    expect(accounts()).toBe("a=3 b=2");
    expect(store.violations()).toEqual([]);
  });

  it("does not pretend to serve what never was good", () => {
    const { store, write, accounts } = storeWithFiles();
    write("a.yaml", account("a", "!"));
    expect(accounts()).toBe("");
    expect(store.violations()).toMatchObject([{ servingLastGood: false }]);
  });

  it("keeps all objects of a file that cannot be parsed", () => {
    const { store, write, accounts } = storeWithFiles();
    write("a.yaml", `${account("a")}---\n${account("b")}`);
    write("a.yaml", "kind: [");
    expect(accounts()).toBe("a=1 b=1");
    expect(store.violations()).toMatchObject([
      { origin: { path: "a.yaml", line: 1 }, object: "", servingLastGood: true },
    ]);
  });

  it.each<[string, string]>([
    ["without a name", "apiVersion: v1\nkind: ServiceAccount\nmetadata: {}\n"],
    ["without a kind", "apiVersion: v1\nmetadata: {name: a}\n"],
    ["with a misspelt kind", "apiVersion: v1\nkind: ServiceAcount\nmetadata: {name: a}\n"],
    ["with an impossible name", "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: A!}\n"],
    ["that is no map", "hello\n"],
  ])("keeps the object a document %s may be about", (_what, text) => {
    const { write, accounts } = storeWithFiles();
    write("a.yaml", account("a"));
    write("a.yaml", text);
    expect(accounts()).toBe("a=1");
  });

  it("deletes what is not there any more although another document is invalid", () => {
    const { write, accounts } = storeWithFiles();
    write("a.yaml", `${account("a")}---\n${account("b")}`);
    write("a.yaml", account("b", "!"));
    expect(accounts()).toBe("b=1");
    write("a.yaml", "apiVersion: networking.istio.io/v1\nkind: EnvoyFilter\nmetadata: {name: b}\n");
    expect(accounts()).toBe("");
  });

  it("keeps what vanished until the file is settled", () => {
    const { write, accounts } = storeWithFiles();
    write("a.yaml", `${account("a")}---\n${account("b")}`);
    write("a.yaml", account("a", "2"), false);
    expect(accounts()).toBe("a=2 b=1");
    write("a.yaml", account("a", "2"), true);
    expect(accounts()).toBe("a=2");
  });

  it("follows an object to another file, where it is invalid at first", () => {
    const { write, accounts } = storeWithFiles();
    write("a.yaml", account("a"));
    write("b.yaml", account("a", "!"));
    write("a.yaml", "");
    expect(accounts()).toBe("a=1");
    write("b.yaml", account("a", "2"));
    expect(accounts()).toBe("a=2");
  });

  it("does not let a held version stand in the way of a good one elsewhere", () => {
    const { store, write, accounts } = storeWithFiles();
    write("b.yaml", account("a"));
    write("a.yaml", account("a", "!"));
    write("b.yaml", account("a", "2"));
    expect(accounts()).toBe("a=2");
    expect(store.violations()).toMatchObject([{ origin: { path: "a.yaml" }, servingLastGood: false }]);
  });
});

describe("duplicates", () => {
  it("the first by path counts, the other is reported, and takes over when the first goes", () => {
    const { store, write, accounts } = storeWithFiles();
    write("b.yaml", account("a", "b"));
    write("a.yaml", account("a", "a"));
    expect(accounts()).toBe("a=a");
    expect(store.violations()).toMatchObject([
      {
        origin: { path: "b.yaml" },
        object: "ServiceAccount/default/a",
        message: "is defined in a.yaml:1 already: that one counts",
      },
    ]);
    write("a.yaml", "");
    expect(accounts()).toBe("a=b");
    expect(store.violations()).toEqual([]);
  });

  it("are no mistake when both say the same, and stay until both are gone", () => {
    const { store, write, accounts } = storeWithFiles();
    write("a.yaml", `${account("a", "1")}---\n${account("a", "1")}`);
    write("b.yaml", account("a", "1"));
    expect([accounts(), store.violations()]).toEqual(["a=1", []]);
    write("a.yaml", "");
    expect([accounts(), store.violations()]).toEqual(["a=1", []]);
    write("b.yaml", "");
    expect(accounts()).toBe("");
  });

  it("in one file: the first counts", () => {
    const { store, write, accounts } = storeWithFiles();
    write("a.yaml", `${account("a", "1")}---\n${account("a", "2")}`);
    expect(accounts()).toBe("a=1");
    expect(store.violations()).toMatchObject([
      { origin: { line: 7 }, message: "is defined in line 1 of this file already: that one counts" },
    ]);
  });
});

describe("identity", () => {
  it("of an object survives edits around it, and its place follows", () => {
    const { store, write, updates } = storeWithFiles();
    write("a.yaml", `${account("a")}---\n${account("b")}`);
    const before = store.world().get("ServiceAccount", "default", "b");
    write("a.yaml", `# a comment\n\n${account("a", "2")}---\n# another\n${account("b")}`);
    expect(store.world().get("ServiceAccount", "default", "b")).toBe(before);
    expect(before?.origin).toMatchObject({ line: 8 });
    write("a.yaml", `${account("a", "2")}---\n${account("b")}`);
    expect(updates.map(({ worldChanged, world }) => [worldChanged, world.revision])).toEqual([
      [true, 1],
      [true, 2],
    ]);
    expect(before?.origin).toMatchObject({ line: 5 });
  });

  it("of arrays survives changes of other kinds", () => {
    const { store, write } = storeWithFiles();
    write("a.yaml", account("a"));
    const list = store.world().list("ServiceAccount");
    write("b.yaml", "apiVersion: v1\nkind: Namespace\nmetadata: {name: n}\n");
    expect(store.world().list("ServiceAccount")).toBe(list);
  });

  it("of an object that moved to another file changes: relative paths in it mean something else there", () => {
    const { store, write } = storeWithFiles();
    write("a.yaml", account("a"));
    const before = store.world().get("ServiceAccount", "default", "a");
    write("b.yaml", account("a"));
    write("a.yaml", "");
    expect(store.world().get("ServiceAccount", "default", "a")).not.toBe(before);
  });
});

describe("listeners", () => {
  it("are told once per batch, also of violations alone, and not of nothing", () => {
    const { store, write, updates } = storeWithFiles();
    write("a.yaml", account("a"));
    write("a.yaml", `# same\n${account("a")}`);
    write("a.yaml", account("a", "!"));
    expect(updates.map(({ worldChanged, violations }) => [worldChanged, violations.length])).toEqual([
      [true, 0],
      [false, 1],
    ]);
    store.apply({ source: "mesh", units: [], notices: [{ origin: fileOrigin("dir"), message: "is empty" }] });
    expect(updates.at(-1)?.violations).toMatchObject([
      { origin: { path: "a.yaml" } },
      { origin: { path: "dir" }, severity: "error", servingLastGood: true },
    ]);
  });

  it("hear of several sources as one mesh", () => {
    const { write, accounts } = storeWithFiles();
    write("pods.yaml", account("b"), true, "runtime");
    write("pods.yaml", account("a"), true, "mesh");
    expect(accounts()).toBe("a=1 b=1");
  });
});

describe("MeshConfig", () => {
  const config = (text: string) =>
    "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: istio, namespace: istio-system}\ndata:\n  mesh: |\n" +
    `${text.replaceAll(/^/gm, "    ")}\n`;

  it("comes from the ConfigMap, over defaults, last good too", () => {
    const { store, write } = storeWithFiles();
    expect(store.world().mesh).toMatchObject({
      trustDomain: "cluster.local",
      outboundTrafficPolicy: "ALLOW_ANY",
      engine: "wasm",
    });
    write(
      "mesh.yaml",
      config(
        "trustDomain: a.b\noutboundTrafficPolicy: {mode: REGISTRY_ONLY}\nconnectTimeout: 2s\n" +
          "defaultConfig: {concurrency: 1}\nengine: native",
      ),
    );
    const { mesh } = store.world();
    expect(mesh).toMatchObject({
      trustDomain: "a.b",
      outboundTrafficPolicy: "REGISTRY_ONLY",
      connectTimeoutMs: 2_000,
      defaultConcurrency: 1,
      engine: "native",
      rootNamespace: "istio-system",
    });
    write("mesh.yaml", config("trustDomain: A!"));
    expect(store.world().mesh).toBe(mesh);
    expect(store.violations()).toMatchObject([
      { origin: { line: 6, column: 5 }, field: "data.mesh", servingLastGood: true },
    ]);
    write("mesh.yaml", "");
    expect(store.world().mesh.trustDomain).toBe("cluster.local");
  });
});

describe("any history of edits", () => {
  it("ends in the state of its last valid texts", () => {
    const texts = fc.constantFrom(
      account("a", "1"),
      account("a", "2"),
      account("b", "1"),
      `${account("a", "3")}---\n${account("b", "2")}`,
      "",
      "kind: [",
      account("a", "!"),
      "hello",
      account("c"),
    );
    const edit = fc.record({ file: fc.constantFrom("a.yaml", "b.yaml", "c.yaml"), text: texts, settled: fc.boolean() });
    fc.assert(
      fc.property(fc.array(edit, { maxLength: 12 }), (edits) => {
        const long = storeWithFiles();
        for (const { file, text, settled } of edits) long.write(file, text, settled);
        const final = [
          ["a.yaml", account("a", "9")],
          ["b.yaml", `${account("a", "8")}---\n${account("b", "9")}`],
          ["c.yaml", ""],
        ] as const;
        const short = storeWithFiles();
        for (const [file, text] of final) {
          long.write(file, text);
          short.write(file, text);
        }
        expect(long.accounts()).toBe(short.accounts());
        expect(long.store.violations()).toEqual(short.store.violations());
      }),
      { numRuns: 300 },
    );
  });
});

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { resourceTypes } from "../../snapshot/type-urls.ts";
import { typeStatuses } from "../status/type-status.ts";
import { DELTA_ADS, type StreamKind } from "./stream-events.ts";
import { startTranscript, type Transcript } from "./testing-transcript.ts";
import { fingerprintOf } from "../../snapshot/changes.ts";

const SOTW: StreamKind = { ...DELTA_ADS, dialect: "sotw" };

/** A stream that has all clusters and listeners, accepted. */
function started(): Transcript {
  const stream = startTranscript(SOTW);
  stream.content({
    clusters: { a: "1", b: "1" },
    listeners: { l: "1" },
    routes: { r: "1" },
    endpoints: { a: "1", b: "1" },
    secrets: { default: "1" },
  });
  stream.ask("clusters");
  stream.ask("listeners");
  stream.ackAll();
  stream.effects();
  return stream;
}

const stateOf = (stream: Transcript, type: "cds" | "lds" | "eds" | "rds") =>
  typeStatuses(stream.state(), { withheld: [], isStale: false })[type].state;

describe("2: versions and NACKs", () => {
  it("every response has a version, the same for the same content, and a nonce of its own", () => {
    const [one, two] = [startTranscript(SOTW), startTranscript(SOTW)].map((stream) => {
      stream.content({ clusters: { a: "1" } });
      stream.ask("clusters");
      stream.ask("listeners");
      const [clusters] = stream.sends();
      stream.ack("clusters");
      return [clusters!, ...stream.sends()];
    });
    expect(one!.map(({ version }) => version)).toEqual(two!.map(({ version }) => version));
    expect(one![0]!.version).not.toBe(one![1]!.version);
    expect(new Set(one!.map(({ nonce }) => nonce)).size).toBe(2);
  });

  it("a rejected cluster is left out, or stays what it was, and is not sent again unchanged", () => {
    const stream = started();
    stream.content({ clusters: { a: "bad", b: "1", c: "new and bad" } });
    expect(stream.heard()).toEqual([{ type: "clusters", updates: ["a", "b", "c"], removed: [] }]);
    stream.nack("clusters", "Error adding/updating cluster(s) a: no, c: no");
    expect(stream.heard()).toEqual([]);
    stream.content({ clusters: { a: "bad", b: "2", c: "new and bad" } });
    const [response] = stream.sends();
    expect(response!.updates.map(({ name }) => name)).toEqual(["a", "b"]);
    expect(response!.updates[0]!.version).not.toBe(stream.version("clusters", "a"));
    stream.ack("clusters");
    expect(stateOf(stream, "cds")).toBe("ERROR");
    stream.content({ clusters: { a: "good", b: "2", c: "good" } });
    expect(stream.ackAll()[0]).toEqual({ type: "clusters", updates: ["a", "b", "c"], removed: [] });
    expect(stateOf(stream, "cds")).toBe("SYNCED");
  });
});

describe("3: a stale nonce", () => {
  it("is silence: its names count no more than its answer", () => {
    const stream = started();
    stream.ask("endpoints", { names: ["a"] });
    const [first] = stream.sends();
    stream.ask("endpoints", { names: ["a", "b"] });
    stream.ask("endpoints", { names: ["a", "b"], nonce: "long ago" });
    expect(stream.heard()).toEqual([]);
    expect(stream.effects().map(({ kind }) => kind)).toEqual(["stale", "stale"]);
    stream.ask("endpoints", { names: ["a", "b"], nonce: first!.nonce });
    expect(stream.heard()).toEqual([{ type: "endpoints", updates: ["b"], removed: [] }]);
  });
});

describe("4: wildcards", () => {
  it.each([[[]], [["*"]], [["*", "a"]]])("%j subscribes to all clusters", (names) => {
    const stream = startTranscript(SOTW);
    stream.content({ clusters: { a: "1", b: "1" } });
    stream.ask("clusters", { names });
    expect(stream.ackAll()).toEqual([{ type: "clusters", updates: ["a", "b"], removed: [] }]);
  });

  it("once a name was named an empty request means nothing at all", () => {
    const stream = startTranscript(SOTW);
    stream.content({ clusters: { a: "1", b: "1" } });
    stream.ask("clusters", { names: ["a"] });
    expect(stream.ackAll()).toEqual([{ type: "clusters", updates: ["a"], removed: [] }]);
    const nonce = String(stream.state().nextNonce - 1);
    stream.ask("clusters", { names: [], nonce });
    stream.content({ clusters: { a: "2", b: "2" } });
    expect(stream.heard()).toEqual([]);
  });

  it("a legacy wildcard that names a name is for that name only from then on", () => {
    const stream = started();
    stream.ask("clusters", { names: ["a"], nonce: "1" });
    expect(stream.ackAll()).toEqual([{ type: "clusters", updates: ["a"], removed: [] }]);
    stream.content({ clusters: { a: "1", b: "2" } });
    expect(stream.heard()).toEqual([]);
    stream.content({ clusters: { a: "2", b: "2" } });
    expect(stream.ackAll()).toEqual([{ type: "clusters", updates: ["a"], removed: [] }]);
  });

  it("a first wildcard request is answered even when there is nothing", () => {
    const stream = startTranscript(SOTW);
    stream.content({});
    stream.ask("listeners");
    expect(stream.ackAll()).toEqual([{ type: "listeners", updates: [], removed: [] }]);
  });
});

describe("6: full state", () => {
  it("clusters and listeners are sent whole when one of them changes, and absence deletes", () => {
    const stream = started();
    stream.content({ clusters: { a: "2", b: "1" } });
    expect(stream.ackAll()).toEqual([{ type: "clusters", updates: ["a", "b"], removed: [] }]);
    stream.content({ clusters: { b: "1" } });
    expect(stream.ackAll()).toEqual([{ type: "clusters", updates: ["b"], removed: [] }]);
    stream.content({ listeners: {} });
    expect(stream.ackAll()).toEqual([{ type: "listeners", updates: [], removed: [] }]);
  });

  it("endpoints and routes are sent where they changed, and an empty request unsubscribes", () => {
    const stream = started();
    stream.ask("endpoints", { names: ["a", "b"] });
    stream.ask("routes", { names: ["r"] });
    stream.ackAll();
    stream.content({ endpoints: { a: "2", b: "1" } });
    expect(stream.ackAll()).toEqual([{ type: "endpoints", updates: ["a"], removed: [] }]);
    stream.ask("endpoints", { names: [], nonce: String(stream.state().nextNonce - 1) });
    stream.content({ endpoints: { a: "3", b: "3" } });
    expect(stream.heard()).toEqual([]);
  });

  it("endpoints that vanish are not spoken of: their cluster's absence says it", () => {
    const stream = started();
    stream.ask("endpoints", { names: ["a", "b"] });
    stream.ackAll();
    stream.content({ endpoints: { b: "1" } });
    expect(stream.heard()).toEqual([]);
    stream.content({ endpoints: { a: "1", b: "1" } });
    expect(stream.ackAll()).toEqual([{ type: "endpoints", updates: ["a"], removed: [] }]);
  });
});

describe("7: missing resources", () => {
  it("are remembered in silence, and sent when they appear", () => {
    const stream = started();
    stream.ask("routes", { names: ["r", "later"] });
    expect(stream.ackAll()).toEqual([{ type: "routes", updates: ["r"], removed: [] }]);
    stream.content({ routes: { r: "1", later: "1" } });
    expect(stream.ackAll()).toEqual([{ type: "routes", updates: ["later"], removed: [] }]);
  });

  it("a listener asked for by name that does not exist is answered: not in the state, not there", () => {
    const stream = startTranscript(SOTW);
    stream.content({ listeners: { l: "1" } });
    stream.ask("listeners", { names: ["other"] });
    expect(stream.ackAll()).toEqual([{ type: "listeners", updates: [], removed: [] }]);
    stream.content({ listeners: { l: "1", other: "1" } });
    expect(stream.ackAll()).toEqual([{ type: "listeners", updates: ["other"], removed: [] }]);
  });

  it.each(["type.googleapis.com/example.Unknown", resourceTypes.virtualHosts.typeUrl])(
    "%s is answered once, as empty",
    (type) => {
      const stream = started();
      stream.ask(type, { names: ["x"] });
      const [answer] = stream.sends();
      expect(answer).toMatchObject({ typeUrl: type, updates: [], removed: [] });
      stream.ask(type, { nonce: answer!.nonce });
      expect(stream.heard()).toEqual([]);
    },
  );
});

describe("8: a client that comes back", () => {
  it("with the version of what there is, is sent no clusters again; endpoints and routes it is", () => {
    const before = started();
    const version = fingerprintOf(before.state().content!.clusters);
    const stream = startTranscript(SOTW);
    stream.ask("clusters", { version });
    stream.ask("endpoints", { names: ["a"], version: "any" });
    stream.content({ clusters: { a: "1", b: "1" }, endpoints: { a: "1", b: "1" } });
    expect(stream.ackAll()).toEqual([{ type: "endpoints", updates: ["a"], removed: [] }]);
    expect(stateOf(stream, "cds")).toBe("SYNCED");
    stream.content({ clusters: { a: "1" } });
    expect(stream.ackAll()).toEqual([{ type: "clusters", updates: ["a"], removed: [] }]);
  });

  it("with another version, is sent all", () => {
    const stream = startTranscript(SOTW);
    stream.ask("clusters", { version: "old" });
    stream.content({ clusters: { a: "1" } });
    expect(stream.ackAll()).toEqual([{ type: "clusters", updates: ["a"], removed: [] }]);
  });

  it("endpoints of a cluster that changes are sent again, although unchanged", () => {
    const stream = startTranscript(SOTW);
    stream.content({ clusters: { a: "eds" }, endpoints: { a: "1" } });
    stream.ask("clusters");
    stream.ask("endpoints", { names: ["a"] });
    stream.ackAll();
    stream.content({ clusters: { a: "eds2" } });
    expect(stream.ackAll()).toEqual([
      { type: "clusters", updates: ["a"], removed: [] },
      { type: "endpoints", updates: ["a"], removed: [] },
    ]);
  });
});

describe("9: make before break", () => {
  it("a cluster leaves only after the routes that led to it", () => {
    const stream = started();
    stream.ask("routes", { names: ["r"] });
    stream.ask("endpoints", { names: ["a"] });
    stream.ackAll();
    stream.content({
      clusters: { b: "1", c: "eds" },
      endpoints: { b: "1", c: "1" },
      routes: { r: "to c" },
      listeners: { l: "2" },
    });
    expect(stream.heard()).toEqual([{ type: "clusters", updates: ["b", "c", "a"], removed: [] }]);
    stream.ack("clusters");
    expect(stream.heard()).toEqual([]);
    stream.ask("endpoints", {
      names: ["a", "c"],
      nonce: stream.state().types.get(resourceTypes.endpoints.typeUrl)!.lastNonce,
    });
    expect(stream.ackAll()).toEqual([
      { type: "endpoints", updates: ["c"], removed: [] },
      { type: "listeners", updates: ["l"], removed: [] },
      { type: "routes", updates: ["r"], removed: [] },
      { type: "clusters", updates: ["b", "c"], removed: [] },
    ]);
  });
});

describe("10: one unanswered response per type", () => {
  it("changes merge while it waits", () => {
    const stream = started();
    stream.content({ clusters: { a: "2", b: "1" } });
    stream.heard();
    stream.content({ clusters: { a: "3", b: "1" } });
    stream.content({ clusters: { a: "4", b: "1" } });
    expect(stream.heard()).toEqual([]);
    stream.ack("clusters");
    const [response] = stream.sends();
    expect(response!.updates[0]!.version).toBe(stream.version("clusters", "a"));
  });
});

describe("15: a NACK that names no resource", () => {
  it("waits for a verdict; the culprit keeps what the client had, the others change", () => {
    const stream = started();
    stream.content({ clusters: { a: "bad", b: "2" } });
    stream.heard();
    stream.nack("clusters", "something is bad");
    expect(stream.heard()).toEqual([]);
    stream.examined("clusters", ["a"]);
    const [response] = stream.sends();
    expect(response!.updates.map(({ name }) => name)).toEqual(["a", "b"]);
    expect(response!.updates[0]!.version).not.toBe(stream.version("clusters", "a"));
    expect(response!.updates[1]!.version).toBe(stream.version("clusters", "b"));
  });

  it("without a verdict tries half of what changed, beside what the client has", () => {
    const stream = started();
    stream.content({ clusters: { a: "bad", b: "2" } });
    stream.heard();
    stream.nack("clusters", "something is bad");
    stream.examined("clusters", []);
    expect(
      stream.sends()[0]!.updates.map(({ name, version }) => [name, version === stream.version("clusters", name)]),
    ).toEqual([
      ["a", true],
      ["b", false],
    ]);
    stream.nack("clusters", "something is bad");
    const [second] = stream.sends();
    expect(second!.updates.map(({ name, version }) => [name, version === stream.version("clusters", name)])).toEqual([
      ["a", false],
      ["b", true],
    ]);
    stream.ack("clusters");
    expect(stream.effects().filter(({ kind }) => kind === "culprit")).toMatchObject([{ resource: { name: "a" } }]);
  });
});

describe("a stream of one type", () => {
  it("needs no type URL, and refuses another", () => {
    const stream = startTranscript({ dialect: "sotw", only: resourceTypes.clusters.typeUrl, without: [] });
    stream.content({ clusters: { a: "1" } });
    stream.ask("");
    expect(stream.heard()).toEqual([{ type: "clusters", updates: ["a"], removed: [] }]);
    stream.ask("listeners");
    expect(stream.effects()).toMatchObject([{ kind: "close", message: expect.stringContaining("only") }]);
  });

  it("of virtual hosts sends those of every route configuration", () => {
    const stream = startTranscript({ dialect: "delta", only: resourceTypes.virtualHosts.typeUrl, without: [] });
    stream.content({ virtualHosts: { "r/x": "1", "s/y": "1" } });
    stream.ask("virtualHosts");
    expect(stream.ackAll()).toEqual([{ type: "virtualHosts", updates: ["r/x", "s/y"], removed: [] }]);
  });

  it("of clusters does not wait for endpoints that another stream asks for", () => {
    const stream = startTranscript({ dialect: "sotw", only: resourceTypes.clusters.typeUrl, without: [] });
    stream.content({ clusters: { a: "1" } });
    stream.ask("clusters");
    stream.ackAll();
    stream.content({ clusters: { b: "eds" }, endpoints: { b: "1" } });
    expect(stream.ackAll()).toEqual([
      { type: "clusters", updates: ["b", "a"], removed: [] },
      { type: "clusters", updates: ["b"], removed: [] },
    ]);
  });
});

describe("14: a stream without secrets", () => {
  it.each(["delta", "sotw"] as const)("answers a %s request for them as if there were none", (dialect) => {
    const stream = startTranscript({ dialect, only: undefined, without: ["secrets"] });
    stream.content({ secrets: { default: "private" } });
    stream.ask("secrets", { subscribe: ["default"], names: ["default"] });
    expect(stream.heard()).toEqual([{ type: "secrets", updates: [], removed: dialect === "delta" ? ["default"] : [] }]);
    stream.content({ secrets: { default: "changed" } });
    expect(stream.heard()).toEqual([]);
  });
});

describe("questions about the control plane", () => {
  it("are answered once each, before there is any content", () => {
    const stream = startTranscript(SOTW);
    stream.ask("istio.io/debug/syncz");
    expect(stream.effects()).toEqual([{ kind: "ask", typeUrl: "istio.io/debug/syncz", names: [] }]);
    stream.give({
      kind: "told",
      typeUrl: "istio.io/debug/syncz",
      resources: [{ name: "syncz", version: "", bytes: new Uint8Array() }],
      nowMs: 0,
    });
    const [answer] = stream.sends();
    expect(answer).toMatchObject({ typeUrl: "istio.io/debug/syncz", updates: [{ name: "syncz" }] });
    stream.ask("istio.io/debug/syncz", { nonce: answer!.nonce });
    expect(stream.effects()).toEqual([]);
    stream.ask("istio.io/debug/syncz");
    expect(stream.effects()).toHaveLength(1);
  });
  it("are answered also where the first has a nonce of the client's own, as istioctl's; no acknowledgement is", () => {
    const stream = startTranscript(SOTW);
    const tell = () => {
      stream.give({ kind: "told", typeUrl: "istio.io/connections", resources: [], nowMs: 0 });
      return stream.sends()[0]!.nonce;
    };
    stream.ask("istio.io/connections", { nonce: "2026-11-21 17:31:06.083926 +0000 UTC m=+0.069" });
    expect(stream.effects()).toHaveLength(1);
    const first = tell();
    stream.ask("istio.io/connections", { nonce: "2026-11-21 17:31:07.083926 +0000 UTC m=+1.069" });
    expect(stream.effects()).toHaveLength(1);
    tell();
    stream.ask("istio.io/connections", { nonce: first });
    expect(stream.effects()).toEqual([]);
  });
});

describe("any history", () => {
  const values = fc.dictionary(fc.constantFrom("a", "b", "c", "d"), fc.constantFrom("1", "2", "bad", "eds"), {
    maxKeys: 4,
    noNullPrototype: true,
  });
  const changes = fc.array(fc.record({ clusters: values, listeners: values }), { minLength: 1, maxLength: 8 });

  /** Accepts unless a cluster is "bad", which it names; remembers what it holds. */
  function playClient(
    stream: Transcript,
    held: Map<string, Map<string, string>>,
    badVersions: () => ReadonlySet<string>,
  ): void {
    for (let waiting = stream.sends(); waiting.length > 0; waiting = stream.sends()) {
      for (const { typeUrl, updates, nonce } of waiting) {
        const bad = updates.filter(({ version }) => badVersions().has(version));
        if (bad.length > 0) stream.ask(typeUrl, { nonce, error: bad.map(({ name }) => ` ${name}: no`).join("") });
        else {
          held.set(typeUrl, new Map(updates.map(({ name, version }) => [name, version])));
          stream.ask(typeUrl, { nonce });
        }
      }
    }
  }

  it("a client ends with exactly what there is, but for contents it rejected", () => {
    fc.assert(
      fc.property(changes, fc.array(fc.boolean()), (history, pauses) => {
        const stream = startTranscript(SOTW);
        const held = new Map<string, Map<string, string>>();
        const bad = new Set<string>();
        for (const kind of ["clusters", "listeners"]) stream.ask(kind);
        for (const [index, content] of history.entries()) {
          stream.content(content);
          for (const kind of ["clusters", "listeners"] as const)
            for (const [name, value] of Object.entries(content[kind]))
              if (value === "bad") bad.add(stream.version(kind, name));
          if (pauses[index] === true) playClient(stream, held, () => bad);
          stream.give({ kind: "waited", nowMs: 0 });
        }
        for (let round = 0; round < 3; round++) {
          playClient(stream, held, () => bad);
          stream.give({ kind: "waited", nowMs: 0 });
        }
        for (const kind of ["clusters", "listeners"] as const) {
          const mine = held.get(resourceTypes[kind].typeUrl) ?? new Map<string, string>();
          for (const [name, value] of Object.entries(history.at(-1)![kind]))
            if (value !== "bad") expect(mine.get(name)).toBe(stream.version(kind, name));
          for (const [name, version] of mine) {
            expect(Object.keys(history.at(-1)![kind])).toContain(name);
            expect(bad.has(version)).toBe(false);
          }
        }
      }),
      { numRuns: 300 },
    );
  });
});

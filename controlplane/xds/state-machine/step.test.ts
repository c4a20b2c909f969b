import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { resourceKinds, resourceTypes } from "../../snapshot/type-urls.ts";
import { rejectionsOf, typeStatuses } from "../status/type-status.ts";
import { DELTA_ADS } from "./stream-events.ts";
import { type Heard, startTranscript, type Transcript } from "./testing-transcript.ts";

/** A stream that has content and has asked for clusters and listeners, all accepted. */
function started(): Transcript {
  const stream = startTranscript();
  stream.content({
    clusters: { a: "1", b: "1" },
    listeners: { l: "1" },
    routes: { r: "1" },
    virtualHosts: { "r/x": "1", "r/y": "1" },
    endpoints: { a: "1" },
    secrets: { default: "1" },
  });
  stream.ask("clusters");
  stream.ask("listeners");
  stream.ackAll();
  stream.effects();
  return stream;
}

const stateOf = (stream: Transcript, type: "cds" | "vhds" | "lds" | "rds") =>
  typeStatuses(stream.state(), { withheld: [], isStale: false })[type].state;

describe("1: the first request", () => {
  it("ADS needs a type URL", () => {
    const stream = startTranscript();
    stream.ask("");
    expect(stream.effects()).toMatchObject([{ kind: "close", message: expect.stringContaining("type URL") }]);
  });
});

describe("2: nonces and NACKs", () => {
  it("nonces differ within a stream, and the answer to one type does not count for another", () => {
    const stream = startTranscript();
    stream.content({ clusters: { a: "1" }, listeners: { l: "1" } });
    stream.ask("clusters");
    stream.ask("listeners");
    stream.ack("clusters");
    expect([stateOf(stream, "cds"), stateOf(stream, "lds")]).toEqual(["SYNCED", "STALE"]);
    stream.ask("listeners", { nonce: "1" });
    expect(stateOf(stream, "lds")).toBe("STALE");
  });

  it("unchanged content is never sent again after a NACK", () => {
    const stream = started();
    stream.content({ clusters: { a: "bad", b: "1" } });
    expect(stream.heard()).toEqual([{ type: "clusters", updates: ["a"], removed: [] }]);
    stream.nack("clusters", "no");
    expect(stream.effects()).toMatchObject([
      { kind: "rejected" },
      { kind: "culprit", resource: { name: "a" }, reason: "no" },
    ]);
    stream.content({ listeners: { l: "2" } });
    stream.ask("clusters");
    expect(stream.ackAll()).toEqual([{ type: "listeners", updates: ["l"], removed: [] }]);
    expect(stateOf(stream, "cds")).toBe("ERROR");
  });

  it("changed content is sent after a NACK, and clears it", () => {
    const stream = started();
    stream.content({ clusters: { a: "bad", b: "1" } });
    stream.nack("clusters", "no");
    stream.heard();
    stream.content({ clusters: { a: "good", b: "1" } });
    expect(stream.ackAll()).toEqual([{ type: "clusters", updates: ["a"], removed: [] }]);
    expect(stateOf(stream, "cds")).toBe("SYNCED");
  });

  it("content that went back to what was accepted is sent once: the client may have applied a part", () => {
    const stream = started();
    stream.content({ clusters: { a: "bad", b: "1" } });
    stream.nack("clusters", "no");
    stream.heard();
    stream.content({ clusters: { a: "1", b: "1" } });
    expect(stream.ackAll()).toEqual([{ type: "clusters", updates: ["a"], removed: [] }]);
  });
});

describe("what a client rejected for want of a file of its machine", () => {
  const again = { kind: "again", nowMs: 0 } as const;
  const GONE = "unable to watch /gone/: No such file or directory";
  const asking = () => {
    const stream = startTranscript();
    stream.content({ routes: { a: "1", b: "1" } });
    for (const name of ["a", "b"]) {
      stream.ask("routes", { subscribe: [name] });
      stream.nack("routes", `${GONE} ${name}`);
    }
    stream.heard();
    return stream;
  };

  it("is told with the reason of each", () => {
    const [a, b] = rejectionsOf(asking().state(), []);
    expect([a, b]).toMatchObject([
      { type: "rds", resources: ["a"], message: `${GONE} a` },
      { type: "rds", resources: ["b"], message: `${GONE} b` },
    ]);
  });

  it("is sent once more, by turns, and told as rejected until it is accepted", () => {
    const stream = asking();
    const turns = ["a", "b", "a"].map((name) => {
      stream.give(again);
      const heard = stream.heard();
      expect(rejectionsOf(stream.state(), [])).toHaveLength(2);
      stream.nack("routes", `${GONE} ${name}`);
      return heard.map(({ updates }) => updates);
    });
    expect(turns).toEqual([[["a"]], [["b"]], [["a"]]]);
    expect(stream.effects().filter((effect) => effect.kind === "rejected" && !effect.isKnown)).toHaveLength(2);
    stream.give(again);
    stream.ack("routes");
    stream.give(again);
    stream.ack("routes");
    expect([rejectionsOf(stream.state(), []), stateOf(stream, "rds")]).toEqual([[], "SYNCED"]);
    stream.heard();
    stream.give(again);
    expect(stream.heard()).toEqual([]);
  });

  it("is not sent again for another reason", () => {
    const stream = startTranscript();
    stream.content({ routes: { a: "1" } });
    stream.ask("routes", { subscribe: ["a"] });
    stream.nack("routes", "it is no certificate");
    stream.heard();
    stream.give(again);
    expect(stream.heard()).toEqual([]);
  });
});

describe("3: a stale nonce", () => {
  it("still changes subscriptions, and is no answer", () => {
    const stream = started();
    stream.content({ clusters: { a: "2", b: "1" } });
    stream.ask("endpoints", { subscribe: ["a"], nonce: "long ago", error: "ignored" });
    expect(stream.heard().map(({ type }) => type)).toEqual(["clusters", "endpoints"]);
    expect(stream.effects()).toEqual([]);
  });
});

describe("4: wildcards", () => {
  it.each([[[]], [["*"]], [["*", "a"]]])("%j subscribes to everything", (subscribe) => {
    const stream = startTranscript();
    stream.content({ clusters: { a: "1", b: "1" } });
    stream.ask("clusters", { subscribe });
    expect(stream.ackAll()).toEqual([{ type: "clusters", updates: ["a", "b"], removed: [] }]);
    stream.content({ clusters: { a: "1", b: "1", c: "1" } });
    expect(stream.ackAll()).toEqual([{ type: "clusters", updates: ["c"], removed: [] }]);
  });

  it("an empty first wildcard request is answered even when there is nothing", () => {
    const stream = startTranscript();
    stream.content({});
    stream.ask("listeners");
    expect(stream.ackAll()).toEqual([{ type: "listeners", updates: [], removed: [] }]);
  });

  it("there is no way back to legacy once a name was named: an empty request changes nothing", () => {
    const stream = startTranscript();
    stream.content({ clusters: { a: "1", b: "1" } });
    stream.ask("clusters", { subscribe: ["a"] });
    stream.ask("clusters", { unsubscribe: ["a"] });
    stream.ackAll();
    stream.ask("clusters");
    stream.content({ clusters: { a: "2", b: "2" } });
    expect(stream.heard()).toEqual([]);
  });

  it("leaving * keeps the names that were named", () => {
    const stream = startTranscript();
    stream.content({ clusters: { a: "1", b: "1" } });
    stream.ask("clusters", { subscribe: ["*", "a"] });
    stream.ackAll();
    stream.ask("clusters", { unsubscribe: ["*"] });
    stream.content({ clusters: { a: "2", b: "2" } });
    expect(stream.ackAll()).toEqual([{ type: "clusters", updates: ["a"], removed: [] }]);
  });

  it("an empty request for a type without wildcards asks for nothing", () => {
    const stream = started();
    stream.ask("routes");
    expect(stream.heard()).toEqual([]);
  });
});

describe("5: subscriptions", () => {
  it("subscribing again resends", () => {
    const stream = started();
    stream.ask("endpoints", { subscribe: ["a"] });
    stream.ackAll();
    stream.ask("endpoints", { subscribe: ["a"] });
    expect(stream.ackAll()).toEqual([{ type: "endpoints", updates: ["a"], removed: [] }]);
  });

  it("unsubscribing something never asked for is harmless", () => {
    const stream = started();
    stream.ask("endpoints", { unsubscribe: ["never"] });
    expect(stream.heard()).toEqual([]);
  });

  it("unsubscribing a name under * answers, with the resource or with its absence", () => {
    const stream = started();
    stream.ask("clusters", { unsubscribe: ["a", "never"] });
    expect(stream.ackAll()).toEqual([{ type: "clusters", updates: ["a"], removed: ["never"] }]);
  });

  it("what was unsubscribed is sent no more", () => {
    const stream = started();
    stream.ask("endpoints", { subscribe: ["a"] });
    stream.ackAll();
    stream.ask("endpoints", { unsubscribe: ["a"] });
    stream.content({ endpoints: { a: "2" } });
    expect(stream.heard()).toEqual([]);
  });
});

describe("7: missing resources", () => {
  it("are said to be removed at once, and sent when they appear", () => {
    const stream = started();
    stream.ask("endpoints", { subscribe: ["a", "later"] });
    expect(stream.ackAll()).toEqual([{ type: "endpoints", updates: ["a"], removed: ["later"] }]);
    stream.content({ endpoints: { a: "1", later: "1" } });
    expect(stream.ackAll()).toEqual([{ type: "endpoints", updates: ["later"], removed: [] }]);
  });

  it("types that are not served are answered as empty", () => {
    const stream = started();
    stream.ask("type.googleapis.com/example.Unknown", { subscribe: ["x"] });
    expect(stream.heard()).toEqual([{ type: "type.googleapis.com/example.Unknown", updates: [], removed: ["x"] }]);
  });

  it("a secret that the identity may not have does not exist", () => {
    const stream = started();
    stream.ask("secrets", { subscribe: ["default", "kubernetes://other"] });
    expect(stream.ackAll()).toEqual([{ type: "secrets", updates: ["default"], removed: ["kubernetes://other"] }]);
  });
});

describe("8: a client that comes back", () => {
  it("is sent what differs and told what vanished, and nothing else", () => {
    const before = started();
    const stream = startTranscript();
    stream.ask("clusters", { initialVersions: { a: before.version("clusters", "a"), b: "old", gone: "old" } });
    stream.ask("virtualHosts", { initialVersions: { "r/x": before.version("virtualHosts", "r/x") } });
    stream.ask("routes", { subscribe: ["r"], initialVersions: { r: before.version("routes", "r") } });
    expect(stream.heard()).toEqual([]);
    stream.content({ clusters: { a: "1", b: "1" }, routes: { r: "1" }, virtualHosts: { "r/x": "1", "r/y": "1" } });
    expect(stream.ackAll()).toEqual([
      { type: "clusters", updates: ["b"], removed: [] },
      { type: "virtualHosts", updates: ["r/y"], removed: [] },
      { type: "clusters", updates: [], removed: ["gone"] },
    ]);
  });

  it("is sent nothing when nothing differs, and is synced", () => {
    const before = started();
    const stream = startTranscript();
    stream.content({ clusters: { a: "1", b: "1" } });
    stream.ask("clusters", {
      initialVersions: { a: before.version("clusters", "a"), b: before.version("clusters", "b") },
    });
    expect(stream.heard()).toEqual([]);
    expect(stateOf(stream, "cds")).toBe("SYNCED");
  });

  it("endpoints of a cluster that changes are sent again, although unchanged", () => {
    const stream = startTranscript();
    stream.content({ clusters: { a: "eds" }, endpoints: { a: "1" } });
    stream.ask("clusters");
    stream.ask("endpoints", { subscribe: ["a"] });
    stream.ackAll();
    stream.content({ clusters: { a: "eds2" } });
    expect(stream.ackAll()).toEqual([
      { type: "clusters", updates: ["a"], removed: [] },
      { type: "endpoints", updates: ["a"], removed: [] },
    ]);
  });
});

describe("8: a cluster that changed while its client was away", () => {
  it("is remembered as warming while it is there: who asks for no endpoints holds no clusters of before", () => {
    for (const only of [undefined, "type.googleapis.com/envoy.config.cluster.v3.Cluster"]) {
      const stream = startTranscript({ dialect: "delta", only, without: [] });
      stream.content({ clusters: { a: "0", b: "0", c: "0" } });
      stream.ask("clusters");
      stream.ackAll();
      for (let change = 1; change <= 20; change++) {
        stream.content({ clusters: { a: `${change}`, b: "0" } });
        stream.ackAll();
      }
      expect(
        stream
          .state()
          .warming.flat()
          .map(({ name }) => name)
          .sort(),
      ).toEqual(only === undefined ? ["a", "b"] : []);
    }
  });

  it("warms until its endpoints are sent, although the client has them", () => {
    const before = startTranscript();
    before.content({ clusters: { a: "eds", b: "eds" }, endpoints: { a: "1", b: "1" } });
    const stream = startTranscript();
    stream.content({ clusters: { a: "eds2", b: "eds" }, endpoints: { a: "1", b: "1" } });
    stream.ask("clusters", {
      initialVersions: { a: before.version("clusters", "a"), b: before.version("clusters", "b") },
    });
    stream.ask("endpoints", {
      subscribe: ["a", "b"],
      initialVersions: { a: before.version("endpoints", "a"), b: before.version("endpoints", "b") },
    });
    expect(stream.ackAll()).toEqual([
      { type: "clusters", updates: ["a"], removed: [] },
      { type: "endpoints", updates: ["a"], removed: [] },
    ]);
  });

  it("also when it has acknowledged the cluster before it asks for endpoints, or content comes only then", () => {
    const before = startTranscript();
    before.content({ clusters: { a: "eds" }, endpoints: { a: "1" } });
    const has = { subscribe: ["a"], initialVersions: { a: before.version("endpoints", "a") } };
    const late = startTranscript();
    late.content({ clusters: { a: "eds2" }, endpoints: { a: "1" } });
    late.ask("clusters", { initialVersions: { a: before.version("clusters", "a") } });
    expect(late.ackAll()).toEqual([{ type: "clusters", updates: ["a"], removed: [] }]);
    late.ask("endpoints", has);
    expect(late.ackAll()).toEqual([{ type: "endpoints", updates: ["a"], removed: [] }]);
    const early = startTranscript();
    early.ask("clusters", { initialVersions: { a: before.version("clusters", "a") } });
    early.ask("endpoints", has);
    early.content({ clusters: { a: "eds2" }, endpoints: { a: "1" } });
    expect(early.ackAll()).toEqual([
      { type: "clusters", updates: ["a"], removed: [] },
      { type: "endpoints", updates: ["a"], removed: [] },
    ]);
  });
});

describe("8: clusters that a client took on another stream", () => {
  const ofClusters = (...names: string[]) => {
    const other = startTranscript({ ...DELTA_ADS, only: "type.googleapis.com/envoy.config.cluster.v3.Cluster" });
    other.content({ clusters: Object.fromEntries(names.map((name) => [name, "eds"])) });
    other.ask("clusters");
    return { kind: "warming", clusters: [...other.state().content!.clusters.values()], nowMs: 0 } as const;
  };

  it.each(["delta", "sotw"] as const)("have their endpoints sent again, which the client has: %s", (dialect) => {
    const stream = startTranscript({ ...DELTA_ADS, dialect });
    stream.content({ clusters: { a: "eds", b: "eds" }, endpoints: { a: "1", b: "1" } });
    stream.ask("endpoints", { subscribe: ["a", "b"], names: ["a", "b"] });
    stream.ackAll();
    stream.give(ofClusters("a", "unasked"));
    expect(stream.ackAll()).toEqual([{ type: "endpoints", updates: ["a"], removed: [] }]);
  });

  it("also where the client asks only then, and says that it has them", () => {
    const stream = startTranscript();
    stream.content({ clusters: { a: "eds", b: "eds" }, endpoints: { a: "1", b: "1" } });
    stream.give(ofClusters("a"));
    const has = { a: stream.version("endpoints", "a"), b: stream.version("endpoints", "b") };
    stream.ask("endpoints", { subscribe: ["a", "b"], initialVersions: has });
    expect(stream.ackAll()).toEqual([{ type: "endpoints", updates: ["a"], removed: [] }]);
  });
});

describe("9: order", () => {
  it("clusters and their endpoints arrive before what leads to them; removals go last, the other way round", () => {
    const stream = started();
    stream.ask("routes", { subscribe: ["r"] });
    stream.ask("virtualHosts");
    stream.ackAll();
    stream.content({
      clusters: { b: "1", c: "eds" },
      endpoints: { c: "1" },
      listeners: { l: "2" },
      routes: { r: "2" },
      virtualHosts: { "r/y": "2" },
    });
    expect(stream.heard()).toEqual([{ type: "clusters", updates: ["c"], removed: [] }]);
    stream.ack("clusters");
    expect(stream.heard()).toEqual([]);
    stream.ask("endpoints", { subscribe: ["c"] });
    expect(stream.heard()).toEqual([{ type: "endpoints", updates: ["c"], removed: [] }]);
    stream.ack("endpoints");
    expect(stream.ackAll()).toEqual([
      { type: "listeners", updates: ["l"], removed: [] },
      { type: "routes", updates: ["r"], removed: [] },
      { type: "virtualHosts", updates: ["r/y"], removed: [] },
      { type: "virtualHosts", updates: [], removed: ["r/x"] },
      { type: "clusters", updates: [], removed: ["a"] },
    ]);
  });

  it("endpoints that nobody asks for hold nothing up for long", () => {
    const stream = started();
    stream.content({ clusters: { a: "1", b: "1", c: "eds" }, endpoints: { c: "1" }, listeners: { l: "2" } });
    stream.ack("clusters");
    expect(stream.effects().map(({ kind }) => kind)).toEqual(["wait", "accepted"]);
    stream.heard();
    stream.give({ kind: "waited", nowMs: 0 });
    expect(stream.heard()).toEqual([{ type: "listeners", updates: ["l"], removed: [] }]);
  });

  it("secrets and filters are answered at once, whatever is under way", () => {
    const stream = started();
    stream.content({ clusters: { a: "2", b: "2" }, extensionConfigs: { f: "1" } });
    stream.heard();
    stream.ask("secrets", { subscribe: ["default"] });
    stream.ask("extensionConfigs", { subscribe: ["f"] });
    expect(stream.heard().map(({ type }) => type)).toEqual(["secrets", "extensionConfigs"]);
  });

  it("virtual hosts are those of the routes that the stream has; one that comes back gets them again", () => {
    const stream = started();
    stream.content({ routes: { r: "1", s: "1" }, virtualHosts: { "r/x": "1", "s/z": "1" } });
    stream.ask("routes", { subscribe: ["r"] });
    stream.ask("virtualHosts");
    expect(stream.ackAll()).toEqual([
      { type: "routes", updates: ["r"], removed: [] },
      { type: "virtualHosts", updates: ["r/x"], removed: [] },
    ]);
    stream.ask("routes", { subscribe: ["s"] });
    expect(stream.ackAll()).toEqual([
      { type: "routes", updates: ["s"], removed: [] },
      { type: "virtualHosts", updates: ["s/z"], removed: [] },
    ]);
    stream.ask("routes", { unsubscribe: ["r"] });
    stream.content({ virtualHosts: { "r/x": "2", "s/z": "1" } });
    expect(stream.ackAll()).toEqual([]);
    stream.ask("routes", { subscribe: ["r"] });
    expect(stream.ackAll()).toEqual([
      { type: "routes", updates: ["r"], removed: [] },
      { type: "virtualHosts", updates: ["r/x"], removed: [] },
    ]);
  });
});

describe("virtual hosts that are asked for by name", () => {
  const hosts = (updates: string[], rest: Partial<Heard> = {}): Heard => ({
    type: "virtualHosts",
    updates,
    removed: [],
    ...rest,
  });
  const asking = (): Transcript => {
    const stream = started();
    stream.ask("routes", { subscribe: ["r"] });
    stream.ask("virtualHosts");
    stream.ackAll();
    return stream;
  };

  it("and do not exist are answered as such, each time, and sent when they appear; one that goes is removed", () => {
    const stream = asking();
    stream.ask("virtualHosts", { subscribe: ["r/later"] });
    expect(stream.ackAll()).toEqual([hosts([], { unresolved: ["r/later"] })]);
    stream.ask("virtualHosts", { subscribe: ["r/later", "r/x", "r/never"] });
    expect(stream.ackAll()).toEqual([hosts(["r/x"], { unresolved: ["r/later", "r/never"] })]);
    stream.content({ virtualHosts: { "r/x": "1", "r/y": "1", "r/later": "1" } });
    expect(stream.ackAll()).toEqual([hosts(["r/later"])]);
    stream.content({ virtualHosts: { "r/x": "1", "r/y": "1" } });
    expect(stream.ackAll()).toEqual([hosts([], { removed: ["r/later"] })]);
    expect(stateOf(stream, "vhds")).toBe("SYNCED");
  });

  it("and do not exist are answered again after a rejection", () => {
    const stream = asking();
    stream.ask("virtualHosts", { subscribe: ["r/x", "r/never"] });
    stream.heard();
    stream.nack("virtualHosts", "no");
    expect(stream.ackAll()[0]).toEqual(hosts([], { unresolved: ["r/never"] }));
  });

  it("are all that a client gets that never asked for all; what it unsubscribes it hears of no more", () => {
    const stream = startTranscript({ ...DELTA_ADS, only: resourceTypes.virtualHosts.typeUrl });
    stream.content({ virtualHosts: { "r/x": "1", "r/y": "1", "s/x": "1" } });
    stream.ask("virtualHosts", { subscribe: ["r/x"] });
    expect(stream.ackAll()).toEqual([hosts(["r/x"])]);
    stream.content({ virtualHosts: { "r/x": "2", "r/y": "2", "s/x": "1" } });
    expect(stream.ackAll()).toEqual([hosts(["r/x"])]);
    stream.ask("virtualHosts", { unsubscribe: ["r/x"] });
    stream.content({ virtualHosts: { "r/x": "3", "r/y": "3", "s/x": "1" } });
    expect(stream.ackAll()).toEqual([]);
  });

  it("come beside all others on a stream of their own, whose first request names nothing", () => {
    const stream = startTranscript({ ...DELTA_ADS, only: resourceTypes.virtualHosts.typeUrl });
    stream.content({ virtualHosts: { "r/x": "1", "s/x": "1" } });
    stream.ask("virtualHosts");
    expect(stream.ackAll()).toEqual([hosts(["r/x", "s/x"])]);
    stream.ask("virtualHosts", { subscribe: ["r/never"] });
    expect(stream.ackAll()).toEqual([hosts([], { unresolved: ["r/never"] })]);
    stream.ask("virtualHosts", { unsubscribe: ["*"] });
    stream.content({ virtualHosts: { "r/x": "2", "s/x": "2", "r/never": "1" } });
    expect(stream.ackAll()).toEqual([hosts(["r/never"])]);
  });
});

describe("10: one unanswered response per type", () => {
  it("changes merge while it waits, and only the last content is sent", () => {
    const stream = started();
    stream.content({ clusters: { a: "2", b: "1" } });
    stream.heard();
    stream.content({ clusters: { a: "3", b: "2" } });
    stream.content({ clusters: { a: "4", b: "2", c: "1" } });
    stream.content({ clusters: { a: "4", b: "1" } });
    expect(stream.heard()).toEqual([]);
    expect(stream.ackAll()).toEqual([]);
    stream.ack("clusters");
    expect(stream.ackAll()).toEqual([{ type: "clusters", updates: ["a"], removed: [] }]);
  });

  it("a change that was taken back while waiting is sent back", () => {
    const stream = started();
    stream.content({ clusters: { a: "2", b: "1" } });
    stream.heard();
    stream.content({ clusters: { a: "1", b: "1" } });
    stream.ack("clusters");
    expect(stream.heard()).toEqual([{ type: "clusters", updates: ["a"], removed: [] }]);
  });

  it("what was unsubscribed meanwhile is not sent", () => {
    const stream = started();
    stream.ask("endpoints", { subscribe: ["a"] });
    stream.content({ endpoints: { a: "2" } });
    stream.ask("endpoints", { unsubscribe: ["a"] });
    stream.heard();
    stream.ack("endpoints");
    expect(stream.heard()).toEqual([]);
  });
});

describe("11: a slow reader", () => {
  it("is sent nothing while its socket is full, and one merged set afterwards", () => {
    const stream = started();
    stream.give({ kind: "pressure", isFull: true, nowMs: 0 });
    for (let round = 0; round < 100; round++) stream.content({ clusters: { a: String(round), b: "1" } });
    expect(stream.heard()).toEqual([]);
    expect(stream.state().types.get("type.googleapis.com/envoy.config.cluster.v3.Cluster")?.dirty.size).toBe(1);
    stream.give({ kind: "pressure", isFull: false, nowMs: 0 });
    expect(stream.heard()).toEqual([{ type: "clusters", updates: ["a"], removed: [] }]);
  });
});

describe("12: before the sources have synced", () => {
  it("nothing is sent, not even an empty answer", () => {
    const stream = startTranscript();
    for (const kind of resourceKinds) stream.ask(kind, { subscribe: kind === "clusters" ? [] : ["x"] });
    expect(stream.heard()).toEqual([]);
  });
});

describe("15: a NACK that names no resource", () => {
  it("waits for a verdict, and then only the culprit stays behind", () => {
    const stream = started();
    stream.ask("routes", { subscribe: ["r"] });
    stream.ask("virtualHosts");
    stream.ackAll();
    stream.content({ virtualHosts: { "r/x": "2", "r/bad": "1", "r/z": "1" } });
    stream.heard();
    stream.nack("virtualHosts", "one of them is bad");
    expect(stream.heard()).toEqual([]);
    expect(stateOf(stream, "vhds")).toBe("ERROR");
    stream.examined("virtualHosts", ["r/bad"]);
    expect(stream.ackAll()[0]).toEqual({ type: "virtualHosts", updates: ["r/x", "r/z"], removed: [] });
    expect(stream.effects().filter(({ kind }) => kind === "culprit")).toMatchObject([
      { resource: { name: "r/bad" }, reason: "one of them is bad" },
    ]);
  });

  it("without a verdict the response is split until the culprit is found; the others arrive", () => {
    const stream = started();
    stream.ask("routes", { subscribe: ["r"] });
    stream.ask("virtualHosts");
    stream.ackAll();
    stream.content({
      virtualHosts: Object.fromEntries(["1", "2", "3", "bad", "5"].map((name) => [`r/${name}`, name])),
    });
    const accepted: string[] = [];
    let rounds = 0;
    for (
      let [response] = stream.heard();
      response !== undefined && rounds < 20;
      [response] = stream.heard(), rounds++
    ) {
      if (response.updates.includes("r/bad")) {
        stream.nack("virtualHosts", "one of them is bad");
        if (response.updates.length > 1) stream.examined("virtualHosts", []);
      } else {
        accepted.push(...response.updates);
        stream.ack("virtualHosts");
      }
    }
    expect(accepted).toEqual(["r/1", "r/2", "r/3", "r/5"]);
    expect(stream.effects().filter(({ kind }) => kind === "culprit")).toMatchObject([{ resource: { name: "r/bad" } }]);
    expect(stateOf(stream, "vhds")).toBe("ERROR");
  });

  it("a listener or cluster that Envoy names is believed", () => {
    const stream = started();
    stream.content({ clusters: { a: "2", b: "2" } });
    stream.heard();
    stream.nack("clusters", "Error adding/updating cluster(s) b: it is bad");
    expect(stream.effects().filter(({ kind }) => kind === "culprit")).toMatchObject([{ resource: { name: "b" } }]);
    expect(stream.ackAll()).toEqual([{ type: "clusters", updates: ["a"], removed: [] }]);
  });
});

/** A client that does what the protocol says, and remembers the version it holds under each name. */
function playClient(stream: Transcript, held: Map<string, Map<string, string>>, isNacked: () => boolean): void {
  for (let waiting = stream.sends(); waiting.length > 0; waiting = stream.sends()) {
    for (const { typeUrl, updates, removed, nonce } of waiting) {
      if (isNacked()) {
        stream.ask(typeUrl, { nonce, error: "by chance" });
        continue;
      }
      const names = held.get(typeUrl) ?? new Map<string, string>();
      for (const { name, version } of updates) names.set(name, version);
      for (const name of removed) names.delete(name);
      held.set(typeUrl, names);
      stream.ask(typeUrl, { nonce });
    }
  }
}

describe("any history", () => {
  const values = fc.dictionary(fc.constantFrom("a", "b", "c", "d"), fc.constantFrom("1", "2", "eds"), {
    maxKeys: 4,
    noNullPrototype: true,
  });
  const changes = fc.array(fc.record({ clusters: values, listeners: values }), { minLength: 1, maxLength: 8 });

  it("a client that accepts ends with exactly what there is", () => {
    fc.assert(
      fc.property(changes, fc.array(fc.boolean()), (history, pauses) => {
        const stream = startTranscript();
        const held = new Map<string, Map<string, string>>();
        stream.ask("clusters");
        stream.ask("listeners");
        for (const [index, content] of history.entries()) {
          stream.content(content);
          if (pauses[index] === true) playClient(stream, held, () => false);
          stream.give({ kind: "waited", nowMs: 0 });
        }
        playClient(stream, held, () => false);
        stream.give({ kind: "waited", nowMs: 0 });
        playClient(stream, held, () => false);
        for (const kind of ["clusters", "listeners"] as const) {
          const expected = Object.fromEntries(
            Object.keys(history.at(-1)![kind]).map((name) => [name, stream.version(kind, name)]),
          );
          expect(Object.fromEntries(held.get(resourceTypes[kind].typeUrl) ?? [])).toEqual(expected);
        }
      }),
      { numRuns: 300 },
    );
  });

  it("a client that rejects by chance is not talked to for ever", () => {
    fc.assert(
      fc.property(changes, fc.array(fc.boolean(), { maxLength: 30 }), (history, answers) => {
        const stream = startTranscript();
        let turn = 0;
        let messages = 0;
        stream.ask("clusters");
        for (const content of history) {
          stream.content(content);
          playClient(stream, new Map(), () => {
            if (++messages > 10_000) throw new Error("it never ends");
            return answers.length > 0 && answers[turn++ % answers.length] === true;
          });
        }
        expect(messages).toBeLessThan(history.length * 60);
      }),
      { numRuns: 200 },
    );
  });
});

import { describe, expect, it } from "vitest";
import { createResourceEncoder, type EncodedResource } from "../../snapshot/encode.ts";
import { emptyResources } from "../../translate/emit/resources.ts";
import { type Quarantine, createQuarantine } from "./quarantine.ts";
import type { ContentMaps } from "../state-machine/stream-events.ts";
import type { ProxyRejection } from "./blame.ts";

const encoder = createResourceEncoder();

function published(value: string): ContentMaps {
  const resources = emptyResources();
  resources.clusters.set("a", { name: "a", altStatName: value });
  resources.clusters.set("b", { name: "b" });
  return { ...encoder.encodeResources("c", resources).maps, secrets: new Map() };
}

const cluster = (maps: ContentMaps): EncodedResource => maps.clusters.get("a")!;
const [good, bad, better] = [published("good"), published("bad"), published("better")];
const inClass = (classKey: string, pod = "p") => ({ classKey, pod });
const refusal = (change: Partial<ProxyRejection> = {}): ProxyRejection => ({
  classKey: "c",
  pod: "p",
  reason: "no",
  atMs: 7,
  isBelieved: true,
  isHeldByAnother: false,
  ...change,
});

const clock = { atMs: 0, monotonicMs: () => clock.atMs };
const MINUTE_MS = 60_000;

/** A quarantine in which class c had `good`, and a proxy of it rejected `bad`. */
function afterRefusal(change: Partial<ProxyRejection> = {}): Quarantine {
  const quarantine = createQuarantine(clock);
  quarantine.noteSettled("c", "clusters", good.clusters);
  quarantine.noteRejected(cluster(bad), refusal(change));
  return quarantine;
}

describe("a content that cannot be loaded", () => {
  it("is replaced by the last accepted one, for new proxies too, until the content changes", () => {
    const quarantine = afterRefusal();
    expect(quarantine.noteJudged(cluster(bad).version, false)).toEqual({ before: "examined", after: "content" });
    expect(cluster(quarantine.servedOf(inClass("c", "new"), bad))).toBe(cluster(good));
    expect(quarantine.servedOf(inClass("c"), bad).clusters.get("b")).toBe(bad.clusters.get("b"));
    expect(quarantine.withheldFrom(inClass("c"), bad)).toMatchObject([
      { resource: { name: "a" }, reason: "no", atMs: 7, blame: "content" },
    ]);
    expect(quarantine.servedOf(inClass("c"), better)).toEqual(better);
    expect(quarantine.withheldFrom(inClass("c"), better)).toEqual([]);
    expect(cluster(quarantine.servedOf(inClass("c"), bad))).toBe(cluster(good));
  });

  it("is kept from proxies of other classes too, which get what the first ones had", () => {
    const quarantine = afterRefusal();
    expect(cluster(quarantine.servedOf(inClass("d", "q"), bad))).toBe(cluster(good));
    quarantine.noteSettled("e", "clusters", better.clusters);
    expect(cluster(quarantine.servedOf(inClass("e", "r"), bad))).toBe(cluster(better));
  });

  it("is the same map for classes with the same map", () => {
    const quarantine = afterRefusal();
    expect(quarantine.servedOf(inClass("d", "q"), bad).clusters).toBe(quarantine.servedOf(inClass("c"), bad).clusters);
    expect(quarantine.servedOf(inClass("d", "q"), bad).listeners).toBe(bad.listeners);
  });

  it("without a last good content is served: a new proxy may fare better", () => {
    const quarantine = createQuarantine(clock);
    quarantine.noteRejected(cluster(bad), refusal());
    expect(quarantine.servedOf(inClass("c"), bad)).toBe(bad);
  });

  it("is not what was good, also when its proxy settled beside it", () => {
    const quarantine = afterRefusal();
    quarantine.noteSettled("c", "clusters", bad.clusters);
    expect(cluster(quarantine.servedOf(inClass("c"), bad))).toBe(cluster(good));
  });

  it("is never a secret, which belongs to one identity: there is nobody to keep it from", () => {
    const secret = encoder.encodeResource("secrets", "default", { name: "default" });
    const quarantine = createQuarantine(clock);
    const maps = { ...bad, secrets: new Map([["default", secret]]) };
    expect(quarantine.servedOf(inClass("c"), maps)).toBe(maps);
  });
});

describe("what a class had", () => {
  /** Lets so many minutes pass in which proxies of these classes are there. */
  const pass = (quarantine: Quarantine, minutes: number, here: readonly string[]): void => {
    for (let minute = 0; minute < minutes; minute++) {
      clock.atMs += MINUTE_MS;
      quarantine.noteClosed(() => new Set(here));
    }
  };
  const hasGood = (quarantine: Quarantine): boolean => quarantine.goodInsteadOf("c", cluster(better)) !== undefined;

  it("is there when it comes back within ten minutes, else forgotten: pods that are gone for ever cost nothing", () => {
    const quarantine = createQuarantine(clock);
    quarantine.noteSettled("c", "clusters", good.clusters);
    pass(quarantine, 30, ["c"]);
    pass(quarantine, 8, []);
    expect(hasGood(quarantine)).toBe(true);
    pass(quarantine, 1, ["c"]);
    pass(quarantine, 9, []);
    expect(hasGood(quarantine)).toBe(true);
    pass(quarantine, 3, []);
    expect(hasGood(quarantine)).toBe(false);
  });

  it("stays while others get it in the place of a content that cannot be loaded", () => {
    const quarantine = afterRefusal();
    quarantine.noteJudged(cluster(bad).version, false);
    pass(quarantine, 30, []);
    expect(cluster(quarantine.servedOf(inClass("d", "q"), bad))).toBe(cluster(good));
  });
});

describe("a content that is rejected again", () => {
  it("is replaced by what was accepted last, in the classes of others too, and has the last reason and time", () => {
    const quarantine = afterRefusal();
    quarantine.noteJudged(cluster(bad).version, false);
    quarantine.noteSettled("c", "clusters", better.clusters);
    expect(cluster(quarantine.servedOf(inClass("d", "q"), bad))).toBe(cluster(better));
    quarantine.noteRejected(cluster(bad), refusal({ reason: "still no", atMs: 9 }));
    expect(cluster(quarantine.servedOf(inClass("c"), bad))).toBe(cluster(better));
    expect(cluster(quarantine.servedOf(inClass("d", "q"), bad))).toBe(cluster(better));
    expect(quarantine.withheldFrom(inClass("c"), bad)).toMatchObject([{ reason: "still no", atMs: 9 }]);
  });

  it("is replaced by the last good one also after its proxy settled beside it twice", () => {
    const quarantine = afterRefusal();
    quarantine.noteSettled("c", "clusters", bad.clusters);
    quarantine.noteSettled("c", "clusters", better.clusters);
    quarantine.noteRejected(cluster(bad), refusal());
    quarantine.noteSettled("c", "clusters", bad.clusters);
    expect(cluster(quarantine.servedOf(inClass("c"), bad))).toBe(cluster(better));
  });

  it("in another class has that class's last good one, where a third class has none", () => {
    const quarantine = afterRefusal();
    quarantine.noteSettled("e", "clusters", better.clusters);
    quarantine.noteRejected(cluster(bad), refusal({ ...inClass("e", "r") }));
    expect(cluster(quarantine.servedOf(inClass("d", "q"), bad))).toBe(cluster(better));
    expect(cluster(quarantine.servedOf(inClass("c"), bad))).toBe(cluster(good));
  });
});

describe("one proxy's word", () => {
  const blameFor = (quarantine: Quarantine, pod: string) =>
    quarantine.withheldFrom(inClass("c", pod), bad).map(({ blame }) => blame);

  it("holds others back while it is examined, and no longer when nobody could tell", () => {
    const quarantine = afterRefusal();
    expect(blameFor(quarantine, "q")).toEqual(["examined"]);
    expect(quarantine.noteJudged(cluster(bad).version, undefined)).toEqual({
      before: "examined",
      after: "unconfirmed",
    });
    expect(quarantine.servedOf(inClass("c", "q"), bad)).toBe(bad);
    expect(cluster(quarantine.servedOf(inClass("c", "p"), bad))).toBe(cluster(good));
    expect([blameFor(quarantine, "p"), blameFor(quarantine, "q")]).toEqual([["unconfirmed"], []]);
    // The judgement that comes late counts.
    expect(quarantine.noteJudged(cluster(bad).version, false)).toEqual({ before: "unconfirmed", after: "content" });
    expect(blameFor(quarantine, "q")).toEqual(["content"]);
  });

  it("is its own affair where the content loads elsewhere; it is not offered the content again", () => {
    const quarantine = afterRefusal();
    expect(quarantine.noteJudged(cluster(bad).version, true)).toEqual({ before: "examined", after: "proxy" });
    expect(quarantine.servedOf(inClass("c", "q"), bad)).toBe(bad);
    expect(cluster(quarantine.servedOf(inClass("c", "p"), bad))).toBe(cluster(good));
    expect(quarantine.noteRejected(cluster(bad), refusal())).toEqual({ before: "proxy", after: "proxy" });
  });

  it("said again and again holds nobody back again", () => {
    const quarantine = afterRefusal();
    quarantine.noteJudged(cluster(bad).version, undefined);
    for (let round = 0; round < 3; round++)
      expect(quarantine.noteRejected(cluster(bad), refusal()).after).toBe("unconfirmed");
  });

  it("repeated by a second proxy holds the content back where nobody could tell, until a third has taken it", () => {
    const quarantine = afterRefusal();
    quarantine.noteJudged(cluster(bad).version, undefined);
    expect(quarantine.noteRejected(cluster(bad), refusal({ pod: "q" }))).toEqual({
      before: "unconfirmed",
      after: "repeated",
    });
    expect(cluster(quarantine.servedOf(inClass("c", "r"), bad))).toBe(cluster(good));
    expect(quarantine.noteAccepted([cluster(bad)])).toBe(true);
    expect(quarantine.servedOf(inClass("c", "r"), bad)).toBe(bad);
    expect(cluster(quarantine.servedOf(inClass("c", "q"), bad))).toBe(cluster(good));
  });

  it.each(["before", "after"])(
    "repeated %s it was found to load elsewhere is each one's own affair: two in bad faith hold nobody back",
    (when) => {
      const quarantine = afterRefusal();
      const judge = (): unknown => quarantine.noteJudged(cluster(bad).version, true);
      if (when === "after") judge();
      quarantine.noteRejected(cluster(bad), refusal({ pod: "q" }));
      if (when === "before") judge();
      expect(quarantine.servedOf(inClass("c", "r"), bad)).toBe(bad);
      for (const pod of ["p", "q"]) expect(cluster(quarantine.servedOf(inClass("c", pod), bad))).toBe(cluster(good));
    },
  );

  it("counts for nothing against a content that another holds", () => {
    const quarantine = afterRefusal({ isHeldByAnother: true });
    expect(quarantine.servedOf(inClass("c", "q"), bad)).toBe(bad);
    quarantine.noteSettled("c", "clusters", bad.clusters);
    expect(blameFor(quarantine, "p")).toEqual(["proxy"]);
  });

  it("without a proof is heard for nobody else, and takes away no other's", () => {
    const quarantine = afterRefusal({ isBelieved: false, pod: "said/p" });
    expect(quarantine.servedOf(inClass("c", "q"), bad)).toBe(bad);
    expect(quarantine.noteRejected(cluster(bad), refusal({ pod: "q", reason: "q's" })).after).toBe("examined");
    expect(
      quarantine.noteRejected(cluster(bad), refusal({ pod: "said/r", isBelieved: false, reason: "r's" })).after,
    ).toBe("examined");
    expect(quarantine.withheldFrom(inClass("c", "q"), bad)).toMatchObject([{ reason: "q's" }]);
  });

  it("about a thousand contents does not push out what is bad for all", () => {
    const quarantine = afterRefusal();
    quarantine.noteJudged(cluster(bad).version, false);
    for (let index = 0; index < 1_500; index++)
      quarantine.noteRejected(cluster(published(`fine ${index}`)), refusal({ isHeldByAnother: true }));
    expect(cluster(quarantine.servedOf(inClass("c", "q"), bad))).toBe(cluster(good));
  });
});

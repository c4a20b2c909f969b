import { describe, expect, it } from "vitest";
import { createResourceEncoder, type EncodedResource } from "../snapshot/encode.ts";
import { emptyResources } from "../translate/emit/resources.ts";
import { type AcceptanceBook, createAcceptanceBook } from "./acceptance.ts";
import type { ContentMaps } from "./stream-events.ts";
import type { Refusal } from "./suspicions.ts";

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
const refusal = (change: Partial<Refusal> = {}): Refusal => ({
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

/** A book in which class c had `good`, and a proxy of it rejected `bad`. */
function afterRefusal(change: Partial<Refusal> = {}): AcceptanceBook {
  const book = createAcceptanceBook(clock);
  book.noteSettled("c", "clusters", good.clusters);
  book.noteRefused(cluster(bad), refusal(change));
  return book;
}

describe("a content that cannot be loaded", () => {
  it("is replaced by the last accepted one, for new proxies too, until the content changes", () => {
    const book = afterRefusal();
    expect(book.noteJudged(cluster(bad).version, false)).toEqual({ before: "examined", after: "content" });
    expect(cluster(book.servedOf(inClass("c", "new"), bad))).toBe(cluster(good));
    expect(book.servedOf(inClass("c"), bad).clusters.get("b")).toBe(bad.clusters.get("b"));
    expect(book.withheldFrom(inClass("c"), bad)).toMatchObject([
      { resource: { name: "a" }, reason: "no", atMs: 7, blame: "content" },
    ]);
    expect(book.servedOf(inClass("c"), better)).toEqual(better);
    expect(book.withheldFrom(inClass("c"), better)).toEqual([]);
    expect(cluster(book.servedOf(inClass("c"), bad))).toBe(cluster(good));
  });

  it("is kept from proxies of other classes too, which get what the first ones had", () => {
    const book = afterRefusal();
    expect(cluster(book.servedOf(inClass("d", "q"), bad))).toBe(cluster(good));
    book.noteSettled("e", "clusters", better.clusters);
    expect(cluster(book.servedOf(inClass("e", "r"), bad))).toBe(cluster(better));
  });

  it("is the same map for classes with the same map", () => {
    const book = afterRefusal();
    expect(book.servedOf(inClass("d", "q"), bad).clusters).toBe(book.servedOf(inClass("c"), bad).clusters);
    expect(book.servedOf(inClass("d", "q"), bad).listeners).toBe(bad.listeners);
  });

  it("without a last good content is served: a new proxy may fare better", () => {
    const book = createAcceptanceBook(clock);
    book.noteRefused(cluster(bad), refusal());
    expect(book.servedOf(inClass("c"), bad)).toBe(bad);
  });

  it("is not what was good, also when its proxy settled beside it", () => {
    const book = afterRefusal();
    book.noteSettled("c", "clusters", bad.clusters);
    expect(cluster(book.servedOf(inClass("c"), bad))).toBe(cluster(good));
  });

  it("is never a secret, which belongs to one identity: there is nobody to keep it from", () => {
    const secret = encoder.encodeResource("secrets", "default", { name: "default" });
    const book = createAcceptanceBook(clock);
    const maps = { ...bad, secrets: new Map([["default", secret]]) };
    expect(book.servedOf(inClass("c"), maps)).toBe(maps);
  });
});

describe("what a class had", () => {
  /** Lets so many minutes pass in which proxies of these classes are there. */
  const pass = (book: AcceptanceBook, minutes: number, here: readonly string[]): void => {
    for (let minute = 0; minute < minutes; minute++) {
      clock.atMs += MINUTE_MS;
      book.noteClosed(() => new Set(here));
    }
  };
  const hasGood = (book: AcceptanceBook): boolean => book.goodInsteadOf("c", cluster(better)) !== undefined;

  it("is there when it comes back within ten minutes, and forgotten when it does not: pods that are gone for ever cost nothing", () => {
    const book = createAcceptanceBook(clock);
    book.noteSettled("c", "clusters", good.clusters);
    pass(book, 30, ["c"]);
    pass(book, 8, []);
    expect(hasGood(book)).toBe(true);
    pass(book, 1, ["c"]);
    pass(book, 9, []);
    expect(hasGood(book)).toBe(true);
    pass(book, 3, []);
    expect(hasGood(book)).toBe(false);
  });

  it("stays while others get it in the place of a content that cannot be loaded", () => {
    const book = afterRefusal();
    book.noteJudged(cluster(bad).version, false);
    pass(book, 30, []);
    expect(cluster(book.servedOf(inClass("d", "q"), bad))).toBe(cluster(good));
  });
});

describe("a content that is rejected again", () => {
  it("is replaced by what was accepted last, in the classes of others too, and has the last reason and time", () => {
    const book = afterRefusal();
    book.noteJudged(cluster(bad).version, false);
    book.noteSettled("c", "clusters", better.clusters);
    expect(cluster(book.servedOf(inClass("d", "q"), bad))).toBe(cluster(better));
    book.noteRefused(cluster(bad), refusal({ reason: "still no", atMs: 9 }));
    expect(cluster(book.servedOf(inClass("c"), bad))).toBe(cluster(better));
    expect(cluster(book.servedOf(inClass("d", "q"), bad))).toBe(cluster(better));
    expect(book.withheldFrom(inClass("c"), bad)).toMatchObject([{ reason: "still no", atMs: 9 }]);
  });

  it("is replaced by the last good one also after its proxy settled beside it twice", () => {
    const book = afterRefusal();
    book.noteSettled("c", "clusters", bad.clusters);
    book.noteSettled("c", "clusters", better.clusters);
    book.noteRefused(cluster(bad), refusal());
    book.noteSettled("c", "clusters", bad.clusters);
    expect(cluster(book.servedOf(inClass("c"), bad))).toBe(cluster(better));
  });

  it("in another class has that class's last good one, where a third class has none", () => {
    const book = afterRefusal();
    book.noteSettled("e", "clusters", better.clusters);
    book.noteRefused(cluster(bad), refusal({ ...inClass("e", "r") }));
    expect(cluster(book.servedOf(inClass("d", "q"), bad))).toBe(cluster(better));
    expect(cluster(book.servedOf(inClass("c"), bad))).toBe(cluster(good));
  });
});

describe("one proxy's word", () => {
  const blameFor = (book: AcceptanceBook, pod: string) =>
    book.withheldFrom(inClass("c", pod), bad).map(({ blame }) => blame);

  it("holds others back while it is examined, and no longer when nobody could tell", () => {
    const book = afterRefusal();
    expect(blameFor(book, "q")).toEqual(["examined"]);
    expect(book.noteJudged(cluster(bad).version, undefined)).toEqual({ before: "examined", after: "unconfirmed" });
    expect(book.servedOf(inClass("c", "q"), bad)).toBe(bad);
    expect(cluster(book.servedOf(inClass("c", "p"), bad))).toBe(cluster(good));
    expect([blameFor(book, "p"), blameFor(book, "q")]).toEqual([["unconfirmed"], []]);
    // The judgement that comes late counts.
    expect(book.noteJudged(cluster(bad).version, false)).toEqual({ before: "unconfirmed", after: "content" });
    expect(blameFor(book, "q")).toEqual(["content"]);
  });

  it("is its own affair where the content loads elsewhere; it is not offered the content again", () => {
    const book = afterRefusal();
    expect(book.noteJudged(cluster(bad).version, true)).toEqual({ before: "examined", after: "proxy" });
    expect(book.servedOf(inClass("c", "q"), bad)).toBe(bad);
    expect(cluster(book.servedOf(inClass("c", "p"), bad))).toBe(cluster(good));
    expect(book.noteRefused(cluster(bad), refusal())).toEqual({ before: "proxy", after: "proxy" });
  });

  it("said again and again holds nobody back again", () => {
    const book = afterRefusal();
    book.noteJudged(cluster(bad).version, undefined);
    for (let round = 0; round < 3; round++) expect(book.noteRefused(cluster(bad), refusal()).after).toBe("unconfirmed");
  });

  it("repeated by a second proxy holds the content back where nobody could tell, until a third has taken it", () => {
    const book = afterRefusal();
    book.noteJudged(cluster(bad).version, undefined);
    expect(book.noteRefused(cluster(bad), refusal({ pod: "q" }))).toEqual({ before: "unconfirmed", after: "repeated" });
    expect(cluster(book.servedOf(inClass("c", "r"), bad))).toBe(cluster(good));
    expect(book.noteAccepted([cluster(bad)])).toBe(true);
    expect(book.servedOf(inClass("c", "r"), bad)).toBe(bad);
    expect(cluster(book.servedOf(inClass("c", "q"), bad))).toBe(cluster(good));
  });

  it.each(["before", "after"])(
    "repeated %s it was found to load elsewhere is each one's own affair: two in bad faith hold nobody back",
    (when) => {
      const book = afterRefusal();
      const judge = (): unknown => book.noteJudged(cluster(bad).version, true);
      if (when === "after") judge();
      book.noteRefused(cluster(bad), refusal({ pod: "q" }));
      if (when === "before") judge();
      expect(book.servedOf(inClass("c", "r"), bad)).toBe(bad);
      for (const pod of ["p", "q"]) expect(cluster(book.servedOf(inClass("c", pod), bad))).toBe(cluster(good));
    },
  );

  it("counts for nothing against a content that another holds", () => {
    const book = afterRefusal({ isHeldByAnother: true });
    expect(book.servedOf(inClass("c", "q"), bad)).toBe(bad);
    book.noteSettled("c", "clusters", bad.clusters);
    expect(blameFor(book, "p")).toEqual(["proxy"]);
  });

  it("without a proof is heard for nobody else, and takes away no other's", () => {
    const book = afterRefusal({ isBelieved: false, pod: "said/p" });
    expect(book.servedOf(inClass("c", "q"), bad)).toBe(bad);
    expect(book.noteRefused(cluster(bad), refusal({ pod: "q", reason: "q's" })).after).toBe("examined");
    expect(book.noteRefused(cluster(bad), refusal({ pod: "said/r", isBelieved: false, reason: "r's" })).after).toBe(
      "examined",
    );
    expect(book.withheldFrom(inClass("c", "q"), bad)).toMatchObject([{ reason: "q's" }]);
  });

  it("about a thousand contents does not push out what is bad for all", () => {
    const book = afterRefusal();
    book.noteJudged(cluster(bad).version, false);
    for (let index = 0; index < 1_500; index++)
      book.noteRefused(cluster(published(`fine ${index}`)), refusal({ isHeldByAnother: true }));
    expect(cluster(book.servedOf(inClass("c", "q"), bad))).toBe(cluster(good));
  });
});

import { describe, expect, it } from "vitest";
import { createResourceEncoder, type EncodedResource } from "../snapshot/encode.ts";
import { emptyResources } from "../translate/emit/resources.ts";
import { createAcceptanceBook } from "./acceptance.ts";
import type { ContentMaps } from "./stream-events.ts";

const encoder = createResourceEncoder();

function published(value: string): ContentMaps {
  const resources = emptyResources();
  resources.clusters.set("a", { name: "a", altStatName: value });
  resources.clusters.set("b", { name: "b" });
  return { ...encoder.encodeResources("c", resources).maps, secrets: new Map() };
}

const cluster = (maps: ContentMaps): EncodedResource => maps.clusters.get("a")!;
const [good, bad, better] = [published("good"), published("bad"), published("better")];

describe("quarantine", () => {
  it("serves the last accepted content instead, to new proxies too, until the content changes", () => {
    const book = createAcceptanceBook();
    book.noteSettled("c", "clusters", good.clusters);
    expect(book.noteRefused("c", cluster(bad), "no", 7)).toBe(true);
    expect(cluster(book.servedOf("c", bad))).toBe(cluster(good));
    expect(book.servedOf("c", bad).clusters.get("b")).toBe(bad.clusters.get("b"));
    expect(book.withheldIn(bad)).toMatchObject([{ resource: { name: "a" }, reason: "no", atMs: 7 }]);
    expect(book.servedOf("c", better)).toEqual(better);
    expect(book.withheldIn(better)).toEqual([]);
    expect(cluster(book.servedOf("c", bad))).toBe(cluster(good));
  });

  it("keeps a content from proxies of other classes too, which get what the first ones had", () => {
    const book = createAcceptanceBook();
    book.noteSettled("c", "clusters", good.clusters);
    book.noteRefused("c", cluster(bad), "no", 0);
    expect(cluster(book.servedOf("d", bad))).toBe(cluster(good));
    book.noteSettled("e", "clusters", better.clusters);
    expect(cluster(book.servedOf("e", bad))).toBe(cluster(better));
  });

  it("gives classes with the same map the same map", () => {
    const book = createAcceptanceBook();
    book.noteSettled("c", "clusters", good.clusters);
    book.noteRefused("c", cluster(bad), "no", 0);
    expect(book.servedOf("d", bad).clusters).toBe(book.servedOf("c", bad).clusters);
    expect(book.servedOf("d", bad).listeners).toBe(bad.listeners);
  });

  it("ends when another proxy accepts the content after all", () => {
    const book = createAcceptanceBook();
    book.noteSettled("c", "clusters", good.clusters);
    book.noteRefused("c", cluster(bad), "address in use", 0);
    expect(book.noteAccepted([cluster(bad)])).toBe(true);
    expect(book.servedOf("c", bad)).toBe(bad);
  });

  it("without a last good content serves what was published: a new proxy may fare better", () => {
    const book = createAcceptanceBook();
    expect(book.noteRefused("c", cluster(bad), "no", 0)).toBe(false);
    expect(book.servedOf("c", bad)).toBe(bad);
  });

  it("remembers what was good before, also when its proxy settled beside the bad content", () => {
    const book = createAcceptanceBook();
    book.noteSettled("c", "clusters", good.clusters);
    book.noteRefused("c", cluster(bad), "no", 0);
    book.noteSettled("c", "clusters", bad.clusters);
    expect(cluster(book.servedOf("c", bad))).toBe(cluster(good));
  });

  it("never holds back secrets, which belong to one identity", () => {
    const secret = encoder.encodeResource("secrets", "default", { name: "default" });
    expect(createAcceptanceBook().noteRefused("c", secret, "no", 0)).toBe(false);
  });
});

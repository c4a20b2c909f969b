import { describe, expect, it } from "vitest";
import { createResourceEncoder, type EncodedResource } from "../../snapshot/encode.ts";
import { emptyResources } from "../../translate/emit/resources.ts";
import type { ContentMaps } from "../state-machine/stream-events.ts";
import { createCanaries, PLUGIN_RISK, type Risk } from "./canary.ts";

const encoder = createResourceEncoder();

function published(plugin: string, cluster = "1"): ContentMaps {
  const resources = emptyResources();
  resources.clusters.set("a", { name: "a", altStatName: cluster });
  resources.extensionConfigs.set("p", { name: "p", typedConfig: { typeUrl: plugin, value: new Uint8Array() } });
  return { ...encoder.encodeResources("c", resources).maps, secrets: new Map() };
}

const plugin = (maps: ContentMaps): EncodedResource => maps.extensionConfigs.get("p")!;

function setUp(risk: Risk = PLUGIN_RISK) {
  const proceeded: string[][] = [];
  const timers: (() => void)[] = [];
  const canaries = createCanaries<string>({
    risk,
    patienceMs: 100,
    proceed: (clients) => void proceeded.push([...clients]),
    setTimer(callback) {
      timers.push(callback);
      return () => void timers.splice(timers.indexOf(callback), 1);
    },
  });
  return { canaries, proceeded, timers };
}

const hasOther = () => true;

describe("a canary", () => {
  it("gives a new plugin to one proxy, and to the others once that has accepted it", () => {
    const { canaries, proceeded, timers } = setUp();
    const now = published("new");
    expect(canaries.heldFrom("first", now, hasOther)).toEqual([]);
    expect(canaries.heldFrom("second", now, hasOther)).toEqual([plugin(now)]);
    expect(canaries.heldFrom("third", now, hasOther)).toEqual([plugin(now)]);
    expect(canaries.heldFrom("first", now, hasOther)).toEqual([]);
    canaries.accepted([plugin(now)]);
    expect(proceeded).toEqual([["second", "third"]]);
    expect(canaries.heldFrom("second", now, hasOther)).toEqual([]);
    expect(timers).toEqual([]);
  });

  it("does not wait longer than its patience", () => {
    const { canaries, proceeded, timers } = setUp();
    const now = published("new");
    canaries.heldFrom("first", now, hasOther);
    canaries.heldFrom("second", now, hasOther);
    timers[0]!();
    expect(proceeded).toEqual([["second"]]);
    expect(canaries.heldFrom("second", now, hasOther)).toEqual([]);
  });

  it("passes to the next proxy when the first one leaves", () => {
    const { canaries, proceeded } = setUp();
    const now = published("new");
    canaries.heldFrom("first", now, hasOther);
    canaries.heldFrom("second", now, hasOther);
    canaries.heldFrom("third", now, hasOther);
    canaries.forget("first");
    expect(proceeded).toEqual([["second", "third"]]);
    expect(canaries.heldFrom("second", now, hasOther)).toEqual([]);
    expect(canaries.heldFrom("third", now, hasOther)).toEqual([plugin(now)]);
  });

  it("ends with a rejection: from then on the content is quarantine's matter", () => {
    const { canaries, proceeded } = setUp();
    const now = published("new");
    canaries.heldFrom("first", now, hasOther);
    canaries.heldFrom("second", now, hasOther);
    canaries.rejected(plugin(now));
    expect(proceeded).toEqual([["second"]]);
  });

  it("holds up nobody who has nothing yet, and no content that cannot break a proxy", () => {
    const { canaries } = setUp();
    canaries.heldFrom("first", published("new"), hasOther);
    expect(canaries.heldFrom("starting", published("new"), () => false)).toEqual([]);
    canaries.accepted([plugin(published("new"))]);
    expect(canaries.heldFrom("second", published("new", "2"), hasOther)).toEqual([]);
  });

  it("is for whatever a resource is flagged for", () => {
    const { canaries } = setUp({ kinds: ["clusters"], isRisky: ({ name }) => name === "a", holdsWholeChange: false });
    const now = published("x", "risky");
    canaries.heldFrom("first", now, hasOther);
    expect(canaries.heldFrom("second", now, hasOther)).toEqual([now.clusters.get("a")]);
  });
});

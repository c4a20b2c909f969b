import { describe, expect, it } from "vitest";
import { createResourceEncoder, type EncodedResource } from "../snapshot/encode.ts";
import { emptyResources } from "../translate/emit/resources.ts";
import type { ContentMaps } from "./stream-events.ts";
import { createTrials, PLUGIN_RISK, type Risk } from "./trials.ts";

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
  const trials = createTrials<string>({
    risk,
    patienceMs: 100,
    proceed: (clients) => void proceeded.push([...clients]),
    setTimer(callback) {
      timers.push(callback);
      return () => void timers.splice(timers.indexOf(callback), 1);
    },
  });
  return { trials, proceeded, timers };
}

const hasOther = () => true;

describe("a trial", () => {
  it("gives a new plugin to one proxy, and to the others once that has accepted it", () => {
    const { trials, proceeded, timers } = setUp();
    const now = published("new");
    expect(trials.heldFrom("first", now, hasOther)).toEqual([]);
    expect(trials.heldFrom("second", now, hasOther)).toEqual([plugin(now)]);
    expect(trials.heldFrom("third", now, hasOther)).toEqual([plugin(now)]);
    expect(trials.heldFrom("first", now, hasOther)).toEqual([]);
    trials.accepted([plugin(now)]);
    expect(proceeded).toEqual([["second", "third"]]);
    expect(trials.heldFrom("second", now, hasOther)).toEqual([]);
    expect(timers).toEqual([]);
  });

  it("does not wait longer than its patience", () => {
    const { trials, proceeded, timers } = setUp();
    const now = published("new");
    trials.heldFrom("first", now, hasOther);
    trials.heldFrom("second", now, hasOther);
    timers[0]!();
    expect(proceeded).toEqual([["second"]]);
    expect(trials.heldFrom("second", now, hasOther)).toEqual([]);
  });

  it("passes to the next proxy when the first one leaves", () => {
    const { trials, proceeded } = setUp();
    const now = published("new");
    trials.heldFrom("first", now, hasOther);
    trials.heldFrom("second", now, hasOther);
    trials.heldFrom("third", now, hasOther);
    trials.forget("first");
    expect(proceeded).toEqual([["second", "third"]]);
    expect(trials.heldFrom("second", now, hasOther)).toEqual([]);
    expect(trials.heldFrom("third", now, hasOther)).toEqual([plugin(now)]);
  });

  it("ends with a rejection: from then on the content is quarantine's matter", () => {
    const { trials, proceeded } = setUp();
    const now = published("new");
    trials.heldFrom("first", now, hasOther);
    trials.heldFrom("second", now, hasOther);
    trials.refused(plugin(now));
    expect(proceeded).toEqual([["second"]]);
  });

  it("holds up nobody who has nothing yet, and no content that cannot break a proxy", () => {
    const { trials } = setUp();
    trials.heldFrom("first", published("new"), hasOther);
    expect(trials.heldFrom("starting", published("new"), () => false)).toEqual([]);
    trials.accepted([plugin(published("new"))]);
    expect(trials.heldFrom("second", published("new", "2"), hasOther)).toEqual([]);
  });

  it("is for whatever a resource is flagged for", () => {
    const { trials } = setUp({ kinds: ["clusters"], isRisky: ({ name }) => name === "a" });
    const now = published("x", "risky");
    trials.heldFrom("first", now, hasOther);
    expect(trials.heldFrom("second", now, hasOther)).toEqual([now.clusters.get("a")]);
  });
});

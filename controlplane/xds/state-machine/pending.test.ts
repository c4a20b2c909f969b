import { describe, expect, it } from "vitest";
import { startTranscript } from "./testing-transcript.ts";

describe("a filter that left its chain", () => {
  it("is not removed under the connections that the old chain still has, and is sent again when it comes back", () => {
    const stream = startTranscript();
    stream.content({ listeners: { l: "with x" }, extensionConfigs: { x: "1", y: "1" } });
    stream.ask("listeners", { subscribe: ["*"] });
    stream.ask("extensionConfigs", { subscribe: ["x", "y"] });
    stream.ackAll();
    stream.content({ listeners: { l: "without x" }, extensionConfigs: { y: "1" } });
    expect(stream.ackAll()).toEqual([{ type: "listeners", updates: ["l"], removed: [] }]);
    stream.content({ listeners: { l: "with x" }, extensionConfigs: { x: "1", y: "1" } });
    expect(stream.ackAll()).toEqual([
      { type: "listeners", updates: ["l"], removed: [] },
      { type: "extensionConfigs", updates: ["x"], removed: [] },
    ]);
  });

  it("is said to be absent to a client that asks for it anew", () => {
    const stream = startTranscript();
    stream.content({ extensionConfigs: { y: "1" } });
    stream.ask("extensionConfigs", { subscribe: ["x"] });
    expect(stream.ackAll()).toEqual([{ type: "extensionConfigs", updates: [], removed: ["x"] }]);
  });
});

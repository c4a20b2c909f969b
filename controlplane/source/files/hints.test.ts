import { describe, expect, it } from "vitest";
import { createHints } from "./hints.ts";

describe("hints", () => {
  it("remember that a file was written to, also when it was put there before or after", () => {
    const hints = createHints();
    hints.note("/m/a.yaml", "put");
    hints.note("/m/b.yaml", "put");
    hints.note("/m/b.yaml", "written");
    hints.note("/m/c.yaml", "written");
    hints.note("/m/c.yaml", "put");
    expect([...hints.take().documents]).toEqual([
      ["/m/a.yaml", "put"],
      ["/m/b.yaml", "written"],
      ["/m/c.yaml", "written"],
    ]);
    expect(hints.isEmpty()).toBe(true);
  });

  it("tell a write that comes while a file is read from those before", () => {
    const hints = createHints();
    hints.note("/m/a.yaml", "put");
    hints.take();
    expect(hints.wasWritten("/m/a.yaml")).toBe(false);
    hints.note("/m/a.yaml", "written");
    expect(hints.wasWritten("/m/a.yaml")).toBe(true);
  });

  it("keep names that are no documents apart, and that anything may have changed", () => {
    const hints = createHints();
    hints.note("/m/..data", "put");
    hints.note("/m/a.yaml.new", "written");
    hints.note(undefined, "written");
    const { documents, others, anything } = hints.take();
    expect([[...documents.keys()], [...others], anything]).toEqual([[], ["/m/..data", "/m/a.yaml.new"], true]);
    expect(hints.take().anything).toBe(false);
  });
});

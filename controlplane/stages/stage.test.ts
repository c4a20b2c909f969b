import { describe, expect, it } from "vitest";
import { createCell } from "./cell.ts";
import { runStages, type Stage } from "./stage.ts";

/** A stage that notes what is asked of it; `failing` rejects. */
function noting(heard: string[], name: string, failing?: "open" | "start" | "stop"): Stage {
  const note = async (what: "open" | "start" | "stop"): Promise<void> => {
    await Promise.resolve();
    heard.push(`${what} ${name}`);
    if (what === failing) throw new Error(`${name} cannot ${what}`);
  };
  return { name, open: () => note("open"), start: () => note("start"), stop: () => note("stop") };
}

describe("stages", () => {
  it("are all opened before the first starts, start in order and end from the last", async () => {
    const heard: string[] = [];
    const stages = runStages(["store", "xds"].map((name) => noting(heard, name)));
    await stages.start();
    await stages.stop();
    expect(heard).toEqual(["open store", "open xds", "start store", "start xds", "stop xds", "stop store"]);
  });

  it("need not have all three", async () => {
    const stages = runStages([{ name: "nothing" }]);
    await stages.start();
    await stages.stop();
  });

  it("leave nothing running behind one that cannot start, and say its reason", async () => {
    const heard: string[] = [];
    const stages = runStages([noting(heard, "a"), noting(heard, "b", "start"), noting(heard, "c")]);
    await expect(stages.start()).rejects.toThrow("b cannot start");
    expect(heard).not.toContain("start c");
    expect(heard).toContain("stop a");
  });

  it("start nothing where something of the machine is taken", async () => {
    const heard: string[] = [];
    const stages = runStages([noting(heard, "a"), noting(heard, "b", "open")]);
    await expect(stages.start()).rejects.toThrow("b cannot open");
    expect(heard).not.toContain("start a");
  });

  it("are all asked to end although one cannot, and its fault is told", async () => {
    const heard: string[] = [];
    const stages = runStages([noting(heard, "a"), noting(heard, "b", "stop")]);
    await stages.start();
    await expect(stages.stop()).rejects.toThrow("b cannot stop");
    expect(heard).toContain("stop a");
  });

  it("of the leader run while it leads; the others run in each", async () => {
    const heard: string[] = [];
    const leads = createCell(false);
    const led: Stage = { ...noting(heard, "status"), runsOn: "leader" };
    const stages = runStages([noting(heard, "xds"), led], { leads, failed: () => undefined });
    await stages.start();
    expect(heard).toEqual(["open xds", "open status", "start xds"]);
    leads.set(true);
    leads.set(false);
    await stages.stop();
    expect(heard.slice(3)).toEqual(["stop status", "stop xds"]);
  });

  it("are not started any more when they were stopped while one still waits for its start", async () => {
    const heard: string[] = [];
    let begin = () => {};
    const waiting: Stage = { name: "store", start: () => new Promise((resolve) => (begin = resolve)) };
    const stages = runStages([waiting, noting(heard, "xds")]);
    const started = stages.start();
    await new Promise((resolve) => setImmediate(resolve));
    await stages.stop();
    begin();
    await started;
    expect(heard).toEqual(["open xds", "stop xds"]);
  });

  it("end what goes on behind a start by their signal", async () => {
    let signal: AbortSignal | undefined;
    const stages = runStages([
      {
        name: "watcher",
        start: async (given) => {
          signal = given;
        },
      },
    ]);
    await stages.start();
    expect(signal?.aborted).toBe(false);
    await stages.stop();
    expect(signal?.aborted).toBe(true);
  });
});

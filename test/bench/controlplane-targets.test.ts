import { describe, expect, it } from "vitest";
import { judge, judgeMemory } from "../../bench/controlplane/targets.ts";

const measured = { p99Ms: 120, lastMs: 130, cpuMs: 50, bytes: 5e5, loopDelayP99Ms: 20 };

describe("the targets of the control plane's bench", () => {
  it("are told with whether they were met, at the sizes that have any", () => {
    expect(judge({ proxies: 100, services: 500 }, "one VirtualService", measured)).toBe(
      "p99 150 ms met, CPU 40 ms MISSED, 1.0 MB met",
    );
    expect(judge({ proxies: 500, services: 500 }, "one endpoint", measured)).toBe("p99 120 ms met");
    expect(judge({ proxies: 7, services: 500 }, "one VirtualService", measured)).toBe("");
  });

  it("say what memory may be used", () => {
    expect(judgeMemory({ proxies: 500, services: 500 }, 0.7e9)).toBe(" (target 0.6 GB MISSED)");
    expect(judgeMemory({ proxies: 100, services: 500 }, 0.7e9)).toBe("");
  });
});

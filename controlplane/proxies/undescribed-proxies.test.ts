import { describe, expect, it } from "vitest";
import { createUndescribedProxies } from "./undescribed-proxies.ts";
import type { Proxy } from "../xds/node.ts";

const proxy = (pod: string, labels: Record<string, unknown>, isProven = true): Proxy => ({
  identity: { namespace: "shop", serviceAccount: "web", pod },
  isProven,
  node: {
    id: `sidecar~10.0.0.1~${pod}.shop~x`,
    kind: "sidecar",
    ip: "10.0.0.1",
    pod,
    namespace: "shop",
    metadata: { LABELS: labels } as never,
    envoyVersion: "",
  },
});

function setUp() {
  const warned: string[] = [];
  const clock = { ms: 0, monotonicMs: () => clock.ms };
  return { describe: createUndescribedProxies((problem) => void warned.push(problem), clock), warned, clock };
}

describe("a proxy whose pod nobody described", () => {
  it("is what it says, with labels that are text", () => {
    expect(setUp().describe(proxy("web-1", { app: "web", count: 3 }))).toEqual({
      kind: "sidecar",
      namespace: "shop",
      serviceAccount: "web",
      workload: "web-1",
      labels: { app: "web" },
      ip: "10.0.0.1",
    });
  });

  it("is taken for no more than sixteen things one after another", () => {
    const { describe } = setUp();
    const seen = new Set(
      Array.from({ length: 1_000 }, (_, index) => JSON.stringify(describe(proxy("web-1", { app: String(index) })))),
    );
    expect(seen.size).toBe(16);
    expect(describe(proxy("web-1", { app: "3" }))?.labels).toEqual({ app: "3" });
    expect(describe(proxy("web-2", { app: "other" }))?.labels).toEqual({ app: "other" });
  });

  it("by the plaintext port is one of a thousand within an hour; who comes then is not served, and a sentence says so once", () => {
    const { describe, warned, clock } = setUp();
    const served = Array.from({ length: 1_500 }, (_, index) => describe(proxy(`guest-${index}`, {}, false))).filter(
      (one) => one !== undefined,
    );
    expect(served).toHaveLength(1_000);
    expect(describe(proxy("guest-3", {}, false))).toBeDefined();
    expect(describe(proxy("web-1", {}))).toBeDefined();
    expect(warned).toEqual([
      expect.stringMatching(/^sidecar~10\.0\.0\.1~guest-1000\.shop~x is not served: .*it may come again later\.$/),
    ]);
    clock.ms = 3_600_000;
    expect(describe(proxy("guest-2000", {}, false))).toBeDefined();
  });

  it("with labels without end is not served", () => {
    const { describe, warned } = setUp();
    expect(describe(proxy("web-1", { app: "x".repeat(20_000) }))).toBeUndefined();
    expect(warned).toHaveLength(1);
  });
});

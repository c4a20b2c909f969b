import { defineConfig } from "vitest/config";

// Three projects: `unit` needs nothing but Node, `filters` needs the built modules, `e2e` starts real Envoys.
export default defineConfig({
  test: {
    projects: [
      { test: { name: "unit", testTimeout: 30_000, include: ["controlplane/**/*.test.ts", "protos/**/*.test.ts", "deploy/**/*.test.ts", "test/golden/**/*.test.ts", "test/structure/**/*.test.ts"] } },
      { test: { name: "filters", testTimeout: 60_000, include: ["filters/**/*.test.ts", "test/host/**/*.test.ts"] } },
      { test: { name: "e2e", include: ["test/e2e/**/*.test.ts", "test/conformance/**/*.test.ts"], fileParallelism: false, testTimeout: 120_000, hookTimeout: 180_000 } },
    ],
  },
});

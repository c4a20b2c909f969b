import { availableParallelism } from "node:os";
import { configDefaults, defineConfig } from "vitest/config";
import { temporaryFolder } from "./test/support/temporary-folder.ts";

// Five projects: `unit` needs nothing but Node, `filters` needs the built modules, `long` holds what takes those tens
// of seconds, `e2e` starts real Envoys, `cluster` a Kubernetes.
const LONG = "**/*.long.test.ts";
// Not of `e2e`: the paths of sockets are short.
const inFolder = { globalSetup: "test/support/temporary-folder.ts", env: { TMPDIR: temporaryFolder() } };

export default defineConfig({
  test: {
    // One core less than there are is vitest's own choice: on two cores nothing would run side by side.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    projects: [
      {
        test: {
          name: "unit",
          ...inFolder,
          testTimeout: 30_000,
          exclude: [...configDefaults.exclude, LONG],
          include: [
            "controlplane/**/*.test.ts",
            "protos/**/*.test.ts",
            "deploy/**/*.test.ts",
            "test/golden/**/*.test.ts",
            "test/structure/**/*.test.ts",
            "test/bench/**/*.test.ts",
            "test/cluster/machine/**/*.test.ts",
          ],
        },
      },
      {
        test: {
          name: "filters",
          ...inFolder,
          testTimeout: 60_000,
          exclude: [...configDefaults.exclude, LONG],
          include: ["filters/**/*.test.ts", "test/host/**/*.test.ts"],
        },
      },
      {
        test: { name: "long", ...inFolder, testTimeout: 120_000, include: [`controlplane/${LONG}`, `filters/${LONG}`] },
      },
      {
        test: {
          name: "e2e",
          include: ["test/e2e/**/*.test.ts", "test/conformance/**/*.test.ts"],
          fileParallelism: false,
          testTimeout: 120_000,
          hookTimeout: 180_000,
        },
      },
      {
        test: {
          name: "cluster",
          include: ["test/cluster/*.test.ts"],
          globalSetup: "test/cluster/support/global-setup.ts",
          fileParallelism: false,
          testTimeout: 180_000,
          hookTimeout: 300_000,
        },
      },
    ],
  },
});

import { expect, it } from "vitest";
import { compareInstallation } from "./compare-installation.ts";
import { clusterWith } from "./testing-cluster.ts";

it("names the namespaces that would be made, and says nothing of those that are there", async () => {
  const gateway = { apiVersion: "v1", kind: "ServiceAccount", metadata: { name: "edge", namespace: "edge" } };
  const steps = [{ title: "Gateway edge", objects: [gateway] }];
  const installation = { kind: "installation", namespace: "mesh", revision: "", steps } as const;
  const { cluster } = clusterWith({ "/api/v1/namespaces/edge": { metadata: { name: "edge" } } });
  expect(await compareInstallation(installation, cluster)).toEqual([
    { name: "Namespace mesh", state: "missing" },
    { name: "ServiceAccount edge/edge", state: "missing" },
  ]);
});

import { expect, it } from "vitest";
import { OWNER_LABELS } from "../crds/custom-resource-definitions.ts";
import { removeInstallation, WHAT_STAYS } from "./remove-installation.ts";
import { clusterWith } from "./testing-cluster.ts";

const LEASES = "/apis/coordination.k8s.io/v1/namespaces";
const named = (name: string, namespace?: string) => ({ metadata: { name, namespace } });

const objects = {
  "/api/v1/namespaces/istio-system": named("istio-system"),
  "/api/v1/namespaces/app": named("app"),
  "/api/v1/namespaces/istio-system/services/istiod": named("istiod", "istio-system"),
  "/api/v1/namespaces/app/configmaps/istio-ca-root-cert": named("istio-ca-root-cert", "app"),
  "/api/v1/namespaces/istio-system/secrets/istio-ca-secret": named("istio-ca-secret", "istio-system"),
  "/api/v1/namespaces/istio-system/secrets/cacerts": named("cacerts", "istio-system"),
  [`${LEASES}/istio-system/leases/istiod-leader`]: named("istiod-leader", "istio-system"),
  [`${LEASES}/istio-system/leases/istiod-leader-canary`]: named("istiod-leader-canary", "istio-system"),
  [`${LEASES}/canary/leases/istiod-leader-next`]: named("istiod-leader-next", "canary"),
  // Istio's own.
  [`${LEASES}/istio-system/leases/istio-leader`]: named("istio-leader", "istio-system"),
  "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/gateways.networking.istio.io": {
    metadata: { name: "gateways.networking.istio.io", labels: OWNER_LABELS },
  },
};

/** Removes a part of what is in the list of Services only: what else the fake has bears no label of an installation. */
async function removedOf(revision: string, purge: boolean) {
  const { cluster, removed } = clusterWith(objects);
  const list: typeof cluster.list = (path, selector, query) =>
    selector?.startsWith("install.") && !path.endsWith("/services")
      ? Promise.resolve([])
      : cluster.list(path, selector, query);
  const lines: string[] = [];
  const report = (line: string) => void lines.push(line);
  const name = { namespace: "istio-system", revision };
  const count = await removeInstallation({ ...cluster, list }, { name, purge, report });
  return { removed, lines, count };
}

it("removes the Lease by which the installation's control plane led, and no other", async () => {
  expect(await removedOf("", false)).toEqual({
    removed: ["/api/v1/namespaces/istio-system/services/istiod", `${LEASES}/istio-system/leases/istiod-leader`],
    lines: ["Removed: Service istio-system/istiod", "Removed: Lease istio-system/istiod-leader"],
    count: 2,
  });
  expect((await removedOf("canary", false)).removed).toContain(`${LEASES}/istio-system/leases/istiod-leader-canary`);
});

it("purges what control planes of every revision made of themselves, but not Istio's", async () => {
  const { removed, count } = await removedOf("", true);
  const kept = ["istio-leader", "cacerts", "istio-system", "app"];
  expect([...removed].sort()).toEqual(
    Object.keys(objects)
      .filter((path) => !kept.includes(path.slice(path.lastIndexOf("/") + 1)))
      .sort(),
  );
  expect(count).toBe(7);
});

it("names what stays", () => {
  for (const name of ["cacerts", "istio-ca-secret", "istio-ca-root-cert", "namespaces"])
    expect(WHAT_STAYS).toContain(name);
});

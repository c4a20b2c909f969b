import { expect, it } from "vitest";
import type { Cluster, LiveObject } from "./cluster.ts";
import { prune } from "./ownership.ts";

it("removes what an installation no longer has, and leaves Kubernetes what it made for our objects", async () => {
  const removed: string[] = [];
  const at = (name: string, rest: object = {}) =>
    ({ metadata: { name, namespace: "istio-system", ...rest } }) as unknown as LiveObject;
  const lists: Readonly<Record<string, readonly LiveObject[]>> = {
    "/apis/discovery.k8s.io/v1/endpointslices": [
      at("istiod-x7", { ownerReferences: [{ kind: "Service", name: "istiod" }] }),
      at("istiod-by-hand"),
    ],
  };
  const cluster: Partial<Cluster> = {
    list: async (path) => lists[path] ?? [],
    remove: async (path) => removed.push(path) > 0,
  };
  const gone = await prune(cluster as Cluster, { namespace: "istio-system", revision: "" }, []);
  expect(gone).toEqual(["EndpointSlice istio-system/istiod-by-hand"]);
  expect(removed).toEqual(["/apis/discovery.k8s.io/v1/namespaces/istio-system/endpointslices/istiod-by-hand"]);
});

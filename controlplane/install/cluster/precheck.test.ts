import { expect, it } from "vitest";
import type { ApiCall } from "../../kubernetes/api-client.ts";
import { at, createCluster } from "./cluster.ts";
import { precheck } from "./precheck.ts";

/** A cluster whose user may do what `allows` says of a verb and a resource. */
function clusterOf(allows: (verb: string, resource: string) => boolean) {
  const listed: string[] = [];
  const request = async ({ method, path, body }: ApiCall) => {
    const answer = (status: number, said: object) => ({ kind: "answered" as const, status, body: said });
    if (path === "/version") return answer(200, { minor: "31", gitVersion: "v1.31.0" });
    if (method === "POST") {
      const asked = (name: string) => String(at(body, "spec", "resourceAttributes", name));
      return answer(201, { status: { allowed: allows(asked("verb"), asked("resource")) } });
    }
    listed.push(path);
    return answer(allows("list", path.slice(path.lastIndexOf("/") + 1)) ? 200 : 403, { items: [], message: "no" });
  };
  return { cluster: createCluster({ request } as unknown as Parameters<typeof createCluster>[0]), listed };
}

it("finds nothing wrong where everything is allowed", async () => {
  const checks = await precheck(clusterOf(() => true).cluster, "istio-system");
  expect(checks.map(({ severity }) => severity)).toEqual(["ok", "ok"]);
});

it("lists every right that is missing where there are none, and looks at nothing else", async () => {
  const { cluster, listed } = clusterOf(() => false);
  const checks = await precheck(cluster, "istio-system");
  expect(checks).toEqual([
    { severity: "ok", message: "Kubernetes v1.31.0" },
    { severity: "error", message: expect.stringMatching(/^You may not get, list, create, patch, delete: mutating/) },
  ]);
  for (const plural of ["deployments", "customresourcedefinitions", "namespaces", "clusterroles"])
    expect(checks[1]?.message).toContain(plural);
  expect(listed).toEqual([]);
});

it("tells kinds of which something else is missing by themselves", async () => {
  const { cluster } = clusterOf((verb, resource) => verb !== "list" || resource !== "customresourcedefinitions");
  expect((await precheck(cluster, "istio-system"))[1]).toEqual({
    severity: "error",
    message: "You may not list: customresourcedefinitions",
  });
});

it.each([
  [401, "Unauthorized", /does not know who you are \(401: Unauthorized\).* --context or --kubeconfig/],
  [403, "no", /You may not read \/x \(403: no\): `scrim x precheck` lists/],
  [500, "broken", /The cluster does not read \/x: 500: broken/],
])("says of the answer %d what people may do", async (status, message, said) => {
  const request = async () => ({ kind: "answered", status, body: { message } });
  const cluster = createCluster({ request } as unknown as Parameters<typeof createCluster>[0]);
  await expect(cluster.get("/x")).rejects.toThrow(said);
});

import { describe, expect, it } from "vitest";
import type { HttpAnswer } from "../local/http-call.ts";
import { fetchDistribution, fetchProxies, postChange } from "./admin-client.ts";
import type { AskedMesh } from "./asked-mesh/asked-mesh.ts";

const SILENT: HttpAnswer = { status: 0, body: "" };

/** A mesh whose replicas answer so. */
function mesh(...answers: readonly (object | HttpAnswer)[]): AskedMesh {
  return {
    ...{ whenSilent: "the control plane does not answer", namespace: undefined },
    admin: async () =>
      answers.map((answer) =>
        "status" in answer ? (answer as HttpAnswer) : { status: 200, body: JSON.stringify(answer) },
      ),
    envoy: async () => SILENT,
  };
}

const proxy = (name: string, cds: string) => ({ name, namespace: "shop", sync: { cds, lds: cds } });
const distribution = (changes: object) => ({
  ...{ object: "VirtualService/shop/web", content: "a1", published: true, concerned: 2, reached: 2, waiting: [] },
  ...changes,
});

describe("a control plane of several replicas", () => {
  it("tells of each proxy what the replica says that serves it", async () => {
    const first = [proxy("web-1", "SYNCED"), proxy("web-2", "NOT CONNECTED")];
    const second = [proxy("web-1", "NOT CONNECTED"), proxy("web-2", "STALE")];
    expect(await fetchProxies(mesh(first, second))).toEqual([proxy("web-1", "SYNCED"), proxy("web-2", "STALE")]);
  });

  it("counts the proxies of all, and has an object when all have it", async () => {
    const waiting = [{ proxy: "web-9.shop", why: "has not acknowledged" }];
    const behind = distribution({ content: "a0", published: false, concerned: 3, reached: 1, waiting });
    const joined = { object: "VirtualService/shop/web", concerned: 5, reached: 3, published: false, waiting };
    for (const replicas of [
      [distribution({}), behind],
      [behind, distribution({})],
    ])
      expect(await fetchDistribution(mesh(...replicas), "VirtualService/shop/web")).toMatchObject(joined);
  });

  it("is asked without a replica that goes, and does not answer when none does", async () => {
    expect(await fetchProxies(mesh(SILENT, [proxy("web-1", "SYNCED")]))).toHaveLength(1);
    await expect(fetchProxies(mesh(SILENT, SILENT))).rejects.toMatchObject({
      code: "unreachable",
      message: "The control plane does not answer.",
    });
  });

  it("makes a change where one of them decides", async () => {
    const follower = { status: 409, body: "another replica decides" };
    expect(await postChange(mesh(follower, { done: true }), "/rollouts/shop/header/undo", "t")).toMatchObject({
      status: 200,
    });
  });
});

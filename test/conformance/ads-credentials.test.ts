// What lets a real Envoy in, and the certificates that it then has.
import { describe, expect, it } from "vitest";
import { until } from "../support/until.ts";
import { get, startAdsProxy } from "./ads-proxy.ts";
import { basicResources, nodeId, startAdsWorld, token } from "./ads-world.ts";

describe("streams without the right credential", () => {
  it.each([
    ["no token", undefined, nodeId],
    ["a wrong token", "a guess", nodeId],
    ["another pod's node", token, "sidecar~127.0.0.1~other-1.default~default.svc.cluster.local"],
  ])("%s: refused, and nothing is served", async (_name, sent, id) => {
    const world = await startAdsWorld();
    world.resources = basicResources(world.upstreamPort);
    const envoy = await startAdsProxy(world, { token: sent, nodeId: id });
    try {
      await until(() => /closed: (16|7), /.test(envoy.log()), "the refusal", envoy.log);
      expect(await envoy.listener("main")).toBeUndefined();
      expect(world.server().status()).toEqual([]);
    } finally {
      await envoy.stop();
      await world.close();
    }
  });
});

describe("secrets", () => {
  it("are renewed over SDS without a failed request", async () => {
    const world = await startAdsWorld(4_000);
    world.resources = basicResources(world.upstreamPort, true);
    const envoy = await startAdsProxy(world);
    try {
      await until(async () => (await envoy.listener("main")) !== undefined, "the listener", envoy.log);
      const address = (await envoy.listener("main"))!;
      const answers = new Set<string>();
      const renewals = async () => Number(await envoy.stat("sds.default.update_success"));
      await until(
        async () => {
          answers.add(await get(address, "direct.test", world.authority.rootPem));
          return (await renewals()) >= 4;
        },
        "three renewals",
        envoy.log,
      );
      expect([...answers]).toEqual(["200 one"]);
    } finally {
      await envoy.stop();
      await world.close();
    }
  });
});

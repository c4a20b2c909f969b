// A server that remembers nothing, and a real Envoy that has everything from the one before.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Envoy } from "../support/envoy.ts";
import { until } from "../support/until.ts";
import { type ServedProxy, startServedProxy, updatesOf } from "./ads-proxy.ts";
import { type AdsWorld, virtualHost } from "./ads-world.ts";

describe("a server that was restarted", () => {
  let proxy: ServedProxy;
  let world: AdsWorld;
  let envoy: Envoy;
  beforeAll(async () => {
    proxy = await startServedProxy();
    ({ world, envoy } = proxy);
  });
  afterAll(() => proxy.close());

  it("resends nothing that the proxy has", async () => {
    const before = await updatesOf(envoy);
    await world.restart();
    await until(() => world.status() !== undefined, "the proxy to come back");
    await proxy.synced();
    expect(await updatesOf(envoy)).toEqual(before);
    expect(Object.values(world.status()!.types).filter(({ sentVersion }) => sentVersion !== undefined)).toEqual([]);
    world.resources.virtualHosts.set("80/direct.test", virtualHost("direct.test", { text: "after" }));
    world.publish();
    await proxy.answers("direct.test", "200 after");
  });

  it("sends a cluster that changed meanwhile with its endpoints, so that it does not hang in warming", async () => {
    const cluster = world.resources.clusters.get("up")!;
    // As our clusters have it: what is late is waited for, never given up.
    const edsConfig = { ads: {}, resourceApiVersion: "V3", initialFetchTimeout: { seconds: 0 } } as const;
    world.resources.clusters.set("up", {
      ...cluster,
      altStatName: "changed-meanwhile",
      edsClusterConfig: { edsConfig },
    });
    await world.restart();
    await until(
      async () => (await envoy.stat("cluster.changed-meanwhile.membership_total")) === 1,
      "the new cluster with its endpoint",
      () => `${JSON.stringify(world.status())}\n${envoy.log()}`,
    );
    expect(await envoy.stat("cluster_manager.warming_clusters")).toBe(0);
    await proxy.answers("up.test", "200 upstream up.test");
  });

  it("removes what vanished meanwhile", async () => {
    world.resources.virtualHosts.delete("80/direct.test");
    await world.restart();
    await proxy.answers("direct.test", "404 ");
  });
});

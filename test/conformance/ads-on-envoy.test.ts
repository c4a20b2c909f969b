// A real Envoy over delta ADS: what it is sent, what it rejects, and what it has of it afterwards.
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { Envoy } from "../support/envoy.ts";
import { until } from "../support/until.ts";
import { get, type ServedProxy, startServedProxy, updatesOf } from "./ads-proxy.ts";
import { addCluster, type AdsWorld, basicResources, nodeId, pod, routedListener, virtualHost } from "./ads-world.ts";

const packedUnknown = { typeUrl: "type.googleapis.com/google.protobuf.Struct", value: new Uint8Array() };

describe("delta ADS on a real Envoy", () => {
  let proxy: ServedProxy;
  let world: AdsWorld;
  let envoy: Envoy;
  beforeAll(async () => {
    proxy = await startServedProxy({ NAME: pod.pod, NAMESPACE: pod.namespace });
    ({ world, envoy } = proxy);
  });
  afterEach(async () => {
    world.resources = basicResources(world.upstreamPort);
    world.publish();
    await proxy.synced();
  });
  afterAll(() => proxy.close());

  it("gets clusters, endpoints, listeners, routes and virtual hosts", async () => {
    await proxy.answers("up.test", "200 upstream up.test");
    await proxy.answers("direct.test", "200 one");
    expect(world.status()).toMatchObject({
      nodeId,
      pod: "web-1",
      envoyVersion: expect.stringMatching(/^1\./),
      synced: true,
      rejections: [],
      types: { cds: { state: "SYNCED" }, vhds: { state: "SYNCED" }, sds: { state: "IGNORED" } },
    });
  });

  it("sends the one virtual host that changed, and nothing else", async () => {
    const before = await updatesOf(envoy);
    const types = world.status()!.types;
    world.resources.virtualHosts.set("80/direct.test", virtualHost("direct.test", { text: "two" }));
    world.publish();
    await proxy.synced();
    await proxy.answers("direct.test", "200 two");
    const [cds, lds, rds, vhds, eds] = before.map(Number);
    expect(await updatesOf(envoy)).toEqual([cds, lds, rds, Number(vhds) + 1, eds]);
    for (const type of ["cds", "lds", "rds", "eds"] as const) expect(world.status()!.types[type]).toEqual(types[type]);
  });

  it("removes a virtual host", async () => {
    world.resources.virtualHosts.delete("80/direct.test");
    world.publish();
    await proxy.answers("direct.test", "404 ");
    await proxy.synced();
  });

  it("a new cluster is ready before a route leads to it, and gone only after the route", async () => {
    const statuses = new Set<string>();
    let isOver = false;
    const load = Promise.all(
      Array.from({ length: 4 }, async () => {
        while (!isOver) statuses.add(await get(proxy.address, "up.test"));
      }),
    );
    for (let round = 0; round < 20; round++) {
      addCluster(world.resources, `up-${round}`, world.upstreamPort);
      world.resources.virtualHosts.set("80/up.test", virtualHost("up.test", { cluster: `up-${round}` }));
      world.resources.clusters.delete(`up-${round - 1}`);
      world.resources.endpoints.delete(`up-${round - 1}`);
      world.publish();
      await proxy.synced();
    }
    isOver = true;
    await load;
    expect([...statuses]).toEqual(["200 upstream up.test"]);
    expect(await envoy.admin("/clusters")).not.toContain("up-18::");
  });

  it("a cluster that changes gets its endpoints again, so that it does not hang in warming", async () => {
    const cluster = world.resources.clusters.get("up")!;
    world.resources.clusters.set("up", { ...cluster, perConnectionBufferLimitBytes: 65_536 });
    world.publish();
    await proxy.synced();
    expect(await envoy.stat("cluster_manager.warming_clusters")).toBe(0);
    await proxy.answers("up.test", "200 upstream up.test");
  });

  it("a route configuration that comes later, and one that comes back, get their virtual hosts", async () => {
    for (let round = 0; round < 2; round++) {
      world.resources = basicResources(world.upstreamPort);
      world.resources.listeners.set("late", routedListener("late", false, "81"));
      world.resources.routes.set("81", { name: "81", vhds: { configSource: { ads: {}, resourceApiVersion: "V3" } } });
      world.resources.virtualHosts.set("81/late.test", virtualHost("late.test", { text: `late ${round}` }));
      world.publish();
      await until(async () => (await envoy.listener("late")) !== undefined, "the listener", envoy.log);
      const late = (await envoy.listener("late"))!;
      await until(
        async () => (await get(late, "late.test").catch(String)) === `200 late ${round}`,
        "the late host",
        envoy.log,
      );
      await proxy.synced();
      world.resources = basicResources(world.upstreamPort);
      world.publish();
      await until(async () => (await envoy.listener("late")) === undefined, "the listener to go", envoy.log);
    }
  });

  it("a rejected virtual host is found among others and reported; they arrive, its last good one stays", async () => {
    world.resources.virtualHosts.set("80/new-1.test", virtualHost("new-1.test", { text: "n1" }));
    world.resources.virtualHosts.set("80/direct.test", {
      name: "direct.test",
      domains: ["direct.test", "direct.test"],
      routes: [],
    });
    world.resources.virtualHosts.set("80/new-2.test", virtualHost("new-2.test", { text: "n2" }));
    world.publish();
    await until(
      () => world.status()?.types.vhds.state === "ERROR" && world.status()?.rejections[0]?.resources.length === 1,
      "the rejection",
      () => JSON.stringify(world.status()),
    );
    await proxy.answers("new-1.test", "200 n1");
    await proxy.answers("new-2.test", "200 n2");
    await proxy.answers("direct.test", "200 one");
    expect(world.status()).toMatchObject({
      synced: false,
      rejections: [{ type: "vhds", resources: ["80/direct.test"], message: expect.stringMatching(/./) }],
    });
    world.resources.virtualHosts.set("80/direct.test", virtualHost("direct.test", { text: "three" }));
    world.publish();
    await proxy.synced();
    await proxy.answers("direct.test", "200 three");
    expect(world.status()?.rejections).toEqual([]);
  });

  it("a rejected listener is named, and its last good version serves on", async () => {
    world.resources.listeners.set("main", {
      ...routedListener("main"),
      filterChains: [{ filters: [{ name: "none", typedConfig: packedUnknown }] }],
    });
    world.resources.listeners.set("other", routedListener("other"));
    world.publish();
    await until(
      () => world.status()?.types.lds.state === "ERROR",
      "the rejection",
      () => JSON.stringify(world.status()),
    );
    await until(async () => (await envoy.listener("other")) !== undefined, "the other listener");
    expect(world.status()?.rejections).toMatchObject([{ type: "lds", resources: ["main"] }]);
    await proxy.answers("direct.test", "200 one");
    const rejectedOnce = await envoy.stat("listener_manager.lds.update_rejected");
    world.publish();
    await until(() => world.status()?.types.lds.state === "ERROR", "no change");
    expect(await envoy.stat("listener_manager.lds.update_rejected")).toBe(rejectedOnce);
  });
});

import { request } from "node:http";
import { request as tlsRequest } from "node:https";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import {
  addCluster,
  type AdsWorld,
  basicResources,
  nodeId,
  pod,
  routedListener,
  startAdsWorld,
  token,
  virtualHost,
} from "./ads-world.ts";
import { adsBootstrap } from "../support/ads-bootstrap.ts";
import { type Envoy, startEnvoy } from "../support/envoy.ts";
import { until } from "../support/until.ts";

/** `status body` of a GET for a host. */
function get(address: string, host: string, ca?: string): Promise<string> {
  const [hostname, port] = address.split(":");
  const options = {
    hostname,
    port,
    path: "/",
    headers: { host },
    agent: false,
    ca,
    checkServerIdentity: () => undefined,
  };
  return new Promise((resolve, reject) => {
    const sent = (ca === undefined ? request : tlsRequest)(options, (response) => {
      let body = "";
      response
        .setEncoding("utf8")
        .on("data", (text: string) => (body += text))
        .on("end", () => resolve(`${response.statusCode} ${body}`));
    });
    sent.on("error", reject).end();
  });
}

const UPDATES = [
  "cluster_manager.cds.update_success",
  "listener_manager.lds.update_success",
  "http.test.rds.80.update_success",
  "http.test.rds.vhds.80.update_success",
  "cluster.up.update_success",
];

function updatesOf(envoy: Envoy): Promise<(number | undefined)[]> {
  return Promise.all(UPDATES.map((name) => envoy.stat(name)));
}

describe("delta ADS on a real Envoy", () => {
  let world: AdsWorld;
  let envoy: Envoy;
  let address: string;
  const synced = () =>
    until(
      () => world.status()?.synced === true,
      "a synced proxy",
      () => `${JSON.stringify(world.status())}\n${envoy.log()}`,
    );
  const answers = (host: string, answer: string) =>
    until(async () => (await get(address, host).catch(String)) === answer, `${host} to answer ${answer}`, envoy.log);

  beforeAll(async () => {
    world = await startAdsWorld();
    world.resources = basicResources(world.upstreamPort);
    envoy = await startEnvoy(
      adsBootstrap({
        xds: world.server().address(),
        rootPem: world.authority.rootPem,
        token,
        nodeId,
        metadata: { NAME: pod.pod, NAMESPACE: pod.namespace },
      }),
    );
    await synced();
    address = (await envoy.listener("main"))!;
  });
  afterEach(async () => {
    world.resources = basicResources(world.upstreamPort);
    world.publish();
    await synced();
  });
  afterAll(async () => {
    await envoy.stop();
    await world.close();
  });

  it("gets clusters, endpoints, listeners, routes and virtual hosts", async () => {
    await answers("up.test", "200 upstream up.test");
    await answers("direct.test", "200 one");
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
    await synced();
    await answers("direct.test", "200 two");
    const [cds, lds, rds, vhds, eds] = before.map(Number);
    expect(await updatesOf(envoy)).toEqual([cds, lds, rds, Number(vhds) + 1, eds]);
    for (const type of ["cds", "lds", "rds", "eds"] as const) expect(world.status()!.types[type]).toEqual(types[type]);
  });

  it("removes a virtual host", async () => {
    world.resources.virtualHosts.delete("80/direct.test");
    world.publish();
    await answers("direct.test", "404 ");
    await synced();
  });

  it("a new cluster is ready before a route leads to it, and gone only after the route", async () => {
    const statuses = new Set<string>();
    let isOver = false;
    const load = Promise.all(
      Array.from({ length: 4 }, async () => {
        while (!isOver) statuses.add(await get(address, "up.test"));
      }),
    );
    for (let round = 0; round < 20; round++) {
      addCluster(world.resources, `up-${round}`, world.upstreamPort);
      world.resources.virtualHosts.set("80/up.test", virtualHost("up.test", { cluster: `up-${round}` }));
      world.resources.clusters.delete(`up-${round - 1}`);
      world.resources.endpoints.delete(`up-${round - 1}`);
      world.publish();
      await synced();
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
    await synced();
    expect(await envoy.stat("cluster_manager.warming_clusters")).toBe(0);
    await answers("up.test", "200 upstream up.test");
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
      await synced();
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
    await answers("new-1.test", "200 n1");
    await answers("new-2.test", "200 n2");
    await answers("direct.test", "200 one");
    expect(world.status()).toMatchObject({
      synced: false,
      rejections: [{ type: "vhds", resources: ["80/direct.test"], message: expect.stringMatching(/./) }],
    });
    world.resources.virtualHosts.set("80/direct.test", virtualHost("direct.test", { text: "three" }));
    world.publish();
    await synced();
    await answers("direct.test", "200 three");
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
    await answers("direct.test", "200 one");
    const rejectedOnce = await envoy.stat("listener_manager.lds.update_rejected");
    world.publish();
    await until(() => world.status()?.types.lds.state === "ERROR", "no change");
    expect(await envoy.stat("listener_manager.lds.update_rejected")).toBe(rejectedOnce);
  });
});

const packedUnknown = { typeUrl: "type.googleapis.com/google.protobuf.Struct", value: new Uint8Array() };

describe("a server that was restarted", () => {
  let world: AdsWorld;
  let envoy: Envoy;
  let address: string;
  const synced = () =>
    until(
      () => world.status()?.synced === true,
      "a synced proxy",
      () => `${JSON.stringify(world.status())}\n${envoy.log()}`,
    );
  const answers = (host: string, answer: string) =>
    until(async () => (await get(address, host).catch(String)) === answer, `${host} to answer ${answer}`, envoy.log);

  beforeAll(async () => {
    world = await startAdsWorld();
    world.resources = basicResources(world.upstreamPort);
    envoy = await startEnvoy(
      adsBootstrap({ xds: world.server().address(), rootPem: world.authority.rootPem, token, nodeId }),
    );
    await synced();
    address = (await envoy.listener("main"))!;
  });
  afterAll(async () => {
    await envoy.stop();
    await world.close();
  });

  it("resends nothing that the proxy has", async () => {
    const before = await updatesOf(envoy);
    await world.restart();
    await until(() => world.status() !== undefined, "the proxy to come back");
    await synced();
    expect(await updatesOf(envoy)).toEqual(before);
    expect(Object.values(world.status()!.types).filter(({ sentVersion }) => sentVersion !== undefined)).toEqual([]);
    world.resources.virtualHosts.set("80/direct.test", virtualHost("direct.test", { text: "after" }));
    world.publish();
    await answers("direct.test", "200 after");
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
    await answers("up.test", "200 upstream up.test");
  });

  it("removes what vanished meanwhile", async () => {
    world.resources.virtualHosts.delete("80/direct.test");
    await world.restart();
    await answers("direct.test", "404 ");
  });
});

describe("streams without the right credential", () => {
  it.each([
    ["no token", undefined, nodeId],
    ["a wrong token", "a guess", nodeId],
    ["another pod's node", token, "sidecar~127.0.0.1~other-1.default~default.svc.cluster.local"],
  ])("%s: refused, and nothing is served", async (_name, sent, id) => {
    const world = await startAdsWorld();
    world.resources = basicResources(world.upstreamPort);
    const envoy = await startEnvoy(
      adsBootstrap({
        xds: world.server().address(),
        rootPem: world.authority.rootPem,
        token: sent,
        nodeId: id,
      }),
    );
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
    const envoy = await startEnvoy(
      adsBootstrap({ xds: world.server().address(), rootPem: world.authority.rootPem, token, nodeId }),
    );
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

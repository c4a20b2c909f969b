import { expect, it } from "vitest";
import type { ConfigDump } from "../../../protos/build/envoy.ts";
import { packAny, proto3JsonOf } from "../../../protos/codec.ts";
import { jsonPieces } from "../json-pieces.ts";
import { lazyJsonOfDump } from "./lazy-json.ts";

const many = Array.from({ length: 30 }, (_, index) => index);

it("a dump made while it is written says what it says made at once", () => {
  const cluster = (index: number) =>
    packAny("Cluster", {
      name: `c-${index}`,
      type: "EDS",
      connectTimeout: { seconds: 1 },
      metadata: { filterMetadata: { m: { index } } },
    });
  const hosts = many.map((index) => ({
    name: `h-${index}`,
    domains: [`d-${index}`],
    typedPerFilterConfig: { f: packAny("Router", { suppressEnvoyHeaders: true }) },
  }));
  const dump: ConfigDump = {
    configs: [
      packAny("BootstrapConfigDump", {}),
      packAny("ClustersConfigDump", {
        versionInfo: "7",
        dynamicActiveClusters: many.map((index) => ({ versionInfo: String(index), cluster: cluster(index) })),
      }),
      packAny("RoutesConfigDump", {
        dynamicRouteConfigs: [
          {
            versionInfo: "1",
            routeConfig: packAny("RouteConfiguration", { name: "80", virtualHosts: hosts, validateClusters: false }),
          },
          { versionInfo: "2", routeConfig: packAny("RouteConfiguration", { name: "81" }) },
        ],
      }),
      packAny("ClusterLoadAssignment", { clusterName: "c", endpoints: many.map((index) => ({ priority: index })) }),
      cluster(1),
    ],
  };
  const whole = proto3JsonOf("ConfigDump", dump);
  expect(JSON.parse([...jsonPieces(lazyJsonOfDump(dump))].join(""))).toEqual(whole);
  expect(JSON.parse(JSON.stringify(lazyJsonOfDump(dump)))).toEqual(whole);
  expect(lazyJsonOfDump({})).toEqual({});
});

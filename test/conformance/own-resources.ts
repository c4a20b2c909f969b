// An xDS server with resources of one's own: every node in the namespace it says it is in gets that namespace's. Try
// it: docs/xds.md.
import { createSystemClock } from "../../controlplane/telemetry/clock.ts";
import { createResourceCache } from "../../controlplane/xds/resource-cache.ts";
import { createXdsServer } from "../../controlplane/xds/server.ts";
import { packAny } from "../../protos/codec.ts";

const cache = createResourceCache();
const shop = cache.group("shop");
const ads = { ads: {} } as const;
const http = packAny("HttpConnectionManager", {
  statPrefix: "shop",
  rds: { routeConfigName: "80", configSource: ads },
  httpFilters: [{ name: "router", typedConfig: packAny("Router", {}) }],
});
shop.set("listeners", "main", {
  name: "main",
  address: { socketAddress: { address: "127.0.0.1", portValue: Number(process.argv[3] ?? 8081) } },
  filterChains: [{ filters: [{ name: "http", typedConfig: http }] }],
});
shop.set("routes", "80", { name: "80", vhds: { configSource: ads } });
shop.set("virtualHosts", "80/all", {
  name: "all",
  domains: ["*"],
  routes: [{ match: { prefix: "/" }, directResponse: { status: 200, body: { inlineString: "hello 0\n" } } }],
});
for (const problem of shop.problems()) console.error(problem);
cache.publish();

const server = createXdsServer({
  ...cache.source(({ node }) => node.namespace),
  plaintext: { host: "127.0.0.1", port: Number(process.argv[2] ?? 18000) },
  clock: createSystemClock(),
  log: { info: () => undefined, warn: console.warn, error: console.error },
});
cache.onPublish(server.notify);

let count = 0;
void server.listen().then(() => {
  console.log(`serving at 127.0.0.1:${server.plaintextAddress()?.port}`);
  setInterval(() => {
    console.log(
      server
        .status()
        .map(({ nodeId, synced }) => `${nodeId} ${synced ? "has" : "is being told"} hello ${count}`)
        .join(", ") || "nobody is connected",
    );
    shop.set("virtualHosts", "80/all", {
      name: "all",
      domains: ["*"],
      routes: [
        { match: { prefix: "/" }, directResponse: { status: 200, body: { inlineString: `hello ${++count}\n` } } },
      ],
    });
    cache.publish();
  }, 1_000);
});

// A real Envoy with an HTTP filter on one port and a network filter on another.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { scratchDirectory } from "../../support/children.ts";
import { type Envoy, startEnvoy } from "../../support/envoy.ts";
import {
  address,
  connectionManager,
  http2Upstream,
  router,
  staticCluster,
  typeUrl,
  wasmConfig,
} from "../../support/envoy-config.ts";
import { freePort } from "../../support/ports.ts";

/** Modules and servers of a `CalloutsEnvoy`. */
export interface CalloutsSetUp {
  readonly http: Uint8Array;
  readonly network: Uint8Array;
  /** The filters' configurations, default {}. */
  readonly httpConfiguration?: unknown;
  readonly networkConfiguration?: unknown;
  readonly concurrency?: number;
  /** Of the HTTP filter, default Envoy's own: fail closed. */
  readonly failurePolicy?: "FAIL_RELOAD";
  readonly http2Port: number;
  readonly tcpPort: number;
}

/** A running Envoy and the ports of its two filters. */
export interface CalloutsEnvoy extends Envoy {
  readonly httpPort: number;
  readonly tcpPort: number;
}

/** Starts it with clusters `inventory` (HTTP/2), `nobody` (unreachable) and `tcp`; throws with its log if it ends. */
export async function startCalloutsEnvoy(setUp: CalloutsSetUp): Promise<CalloutsEnvoy> {
  const directory = scratchDirectory();
  writeFileSync(join(directory, "http.wasm"), setUp.http);
  writeFileSync(join(directory, "network.wasm"), setUp.network);
  const envoy = await startEnvoy(bootstrap(directory, await freePort(), setUp), {
    directory,
    concurrency: setUp.concurrency ?? 1,
    componentLogLevel: "wasm:info",
  });
  const httpPort = await envoy.port("http");
  // Not tried out: the filter would be told of a connection that no test made.
  return { ...envoy, httpPort, tcpPort: Number((await envoy.listener("tcp"))?.split(":").at(-1)) };
}

function bootstrap(directory: string, nobodysPort: number, setUp: CalloutsSetUp): object {
  const { httpConfiguration = {}, networkConfiguration = {}, failurePolicy } = setUp;
  const wasm = (kind: "http" | "network", configuration: unknown, failurePolicy?: string): object => {
    const file = join(directory, `${kind}.wasm`);
    const module = { name: kind, file, configuration: JSON.stringify(configuration), vmId: `${kind}-vm` };
    return { name: "wasm", typed_config: wasmConfig(kind, { ...module, failurePolicy }) };
  };
  const routes = [{ match: { prefix: "/" }, route: { cluster: "inventory" } }];
  const manager = connectionManager("http", {
    http_filters: [wasm("http", httpConfiguration, failurePolicy), router],
    route_config: { virtual_hosts: [{ name: "all", domains: ["*"], routes }] },
  });
  const proxy = {
    "@type": typeUrl("envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy"),
    stat_prefix: "tcp",
    cluster: "tcp",
  };
  const listener = (name: string, filters: readonly object[]): object => ({
    name,
    address: address(0),
    enable_reuse_port: false,
    filter_chains: [{ filters }],
  });
  return {
    static_resources: {
      listeners: [
        listener("http", [manager]),
        listener("tcp", [wasm("network", networkConfiguration), { name: "proxy", typed_config: proxy }]),
      ],
      clusters: [
        staticCluster("inventory", setUp.http2Port, http2Upstream),
        staticCluster("nobody", nobodysPort, http2Upstream),
        staticCluster("tcp", setUp.tcpPort),
      ],
    },
  };
}

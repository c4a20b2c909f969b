// A real Envoy whose rate limit filter comes by ECDS out of a file: a new configuration or module arrives without a
// restart, as from a control plane.
import { copyFileSync, existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { modulePath } from "../../../filters/module-path.ts";
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
import { until } from "../../support/until.ts";

const FILTER = "scrim.ratelimit";

/** What an Envoy is started with. */
export interface RateLimitEnvoyOptions {
  readonly configuration: unknown;
  readonly concurrency: number;
  /** A gRPC server: what is under /test.Echo goes there, all else is answered "ok". */
  readonly grpcPort?: number;
  /** A rate limit service: the cluster `rls`. */
  readonly servicePort?: number;
}

/** A running Envoy with the rate limit filter before an answer "ok". */
export interface RateLimitEnvoy {
  readonly port: number;
  log(): string;
  /** The value of all counters with such names, 0 while there is none. */
  counter(name: string): Promise<number>;
  /**
   * Delivers another configuration, with `version` also another build of the module, and waits until Envoy has taken
   * it.
   */
  change(configuration: unknown, version?: number): Promise<void>;
  stop(): Promise<void>;
}

/** Starts it and waits until it answers; throws with its log if it ends. */
export async function startRateLimitEnvoy(options: RateLimitEnvoyOptions): Promise<RateLimitEnvoy> {
  const directory = scratchDirectory();
  copyFileSync(modulePath("ratelimit"), join(directory, "module-0.wasm"));
  writeFilter(directory, options.configuration, 0);
  const envoy = await startEnvoy(bootstrap(directory, options), { directory, concurrency: options.concurrency });
  await envoy.ready();
  const counter = (name: string): Promise<number> => sumOf(envoy, name);
  return {
    port: await envoy.port("http"),
    log: envoy.log,
    stop: envoy.stop,
    counter,
    async change(configuration, version = 0) {
      const reloads = `extension_config_discovery.http_filter.${FILTER}.config_reload`;
      const before = await counter(reloads);
      writeModule(directory, version);
      writeFilter(directory, configuration, version);
      await until(async () => (await counter(reloads)) !== before, "Envoy to take the configuration", envoy.log);
    },
  };
}

async function sumOf(envoy: Envoy, name: string): Promise<number> {
  return (await envoy.admin(`/stats?filter=${encodeURIComponent(name)}`))
    .split("\n")
    .filter((line) => line.includes(name))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(" ") + 1)), 0);
}

function bootstrap(directory: string, { grpcPort = 1, servicePort = 1 }: RateLimitEnvoyOptions): object {
  const delivered = {
    name: FILTER,
    config_discovery: {
      config_source: { path_config_source: { path: join(directory, "filter.json") }, resource_api_version: "V3" },
      type_urls: [typeUrl("envoy.extensions.filters.http.wasm.v3.Wasm")],
    },
  };
  const routes = [
    { match: { prefix: "/test.Echo" }, route: { cluster: "grpc" } },
    { match: { prefix: "/" }, direct_response: { status: 200, body: { inline_string: "ok" } } },
  ];
  const manager = connectionManager("http", {
    http_filters: [delivered, router],
    route_config: { virtual_hosts: [{ name: "all", domains: ["*"], routes }] },
  });
  const listener = { name: "http", address: address(0), connection_balance_config: { exact_balance: {} } };
  return {
    node: { id: "ratelimit-test", cluster: "test" },
    static_resources: {
      listeners: [{ ...listener, filter_chains: [{ filters: [manager] }] }],
      clusters: [staticCluster("grpc", grpcPort, http2Upstream), staticCluster("rls", servicePort, http2Upstream)],
    },
  };
}

const moduleFile = (directory: string, version: number): string => join(directory, `module-${version}.wasm`);

/** Another build: a custom section changes the module's hash and nothing else. */
function writeModule(directory: string, version: number): void {
  const file = moduleFile(directory, version);
  if (existsSync(file)) return;
  writeFileSync(file, Buffer.concat([readFileSync(modulePath("ratelimit")), Buffer.from([0, 3, 1, 0x76, version])]));
}

function writeFilter(directory: string, configuration: unknown, version: number): void {
  const resource = {
    "@type": typeUrl("envoy.config.core.v3.TypedExtensionConfig"),
    name: FILTER,
    typed_config: wasmConfig("http", {
      name: FILTER,
      file: moduleFile(directory, version),
      configuration: JSON.stringify(configuration),
      vmId: FILTER,
    }),
  };
  const next = join(directory, "filter.next");
  writeFileSync(next, JSON.stringify({ version_info: String(Date.now()), resources: [resource] }));
  renameSync(next, join(directory, "filter.json"));
}

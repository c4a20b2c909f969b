// A real Envoy whose rate limit filter comes by ECDS out of a file: a new configuration or module arrives without a
// restart, as from a control plane.
import { type ChildProcess, spawn } from "node:child_process";
import { copyFileSync, existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { modulePath } from "../../../filters/module-path.ts";
import { envoyPath, freePort } from "../filters/probe-envoy.ts";

const type = (name: string): string => `type.googleapis.com/${name}`;
const address = (port: number): unknown => ({ socket_address: { address: "127.0.0.1", port_value: port } });
const FILTER = "scrim.ratelimit";

function http2Cluster(name: string, port: number): unknown {
  return {
    name,
    type: "STATIC",
    connect_timeout: "1s",
    typed_extension_protocol_options: {
      "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
        "@type": type("envoy.extensions.upstreams.http.v3.HttpProtocolOptions"),
        explicit_http_config: { http2_protocol_options: {} },
      },
    },
    load_assignment: { cluster_name: name, endpoints: [{ lb_endpoints: [{ endpoint: { address: address(port) } }] }] },
  };
}

/** What an Envoy is started with. */
export interface RateLimitEnvoyOptions {
  readonly configuration: unknown;
  readonly concurrency: number;
  /** A gRPC server: what is under /test.Echo goes there, all else is answered "ok". */
  readonly grpcPort?: number;
  /** A rate limit service: the cluster `rls`. */
  readonly servicePort?: number;
}

function bootstrap(
  directory: string,
  ports: { readonly http: number; readonly admin: number },
  { grpcPort = 1, servicePort = 1 }: RateLimitEnvoyOptions,
): unknown {
  const manager = {
    "@type": type("envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"),
    stat_prefix: "http",
    http_filters: [
      {
        name: FILTER,
        config_discovery: {
          config_source: { path_config_source: { path: join(directory, "filter.json") }, resource_api_version: "V3" },
          type_urls: [type("envoy.extensions.filters.http.wasm.v3.Wasm")],
        },
      },
      { name: "router", typed_config: { "@type": type("envoy.extensions.filters.http.router.v3.Router") } },
    ],
    route_config: {
      virtual_hosts: [
        {
          name: "all",
          domains: ["*"],
          routes: [
            { match: { prefix: "/test.Echo" }, route: { cluster: "grpc" } },
            { match: { prefix: "/" }, direct_response: { status: 200, body: { inline_string: "ok" } } },
          ],
        },
      ],
    },
  };
  return {
    node: { id: "ratelimit-test", cluster: "test" },
    admin: { address: address(ports.admin) },
    static_resources: {
      listeners: [
        {
          name: "http",
          address: address(ports.http),
          connection_balance_config: { exact_balance: {} },
          filter_chains: [{ filters: [{ name: "hcm", typed_config: manager }] }],
        },
      ],
      clusters: [http2Cluster("grpc", grpcPort), http2Cluster("rls", servicePort)],
    },
  };
}

/** A running Envoy with the rate limit filter before an answer "ok". */
export class RateLimitEnvoy {
  private constructor(
    readonly port: number,
    private readonly admin: number,
    private readonly directory: string,
    private readonly child: ChildProcess,
  ) {}

  /** Starts it and waits until it answers; throws with its log if it ends. */
  static async start(options: RateLimitEnvoyOptions): Promise<RateLimitEnvoy> {
    const directory = mkdtempSync(join(tmpdir(), "scrim-ratelimit-"));
    const [http, admin] = await Promise.all([freePort(), freePort()]);
    copyFileSync(modulePath("ratelimit"), join(directory, "module-0.wasm"));
    writeFileSync(join(directory, "envoy.json"), JSON.stringify(bootstrap(directory, { http, admin }, options)));
    writeFilter(directory, options.configuration, 0);
    const child = spawn(
      envoyPath(),
      [
        "-c",
        join(directory, "envoy.json"),
        "--use-dynamic-base-id",
        "--concurrency",
        String(options.concurrency),
        "-l",
        "warning",
        "--log-path",
        join(directory, "log"),
        "--file-flush-interval-msec",
        "50",
      ],
      { stdio: "ignore" },
    );
    const envoy = new RateLimitEnvoy(http, admin, directory, child);
    for (let i = 0; i < 600; i++) {
      if (child.exitCode !== null) throw new Error(`Envoy ended: ${envoy.log()}`);
      if (
        await fetch(`http://127.0.0.1:${admin}/ready`).then(
          (response) => response.ok,
          () => false,
        )
      )
        return envoy;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error(`Envoy does not get ready: ${envoy.log()}`);
  }

  log(): string {
    return existsSync(join(this.directory, "log")) ? readFileSync(join(this.directory, "log"), "utf8") : "";
  }

  /** The value of a counter, 0 while there is none. */
  async counter(name: string): Promise<number> {
    const text = await (await fetch(`http://127.0.0.1:${this.admin}/stats?filter=${encodeURIComponent(name)}`)).text();
    return text
      .split("\n")
      .filter((line) => line.includes(name))
      .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(" ") + 1)), 0);
  }

  /**
   * Delivers another configuration, with `version` also another build of the module, and waits until Envoy has taken
   * it.
   */
  async change(configuration: unknown, version = 0): Promise<void> {
    const reloads = `extension_config_discovery.http_filter.${FILTER}.config_reload`;
    const before = await this.counter(reloads);
    const file = join(this.directory, `module-${version}.wasm`);
    // a custom section changes the module's hash and nothing else
    if (!existsSync(file))
      writeFileSync(
        file,
        Buffer.concat([readFileSync(modulePath("ratelimit")), Buffer.from([0, 3, 1, 0x76, version])]),
      );
    writeFilter(this.directory, configuration, version);
    for (let i = 0; i < 600 && (await this.counter(reloads)) === before; i++)
      await new Promise((resolve) => setTimeout(resolve, 50));
    if ((await this.counter(reloads)) === before)
      throw new Error(`Envoy does not take the configuration: ${this.log()}`);
  }

  async stop(): Promise<void> {
    const ended = new Promise((resolve) => this.child.once("exit", resolve));
    this.child.kill("SIGKILL");
    if (this.child.exitCode === null && this.child.signalCode === null) await ended;
    rmSync(this.directory, { recursive: true, force: true });
  }
}

function writeFilter(directory: string, configuration: unknown, version: number): void {
  const resource = {
    "@type": type("envoy.config.core.v3.TypedExtensionConfig"),
    name: FILTER,
    typed_config: {
      "@type": type("envoy.extensions.filters.http.wasm.v3.Wasm"),
      config: {
        name: FILTER,
        configuration: { "@type": type("google.protobuf.StringValue"), value: JSON.stringify(configuration) },
        vm_config: {
          runtime: "envoy.wasm.runtime.v8",
          vm_id: FILTER,
          code: { local: { filename: join(directory, `module-${version}.wasm`) } },
        },
      },
    },
  };
  writeFileSync(
    join(directory, "filter.next"),
    JSON.stringify({ version_info: String(Date.now()), resources: [resource] }),
  );
  renameSync(join(directory, "filter.next"), join(directory, "filter.json"));
}

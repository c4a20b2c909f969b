import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { envoyPath, freePort } from "./probe-envoy.ts";

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

const type = (name: string): string => `type.googleapis.com/${name}`;
const address = (port: number): unknown => ({ socket_address: { address: "127.0.0.1", port_value: port } });

function cluster(name: string, port: number, isHttp2: boolean): unknown {
  const options = {
    "@type": type("envoy.extensions.upstreams.http.v3.HttpProtocolOptions"),
    explicit_http_config: { http2_protocol_options: {} },
  };
  return {
    name,
    connect_timeout: "1s",
    type: "STATIC",
    load_assignment: { cluster_name: name, endpoints: [{ lb_endpoints: [{ endpoint: { address: address(port) } }] }] },
    ...(isHttp2 && {
      typed_extension_protocol_options: { "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": options },
    }),
  };
}

function wasm(kind: "http" | "network", file: string, configuration: unknown = {}, failurePolicy?: string): unknown {
  return {
    "@type": type(`envoy.extensions.filters.${kind}.wasm.v3.Wasm`),
    config: {
      name: kind,
      ...(failurePolicy !== undefined && { failure_policy: failurePolicy }),
      configuration: { "@type": type("google.protobuf.StringValue"), value: JSON.stringify(configuration) },
      vm_config: { runtime: "envoy.wasm.runtime.v8", vm_id: `${kind}-vm`, code: { local: { filename: file } } },
    },
  };
}

function bootstrap(
  directory: string,
  ports: { readonly http: number; readonly tcp: number; readonly nobody: number },
  setUp: CalloutsSetUp,
): unknown {
  const manager = {
    "@type": type("envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"),
    stat_prefix: "http",
    http_filters: [
      {
        name: "wasm",
        typed_config: wasm("http", join(directory, "http.wasm"), setUp.httpConfiguration, setUp.failurePolicy),
      },
      { name: "router", typed_config: { "@type": type("envoy.extensions.filters.http.router.v3.Router") } },
    ],
    route_config: {
      virtual_hosts: [
        { name: "all", domains: ["*"], routes: [{ match: { prefix: "/" }, route: { cluster: "inventory" } }] },
      ],
    },
  };
  const proxy = {
    "@type": type("envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy"),
    stat_prefix: "tcp",
    cluster: "tcp",
  };
  const filters = [
    { name: "wasm", typed_config: wasm("network", join(directory, "network.wasm"), setUp.networkConfiguration) },
    { name: "proxy", typed_config: proxy },
  ];
  return {
    static_resources: {
      listeners: [
        {
          name: "http",
          address: address(ports.http),
          enable_reuse_port: false,
          filter_chains: [{ filters: [{ name: "hcm", typed_config: manager }] }],
        },
        { name: "tcp", address: address(ports.tcp), enable_reuse_port: false, filter_chains: [{ filters }] },
      ],
      clusters: [
        cluster("inventory", setUp.http2Port, true),
        cluster("nobody", ports.nobody, true),
        cluster("tcp", setUp.tcpPort, false),
      ],
    },
  };
}

/**
 * A real Envoy with an HTTP filter on one port and a network filter on another; clusters `inventory` (HTTP/2), `nobody`
 * (unreachable), `tcp`.
 */
export class CalloutsEnvoy {
  readonly httpPort: number;
  readonly tcpPort: number;
  readonly #directory: string;
  readonly #child: ChildProcess;

  private constructor(ports: { readonly http: number; readonly tcp: number }, directory: string, child: ChildProcess) {
    this.httpPort = ports.http;
    this.tcpPort = ports.tcp;
    this.#directory = directory;
    this.#child = child;
  }

  /** Starts it and waits until it listens; throws with its log if it ends. */
  static async start(setUp: CalloutsSetUp): Promise<CalloutsEnvoy> {
    const directory = mkdtempSync(join(tmpdir(), "scrim-callouts-"));
    const ports = { http: await freePort(), tcp: await freePort(), nobody: await freePort() };
    writeFileSync(join(directory, "http.wasm"), setUp.http);
    writeFileSync(join(directory, "network.wasm"), setUp.network);
    writeFileSync(join(directory, "envoy.json"), JSON.stringify(bootstrap(directory, ports, setUp)));
    const child = spawn(
      envoyPath(),
      [
        "-c",
        join(directory, "envoy.json"),
        "--use-dynamic-base-id",
        "--concurrency",
        String(setUp.concurrency ?? 1),
        "-l",
        "warning",
        "--component-log-level",
        "wasm:info",
        "--file-flush-interval-msec",
        "50",
        "--log-path",
        join(directory, "log"),
      ],
      { stdio: "ignore" },
    );
    const envoy = new CalloutsEnvoy(ports, directory, child);
    for (let i = 0; i < 300; i++) {
      if (child.exitCode !== null) throw new Error(`Envoy ended: ${envoy.log()}`);
      if (await listens(ports.http)) return envoy;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    throw new Error(`Envoy does not listen: ${envoy.log()}`);
  }

  /** Everything Envoy logged so far. */
  log(): string {
    return existsSync(join(this.#directory, "log")) ? readFileSync(join(this.#directory, "log"), "utf8") : "";
  }

  async stop(): Promise<void> {
    const ended = new Promise((resolve) => this.#child.once("exit", resolve));
    this.#child.kill("SIGKILL");
    if (this.#child.exitCode === null && this.#child.signalCode === null) await ended;
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.on("connect", () => resolve(true)).on("error", () => resolve(false));
    socket.on("connect", () => socket.destroy());
  });
}

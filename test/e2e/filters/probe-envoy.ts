import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { createServer } from "node:net";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";

/** The Envoy to test with: asked for, or the one the set-up downloads. */
export function envoyPath(): string {
  const path =
    process.env["SCRIM_TEST_ENVOY"] ??
    process.env["ENVOY_PATH"] ??
    join(process.env["SCRIM_CACHE_DIR"] ?? join(homedir(), ".cache/scrim"), "envoy/1.40.0/envoy");
  if (!existsSync(path)) throw new Error(`no Envoy at ${path}: run \`npm run setup\`, or set SCRIM_TEST_ENVOY`);
  return path;
}

/** A port nobody listens on at the moment. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() =>
        typeof address === "object" && address ? resolve(address.port) : reject(new Error("no port")),
      );
    });
  });
}

/** One answer as a client sees it. */
export interface ClientResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** A real Envoy with one Wasm filter before a direct response "hello" (under /upstream: the cluster `callee`). */
export class ProbeEnvoy {
  readonly port: number;
  readonly #directory: string;
  readonly #child: ChildProcess;

  private constructor(port: number, directory: string, child: ChildProcess) {
    this.port = port;
    this.#directory = directory;
    this.#child = child;
  }

  /** Starts it and waits until it answers; throws with its log if it ends. */
  static async start(options: {
    readonly module: Uint8Array;
    readonly configuration: string;
    readonly calleePort: number;
    readonly metadata: unknown;
    readonly nodeMetadata: unknown;
  }): Promise<ProbeEnvoy> {
    const directory = mkdtempSync(join(tmpdir(), "scrim-probe-"));
    const port = await freePort();
    writeFileSync(join(directory, "module.wasm"), options.module);
    writeFileSync(join(directory, "envoy.json"), JSON.stringify(bootstrap(directory, port, options)));
    const child = spawn(
      envoyPath(),
      [
        "-c",
        join(directory, "envoy.json"),
        "--use-dynamic-base-id",
        "--concurrency",
        "1",
        "-l",
        "warning",
        "--file-flush-interval-msec",
        "50",
        "--log-path",
        join(directory, "log"),
      ],
      { stdio: "ignore" },
    );
    const envoy = new ProbeEnvoy(port, directory, child);
    for (let i = 0; i < 300; i++) {
      if (child.exitCode !== null) throw new Error(`Envoy ended: ${envoy.log()}`);
      if (
        await envoy.send({ path: "/ready" }).then(
          () => true,
          () => false,
        )
      )
        return envoy;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    throw new Error(`Envoy does not answer: ${envoy.log()}`);
  }

  /** Sends one request on a connection of its own. */
  send(options: {
    readonly method?: string;
    readonly path?: string;
    readonly headers?: Record<string, string | string[]>;
    readonly body?: string;
  }): Promise<ClientResponse> {
    return new Promise((resolve, reject) => {
      const sent = request(
        {
          host: "127.0.0.1",
          port: this.port,
          method: options.method ?? "GET",
          path: options.path ?? "/",
          headers: { host: "probe.test", ...options.headers },
          agent: false,
        },
        (response) => {
          const parts: Buffer[] = [];
          response.on("data", (part: Buffer) => parts.push(part));
          response.on("end", () =>
            resolve({
              status: response.statusCode ?? 0,
              headers: Object.fromEntries(
                Object.entries(response.headers).map(([name, value]) => [name, String(value)]),
              ),
              body: Buffer.concat(parts).toString("latin1"),
            }),
          );
        },
      );
      sent.on("error", reject);
      sent.end(options.body);
    });
  }

  /** Everything Envoy logged so far. */
  log(): string {
    return existsSync(join(this.#directory, "log")) ? readFileSync(join(this.#directory, "log"), "utf8") : "";
  }

  /** Lines of the access log: `<x-case> <code> <details> <filter state>`. */
  accessLog(): string[] {
    return readFileSync(join(this.#directory, "access"), "utf8")
      .split("\n")
      .filter((line) => line !== "");
  }

  async stop(): Promise<void> {
    const ended = new Promise((resolve) => this.#child.once("exit", resolve));
    this.#child.kill("SIGKILL");
    if (this.#child.exitCode === null && this.#child.signalCode === null) await ended;
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

const type = (name: string): string => `type.googleapis.com/${name}`;

function bootstrap(directory: string, port: number, options: Parameters<typeof ProbeEnvoy.start>[0]): unknown {
  const wasm = {
    "@type": type("envoy.extensions.filters.http.wasm.v3.Wasm"),
    config: {
      name: "probe",
      root_id: "probe-root",
      configuration: { "@type": type("google.protobuf.StringValue"), value: options.configuration },
      vm_config: {
        runtime: "envoy.wasm.runtime.v8",
        vm_id: "probe-vm",
        code: { local: { filename: join(directory, "module.wasm") } },
      },
    },
  };
  const connectionManager = {
    "@type": type("envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"),
    stat_prefix: "probe",
    generate_request_id: false,
    access_log: [
      {
        name: "file",
        typed_config: {
          "@type": type("envoy.extensions.access_loggers.file.v3.FileAccessLog"),
          path: join(directory, "access"),
          log_format: {
            text_format_source: {
              inline_string:
                "%REQ(x-case)% %RESPONSE_CODE% %RESPONSE_CODE_DETAILS% %FILTER_STATE(wasm.probe.state:PLAIN)%\n",
            },
          },
        },
      },
    ],
    http_filters: [
      { name: "probe", typed_config: wasm },
      { name: "router", typed_config: { "@type": type("envoy.extensions.filters.http.router.v3.Router") } },
    ],
    route_config: {
      virtual_hosts: [
        {
          name: "all",
          domains: ["*"],
          metadata: { filter_metadata: options.metadata },
          routes: [
            { match: { prefix: "/upstream" }, route: { cluster: "callee" } },
            { match: { prefix: "/" }, direct_response: { status: 200, body: { inline_string: "hello" } } },
          ],
        },
      ],
    },
  };
  const address = (at: number): unknown => ({ socket_address: { address: "127.0.0.1", port_value: at } });
  return {
    node: { id: "probe-node", cluster: "probe-cluster", metadata: options.nodeMetadata },
    static_resources: {
      listeners: [
        {
          name: "probe",
          address: address(port),
          enable_reuse_port: false,
          filter_chains: [{ filters: [{ name: "hcm", typed_config: connectionManager }] }],
        },
      ],
      clusters: [
        {
          name: "callee",
          connect_timeout: "1s",
          type: "STATIC",
          load_assignment: {
            cluster_name: "callee",
            endpoints: [{ lb_endpoints: [{ endpoint: { address: address(options.calleePort) } }] }],
          },
        },
      ],
    },
  };
}

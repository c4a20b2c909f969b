// A real Envoy with one Wasm filter before a direct response "hello" (under /upstream: the cluster `callee`).
import { readFileSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { scratchDirectory } from "../../support/children.ts";
import { type Envoy, startEnvoy } from "../../support/envoy.ts";
import {
  address,
  connectionManager,
  fileAccessLog,
  router,
  staticCluster,
  wasmConfig,
} from "../../support/envoy-config.ts";

/** One answer as a client sees it. */
export interface ClientResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface Sending {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Record<string, string | string[]>;
  readonly body?: string;
}

export interface ProbeEnvoy extends Envoy {
  /** Sends one request on a connection of its own. */
  send(options: Sending): Promise<ClientResponse>;
  /** Lines of the access log: `<x-case> <code> <details> <filter state>`. */
  accessLog(): string[];
}

export interface ProbeOptions {
  readonly module: Uint8Array;
  readonly configuration: string;
  readonly calleePort: number;
  readonly metadata: unknown;
  readonly nodeMetadata: unknown;
}

/** Starts it and waits until it answers; throws with its log if it ends. */
export async function startProbeEnvoy(options: ProbeOptions): Promise<ProbeEnvoy> {
  const directory = scratchDirectory();
  writeFileSync(join(directory, "module.wasm"), options.module);
  const envoy = await startEnvoy(bootstrap(directory, options), { directory });
  const port = await envoy.port("probe");
  return {
    ...envoy,
    send: (options) => send(port, options),
    accessLog: () =>
      readFileSync(join(directory, "access"), "utf8")
        .split("\n")
        .filter((line) => line !== ""),
  };
}

function send(port: number, { method = "GET", path = "/", headers, body }: Sending): Promise<ClientResponse> {
  const options = { host: "127.0.0.1", port, method, path, headers: { host: "probe.test", ...headers }, agent: false };
  return new Promise((resolve, reject) => {
    const sent = request(options, (response) => {
      const parts: Buffer[] = [];
      response.on("data", (part: Buffer) => parts.push(part));
      response.on("end", () =>
        resolve({
          status: response.statusCode ?? 0,
          headers: Object.fromEntries(Object.entries(response.headers).map(([name, value]) => [name, String(value)])),
          body: Buffer.concat(parts).toString("latin1"),
        }),
      );
    });
    sent.on("error", reject);
    sent.end(body);
  });
}

function bootstrap(directory: string, options: ProbeOptions): object {
  const wasm = wasmConfig("http", {
    name: "probe",
    file: join(directory, "module.wasm"),
    configuration: options.configuration,
    vmId: "probe-vm",
    rootId: "probe-root",
  });
  const format = "%REQ(x-case)% %RESPONSE_CODE% %RESPONSE_CODE_DETAILS% %FILTER_STATE(wasm.probe.state:PLAIN)%\n";
  const routes = [
    { match: { prefix: "/upstream" }, route: { cluster: "callee" } },
    { match: { prefix: "/" }, direct_response: { status: 200, body: { inline_string: "hello" } } },
  ];
  const metadata = { filter_metadata: options.metadata };
  const manager = connectionManager("probe", {
    generate_request_id: false,
    access_log: [fileAccessLog(join(directory, "access"), format)],
    http_filters: [{ name: "probe", typed_config: wasm }, router],
    route_config: { virtual_hosts: [{ name: "all", domains: ["*"], metadata, routes }] },
  });
  const listener = { name: "probe", address: address(0), enable_reuse_port: false };
  return {
    node: { id: "probe-node", cluster: "probe-cluster", metadata: options.nodeMetadata },
    static_resources: {
      listeners: [{ ...listener, filter_chains: [{ filters: [manager] }] }],
      clusters: [staticCluster("callee", options.calleePort)],
    },
  };
}

// One real Envoy for the four filters: an inbound listener (mutual TLS and plaintext), an outbound one with header
// routes, a limited one.
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { LABELS } from "../../../filters/telemetry/labels.ts";
import { envoyPath, freePort } from "./probe-envoy.ts";
import { TestIdentities, type TestKeyPair } from "../../support/test-identities.ts";

const type = (name: string): string => `type.googleapis.com/${name}`;
const FILTERS = new URL("../../../filters/build/", import.meta.url).pathname;

/** Each function in a module of its own, or those that stand together in mesh.wasm. */
export type FilterModules = "separate" | "fused";

/** What a test says about the filters. */
export interface FilterSettings {
  readonly modules: FilterModules;
  readonly policies: unknown;
  readonly limits: unknown;
  /** Rules of the virtual host `reviews`, and the keys that lead to subset v2. */
  readonly rules: unknown;
  readonly v2Keys: readonly string[];
  readonly backendPort: number;
}

/** Ports of the listeners. */
export interface FilterPorts {
  readonly admin: number;
  readonly mesh: number;
  readonly outbound: number;
  readonly limited: number;
}

const tlsContext = (identities: TestIdentities, own: TestKeyPair): unknown => ({
  tls_certificates: [
    { certificate_chain: { inline_string: own.certificate }, private_key: { inline_string: own.key } },
  ],
  validation_context: { trusted_ca: { inline_string: identities.rootPem } },
});

const wasm = (name: string, configuration: unknown, vmId = ""): unknown => ({
  name,
  typed_config: {
    "@type": type("envoy.extensions.filters.http.wasm.v3.Wasm"),
    config: {
      name,
      configuration: { "@type": type("google.protobuf.StringValue"), value: JSON.stringify(configuration) },
      vm_config: {
        runtime: "envoy.wasm.runtime.v8",
        vm_id: vmId,
        code: { local: { filename: join(FILTERS, `${name.split(".")[0]}.wasm`) } },
      },
    },
  },
});

const router = { name: "router", typed_config: { "@type": type("envoy.extensions.filters.http.router.v3.Router") } };

/** Between router and telemetry, as in a sidecar: it makes Envoy resolve the route that the router chose. */
const fault = {
  name: "envoy.filters.http.fault",
  typed_config: { "@type": type("envoy.extensions.filters.http.fault.v3.HTTPFault") },
};

function connectionManager(directory: string, name: string, filters: unknown[], virtualHosts: unknown[]): unknown {
  return {
    name: "hcm",
    typed_config: {
      "@type": type("envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"),
      stat_prefix: name,
      normalize_path: true,
      merge_slashes: true,
      path_with_escaped_slashes_action: "UNESCAPE_AND_FORWARD",
      access_log: [
        {
          name: "file",
          typed_config: {
            "@type": type("envoy.extensions.access_loggers.file.v3.FileAccessLog"),
            path: join(directory, "access"),
            log_format: {
              text_format_source: { inline_string: `${name} %REQ(x-case)% %RESPONSE_CODE% %RESPONSE_CODE_DETAILS%\n` },
            },
          },
        },
      ],
      http_filters: [...filters, router],
      route_config: { name, virtual_hosts: virtualHosts },
    },
  };
}

const address = (port: number): unknown => ({ socket_address: { address: "127.0.0.1", port_value: port } });

const peerAddress = {
  name: "peer-address",
  typed_config: {
    "@type": type("envoy.extensions.filters.network.set_filter_state.v3.Config"),
    on_new_connection: [
      {
        object_key: "scrim.peer_address",
        factory_key: "envoy.string",
        format_string: { text_format_source: { inline_string: "%DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT%" } },
      },
    ],
  },
};

function bootstrap(
  directory: string,
  ports: FilterPorts,
  settings: FilterSettings,
  identities: TestIdentities,
): unknown {
  const separate = settings.modules === "separate";
  const inboundFilters = separate
    ? [wasm("telemetry.inbound", { reporter: "destination" }), wasm("authz", { policies: settings.policies })]
    : [wasm("mesh.inbound", { authz: { policies: settings.policies }, telemetry: { reporter: "destination" } })];
  const inbound = connectionManager(directory, "inbound", inboundFilters, [
    { name: "inbound", domains: ["*"], routes: [{ match: { prefix: "/" }, route: { cluster: "inbound|9080||" } }] },
  ]);
  const choice = (key: string): unknown => ({
    filter_state: [{ key: "wasm.scrim.route", string_match: { exact: key } }],
    prefix: "/",
  });
  const outboundFilters = separate
    ? [wasm("router", {}), fault, wasm("telemetry.outbound", { reporter: "source" })]
    : [wasm("mesh.outbound", { router: {}, telemetry: { reporter: "source" } })];
  const outbound = connectionManager(directory, "outbound", outboundFilters, [
    {
      name: "reviews:80",
      domains: ["reviews"],
      metadata: { filter_metadata: { "scrim.router": { id: "content-1", rules: JSON.stringify(settings.rules) } } },
      routes: [
        ...settings.v2Keys.map((key) => ({
          match: choice(key),
          route: { cluster: "outbound|80|v2|reviews.default.svc.cluster.local" },
        })),
        { match: choice("default"), route: { cluster: "outbound|80|v1|reviews.default.svc.cluster.local" } },
      ],
    },
    { name: "outside", domains: ["*"], routes: [{ match: { prefix: "/" }, route: { cluster: "outside" } }] },
  ]);
  const limited = connectionManager(
    directory,
    "limited",
    [
      separate
        ? wasm("ratelimit", settings.limits, "scrim.ratelimit")
        : wasm("mesh.limited", { ratelimit: settings.limits }, "scrim.ratelimit"),
    ],
    [
      {
        name: "limited",
        domains: ["*"],
        routes: [{ match: { prefix: "/" }, direct_response: { status: 200, body: { inline_string: "ok" } } }],
      },
    ],
  );
  const serverTls = {
    name: "tls",
    typed_config: {
      "@type": type("envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext"),
      require_client_certificate: true,
      common_tls_context: tlsContext(identities, identities.of("reviews")),
    },
  };
  const clientTls = {
    name: "tls",
    typed_config: {
      "@type": type("envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext"),
      common_tls_context: tlsContext(identities, identities.of("productpage")),
    },
  };
  const cluster = (
    name: string,
    port: number,
    metadata: unknown,
    workload: string | undefined,
    transport?: unknown,
  ): unknown => ({
    name,
    type: "STATIC",
    metadata: { filter_metadata: metadata },
    ...(transport ? { transport_socket: transport } : {}),
    load_assignment: {
      cluster_name: name,
      endpoints: [
        {
          lb_endpoints: [
            {
              endpoint: { address: address(port) },
              ...(workload ? { metadata: { filter_metadata: { istio: { workload } } } } : {}),
            },
          ],
        },
      ],
    },
  });
  const reviews = { scrim: { service: "reviews.default.svc.cluster.local;reviews;default", mesh: "internal" } };
  const subset = (version: string): unknown =>
    cluster(
      `outbound|80|${version}|reviews.default.svc.cluster.local`,
      ports.mesh,
      reviews,
      `reviews-${version};default;reviews;${version};Kubernetes`,
      clientTls,
    );
  return {
    node: {
      id: "sidecar~127.0.0.1~p.default~default.svc.cluster.local",
      cluster: "test",
      metadata: {
        NAME: "p",
        NAMESPACE: "default",
        WORKLOAD_NAME: "productpage-v1",
        CLUSTER_ID: "Kubernetes",
        LABELS: { app: "productpage", version: "v1", "service.istio.io/canonical-name": "productpage" },
      },
    },
    admin: { address: address(ports.admin) },
    stats_config: { stats_tags: LABELS.map((label) => ({ tag_name: label, regex: `(;${label}=([^;]*))` })) },
    static_resources: {
      listeners: [
        {
          name: "mesh",
          address: address(ports.mesh),
          listener_filters: [
            {
              name: "tls_inspector",
              typed_config: { "@type": type("envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector") },
            },
          ],
          filter_chains: [
            {
              filter_chain_match: { transport_protocol: "tls" },
              transport_socket: serverTls,
              filters: [peerAddress, inbound],
            },
            { filter_chain_match: { transport_protocol: "raw_buffer" }, filters: [peerAddress, inbound] },
          ],
        },
        { name: "outbound", address: address(ports.outbound), filter_chains: [{ filters: [outbound] }] },
        { name: "limited", address: address(ports.limited), filter_chains: [{ filters: [peerAddress, limited] }] },
      ],
      clusters: [
        cluster("inbound|9080||", settings.backendPort, reviews, undefined),
        subset("v1"),
        subset("v2"),
        cluster(
          "outside",
          settings.backendPort,
          { scrim: { service: "outside.test;outside.test;default", mesh: "external" } },
          undefined,
        ),
      ],
    },
  };
}

/** A running Envoy with the four filters. */
export class FiltersEnvoy {
  private constructor(
    readonly ports: FilterPorts,
    readonly identities: TestIdentities,
    readonly directory: string,
    readonly child: ChildProcess,
  ) {}

  /** Starts it with two workers and waits until its listeners answer; throws with its log if it ends. */
  static async start(settings: FilterSettings): Promise<FiltersEnvoy> {
    const directory = mkdtempSync(join(tmpdir(), "scrim-filters-"));
    const [admin = 0, mesh = 0, outbound = 0, limited = 0] = await Promise.all([
      freePort(),
      freePort(),
      freePort(),
      freePort(),
    ]);
    const ports = { admin, mesh, outbound, limited };
    const identities = new TestIdentities();
    const config = join(directory, "envoy.json");
    writeFileSync(config, JSON.stringify(bootstrap(directory, ports, settings, identities)));
    const args = [
      "-c",
      config,
      "--use-dynamic-base-id",
      "--concurrency",
      "2",
      "-l",
      "info",
      "--component-log-level",
      "wasm:debug",
      "--log-path",
      join(directory, "log"),
      "--file-flush-interval-msec",
      "50",
    ];
    const child = spawn(envoyPath(), args, { stdio: "ignore" });
    const envoy = new FiltersEnvoy(ports, identities, directory, child);
    for (let i = 0; i < 600; i++) {
      if (child.exitCode !== null) throw new Error(`Envoy ended: ${envoy.log().slice(-4000)}`);
      const ready = await fetch(`http://127.0.0.1:${admin}/ready`).then(
        (response) => response.ok,
        () => false,
      );
      if (ready) return envoy;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error(`Envoy does not get ready: ${envoy.log().slice(-4000)}`);
  }

  log(): string {
    return existsSync(join(this.directory, "log")) ? readFileSync(join(this.directory, "log"), "utf8") : "";
  }

  /** The access log's lines: `<listener> <x-case> <code> <details>`. Envoy flushes them with a delay. */
  accessLog(): string[] {
    return existsSync(join(this.directory, "access"))
      ? readFileSync(join(this.directory, "access"), "utf8").split("\n")
      : [];
  }

  async prometheus(): Promise<string> {
    return (await fetch(`http://127.0.0.1:${this.ports.admin}/stats/prometheus`)).text();
  }

  async stop(): Promise<void> {
    const ended = new Promise((resolve) => this.child.once("exit", resolve));
    this.child.kill("SIGKILL");
    if (this.child.exitCode === null && this.child.signalCode === null) await ended;
    rmSync(this.directory, { recursive: true, force: true });
  }
}

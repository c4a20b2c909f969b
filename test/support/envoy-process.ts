// A real Envoy of its own for one test: bootstrapped to an ADS server over TLS with a token, with an admin page, ended
// by its pid.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

export interface EnvoyOptions {
  readonly xds: { readonly host: string; readonly port: number };
  readonly rootPem: string;
  /** Undefined sends no authorization at all. */
  readonly token: string | undefined;
  readonly nodeId: string;
  readonly metadata?: Readonly<Record<string, unknown>>;
}

export interface EnvoyProcess {
  /** An admin page's text. */
  admin(path: string): Promise<string>;
  /** A counter or gauge by its full name; undefined while it does not exist. */
  stat(name: string): Promise<number | undefined>;
  /** The `host:port` a listener is bound to. */
  listener(name: string): Promise<string | undefined>;
  /** What Envoy logged so far. */
  log(): string;
  stop(): Promise<void>;
}

function envoyPath(): string {
  const cached = join(process.env["SCRIM_CACHE_DIR"] ?? join(homedir(), ".cache", "scrim"), "envoy", "1.40.0", "envoy");
  const path = process.env["ENVOY_PATH"] ?? cached;
  if (!existsSync(path)) throw new Error(`no Envoy at ${path}: run npm run setup, or set ENVOY_PATH`);
  return path;
}

/** An Envoy that was started, for delta ADS over TLS; it may not have connected yet. */
export function startEnvoy(options: EnvoyOptions): Promise<EnvoyProcess> {
  return startEnvoyWith(bootstrap(options));
}

/** An Envoy that was started with a bootstrap of one's own (proto3 JSON). */
export async function startEnvoyWith(config: unknown): Promise<EnvoyProcess> {
  const directory = mkdtempSync(join(tmpdir(), "scrim-envoy-"));
  const configPath = join(directory, "bootstrap.json");
  const addressPath = join(directory, "admin-address");
  writeFileSync(configPath, JSON.stringify(config));
  const args = [
    "-c",
    configPath,
    "--use-dynamic-base-id",
    "--concurrency",
    "1",
    "--admin-address-path",
    addressPath,
    "-l",
    "info",
  ];
  const child = spawn(envoyPath(), args, { stdio: ["ignore", "ignore", "pipe"] });
  let log = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (log += text));
  await until(
    () => (existsSync(addressPath) && readFileSync(addressPath, "utf8") !== "") || child.exitCode !== null,
    `Envoy's admin page`,
    () => log,
  );
  const adminUrl = `http://${readFileSync(addressPath, "utf8").trim()}`;
  const admin = async (path: string): Promise<string> => (await fetch(`${adminUrl}${path}`)).text();
  return {
    admin,
    async stat(name) {
      const { stats } = JSON.parse(
        await admin(`/stats?format=json&filter=${encodeURIComponent(`^${name.replaceAll(".", "\\.")}$`)}`),
      ) as { stats: { name?: string; value?: number }[] };
      return stats.find((stat) => stat.name === name)?.value;
    },
    async listener(name) {
      const line = (await admin("/listeners")).split("\n").find((text) => text.startsWith(`${name}::`));
      return line?.slice(name.length + 2);
    },
    log: () => log,
    async stop() {
      const isOver = child.exitCode !== null ? Promise.resolve() : once(child, "exit");
      child.kill("SIGKILL");
      await isOver;
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** Resolves once the condition holds; fails with what was waited for after a generous time. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  what: string,
  evidence: () => string = () => "",
): Promise<void> {
  for (let tries = 0; tries < 600; tries++) {
    if (await condition()) return;
    await delay(50);
  }
  throw new Error(`waited in vain for ${what}\n${evidence().slice(-4_000)}`);
}

/** The bootstrap's cluster `xds`, for a control plane on a plaintext port of this machine. */
export function plaintextXdsCluster(port: number): unknown {
  const http2 = {
    "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
    explicit_http_config: { http2_protocol_options: {} },
  };
  return {
    name: "xds",
    type: "STATIC",
    load_assignment: {
      cluster_name: "xds",
      endpoints: [
        { lb_endpoints: [{ endpoint: { address: { socket_address: { address: "127.0.0.1", port_value: port } } } }] },
      ],
    },
    typed_extension_protocol_options: { "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": http2 },
  };
}

function bootstrap({ xds, rootPem, token, nodeId, metadata }: EnvoyOptions): unknown {
  const tls = {
    "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
    sni: "istiod.istio-system.svc",
    common_tls_context: {
      tls_params: { tls_maximum_protocol_version: "TLSv1_3" },
      validation_context: {
        trusted_ca: { inline_string: rootPem },
        match_typed_subject_alt_names: [{ san_type: "DNS", matcher: { exact: "istiod.istio-system.svc" } }],
      },
    },
  };
  const http2 = {
    "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
    explicit_http_config: { http2_protocol_options: {} },
  };
  const endpoint = { address: { socket_address: { address: xds.host, port_value: xds.port } } };
  const retry = { retry_back_off: { base_interval: "0.05s", max_interval: "0.2s" } };
  const source = { ads: {}, resource_api_version: "V3", initial_fetch_timeout: "0s" };
  return {
    node: { id: nodeId, cluster: "test", metadata },
    admin: { address: { socket_address: { address: "127.0.0.1", port_value: 0 } } },
    dynamic_resources: {
      lds_config: source,
      cds_config: source,
      ads_config: {
        api_type: "DELTA_GRPC",
        transport_api_version: "V3",
        set_node_on_first_message_only: true,
        grpc_services: [
          {
            envoy_grpc: { cluster_name: "xds-grpc", retry_policy: retry },
            initial_metadata: token === undefined ? [] : [{ key: "authorization", value: `Bearer ${token}` }],
          },
        ],
      },
    },
    static_resources: {
      clusters: [
        {
          name: "xds-grpc",
          type: "STATIC",
          load_assignment: { cluster_name: "xds-grpc", endpoints: [{ lb_endpoints: [{ endpoint }] }] },
          typed_extension_protocol_options: { "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": http2 },
          transport_socket: { name: "envoy.transport_sockets.tls", typed_config: tls },
        },
      ],
    },
  };
}

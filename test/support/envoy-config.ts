// Pieces of static Envoy configuration (proto3 JSON) that tests put together.

export const typeUrl = (name: string): string => `type.googleapis.com/${name}`;

/** An address on 127.0.0.1; port 0: any that is free, which `Envoy.port` then tells. */
export const address = (port: number): object => ({ socket_address: { address: "127.0.0.1", port_value: port } });

/** The last HTTP filter of every chain. */
export const router = {
  name: "router",
  typed_config: { "@type": typeUrl("envoy.extensions.filters.http.router.v3.Router") },
};

const HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";

/** Makes a cluster speak HTTP/2. */
export const http2Upstream = {
  typed_extension_protocol_options: {
    [HTTP_OPTIONS]: { "@type": typeUrl(HTTP_OPTIONS), explicit_http_config: { http2_protocol_options: {} } },
  },
};

/** A cluster of one address on 127.0.0.1; `more` stands beside it, `endpoint` beside its address. */
export function staticCluster(name: string, port: number, more: object = {}, endpoint: object = {}): object {
  const endpoints = [{ lb_endpoints: [{ endpoint: { address: address(port) }, ...endpoint }] }];
  return {
    name,
    type: "STATIC",
    connect_timeout: "1s",
    load_assignment: { cluster_name: name, endpoints },
    ...more,
  };
}

/** The network filter that speaks HTTP; `more` is what its configuration says beside the statistics' prefix. */
export function connectionManager(name: string, more: object): object {
  return {
    name: "hcm",
    typed_config: {
      "@type": typeUrl("envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"),
      stat_prefix: name,
      ...more,
    },
  };
}

/** An access log in a file, a line of this format for each request. */
export function fileAccessLog(path: string, format: string): object {
  return {
    name: "file",
    typed_config: {
      "@type": typeUrl("envoy.extensions.access_loggers.file.v3.FileAccessLog"),
      path,
      log_format: { text_format_source: { inline_string: format } },
    },
  };
}

export interface WasmModule {
  readonly name: string;
  readonly file: string;
  /** The plugin's configuration as it reads it. */
  readonly configuration: string;
  readonly vmId: string;
  readonly rootId?: string;
  /** Default Envoy's own: fail closed. */
  readonly failurePolicy?: string | undefined;
}

/** The configuration of a Wasm filter, HTTP's or the network's, whose module is in a file. */
export function wasmConfig(kind: "http" | "network", module: WasmModule): object {
  return {
    "@type": typeUrl(`envoy.extensions.filters.${kind}.wasm.v3.Wasm`),
    config: {
      name: module.name,
      root_id: module.rootId,
      failure_policy: module.failurePolicy,
      configuration: { "@type": typeUrl("google.protobuf.StringValue"), value: module.configuration },
      vm_config: {
        runtime: "envoy.wasm.runtime.v8",
        vm_id: module.vmId,
        code: { local: { filename: module.file } },
      },
    },
  };
}

// The chains that are compared.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { LABELS } from "../../filters/telemetry/labels.ts";
import { buildRust, compileRaw, initialMemoryOf } from "../modules/compile.ts";
import { root } from "../places.ts";
import { authzExample, meshExample, ratelimitExample, routerExample, telemetryExample } from "./examples.ts";

export interface WasmPart {
  readonly path: string;
  /** The plugin's configuration; "" for none. */
  readonly configuration: string;
}

/** One chain. */
export interface Case {
  readonly name: string;
  readonly group: "baseline" | "scrim" | "native" | "by hand" | "Rust SDK";
  readonly wasm: readonly WasmPart[];
  /** Native filters as Envoy's JSON. */
  readonly native: readonly object[];
  /** The virtual host carries header rules. */
  readonly hasRules?: boolean;
  /** Access loggers as Envoy's JSON. */
  readonly loggers?: readonly object[];
}

export interface Cases {
  readonly cases: readonly Case[];
  /** What could not take part, and why. */
  readonly absent: readonly string[];
}

export const EMPTY = "empty chain";

function ours(name: string, configuration: string): WasmPart {
  return { path: join(root, "filters/build", `${name}.wasm`), configuration };
}

async function byHand(name: "noop" | "authz" | "ratelimit" | "four"): Promise<WasmPart> {
  return { path: await compileRaw(name), configuration: "" };
}

function one(name: string, group: Case["group"], wasm: readonly WasmPart[], hasRules = false): Case {
  return { name, group, wasm, native: [], hasRules };
}

/** Returns every case this machine can run. */
export async function allCases(): Promise<Cases> {
  const [authz, ratelimit, router, telemetry] = [
    ours("authz", authzExample()),
    ours("ratelimit", ratelimitExample()),
    ours("router", routerExample()),
    ours("telemetry", telemetryExample()),
  ];
  const noop = await byHand("noop");
  const rust = await buildRust();
  const cases: Case[] = [
    one(EMPTY, "baseline", []),
    one("no-op module", "baseline", [noop]),
    one("four no-op modules", "baseline", [noop, noop, noop, noop]),
    one("authz", "scrim", [authz]),
    one("ratelimit", "scrim", [ratelimit]),
    one("router", "scrim", [router], true),
    one("telemetry", "scrim", [telemetry]),
    one("all four separate", "scrim", [telemetry, authz, ratelimit, router], true),
    one("all four fused", "scrim", [ours("mesh", meshExample())], true),
    { name: "native RBAC", group: "native", wasm: [], native: nativeRbac },
    { name: "native local_ratelimit", group: "native", wasm: [], native: [nativeLimit] },
    { name: "native RBAC + local_ratelimit", group: "native", wasm: [], native: [...nativeRbac, nativeLimit] },
    { name: "native stats logger", group: "native", wasm: [], native: [], loggers: [statsLogger] },
    one("authz by hand", "by hand", [await byHand("authz")]),
    one("ratelimit by hand", "by hand", [await byHand("ratelimit")]),
    one("all four by hand", "by hand", [await byHand("four")], true),
    ...(rust.kind === "built"
      ? [
          inRust("Rust SDK authz", "authz"),
          inRust("Rust SDK ratelimit", "ratelimit"),
          inRust("Rust SDK bucket", ""),
        ].map(({ name, configuration }) => one(name, "Rust SDK", [{ path: rust.path, configuration }]))
      : []),
  ];
  return { cases, absent: rust.kind === "absent" ? [`Rust SDK: ${rust.reason}`] : [] };
}

/** One job of the Rust SDK's module. */
const inRust = (name: string, configuration: string): { readonly name: string; readonly configuration: string } => ({
  name,
  configuration,
});

/** Returns the linear memory of a case's modules at start, in KiB, for one worker. */
export function linearMemoryKiB({ wasm }: Case): number {
  return wasm.reduce((sum, { path }) => sum + initialMemoryOf(readFileSync(path)) / 1024, 0);
}

const rbacType = "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC";
const path = (match: object): object => ({ url_path: { path: match } });
const headerIs = (name: string, value: string): object => ({ header: { name, string_match: { exact: value } } });

/** authz's example in Envoy's own words: what denies, then what allows. */
const nativeRbac: readonly object[] = [
  {
    name: "deny",
    typed_config: {
      "@type": rbacType,
      rules: {
        action: "DENY",
        policies: {
          "no-admin": {
            permissions: [path({ prefix: "/admin" }), headerIs("x-role", "banned")],
            principals: [{ any: true }],
          },
        },
      },
    },
  },
  {
    name: "allow",
    typed_config: {
      "@type": rbacType,
      rules: {
        action: "ALLOW",
        policies: {
          orders: {
            permissions: [
              {
                and_rules: {
                  rules: [
                    { or_rules: { rules: [headerIs(":method", "GET"), headerIs(":method", "POST")] } },
                    path({ safe_regex: { regex: "/reviews/[^/]+" } }),
                  ],
                },
              },
            ],
            principals: [
              { authenticated: { principal_name: { exact: "spiffe://cluster.local/ns/default/sa/orderservice-sa" } } },
              { direct_remote_ip: { address_prefix: "127.0.0.0", prefix_len: 8 } },
            ],
          },
        },
      },
    },
  },
];

/** One bucket per worker for everyone: less than ratelimit's example, which has one for each user too. */
const nativeLimit = {
  name: "limit",
  typed_config: {
    "@type": "type.googleapis.com/envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit",
    stat_prefix: "limit",
    token_bucket: { max_tokens: 100_000_000, tokens_per_fill: 100_000_000, fill_interval: "1s" },
    filter_enabled: { default_value: { numerator: 100 } },
    filter_enforced: { default_value: { numerator: 100 } },
  },
};

/** telemetry's metrics and labels by Envoy's own logger; of peers it knows what a header and a certificate say. */
const statsLogger = ((): object => {
  const formats: Readonly<Record<string, string>> = {
    response_code: "%RESPONSE_CODE%",
    response_flags: "%RESPONSE_FLAGS%",
    request_protocol: "%PROTOCOL%",
    grpc_response_status: "%GRPC_STATUS_NUMBER%",
    source_principal: "%DOWNSTREAM_PEER_URI_SAN%",
    destination_principal: "%DOWNSTREAM_LOCAL_URI_SAN%",
    source_workload: "%DYNAMIC_METADATA(scrim.peer:workload)%",
    source_workload_namespace: "%DYNAMIC_METADATA(scrim.peer:namespace)%",
    source_app: "%DYNAMIC_METADATA(scrim.peer:app)%",
    source_version: "%DYNAMIC_METADATA(scrim.peer:version)%",
  };
  const tags = LABELS.map((name) => ({ name, value_format: formats[name] ?? "bench" }));
  const histogram = (name: string, value: string, unit: string): object => ({
    stat: { name, tags },
    unit,
    value_format: value,
  });
  return {
    name: "stats",
    typed_config: {
      "@type": "type.googleapis.com/envoy.extensions.access_loggers.stats.v3.Config",
      stat_prefix: "istio",
      counters: [{ stat: { name: "requests_total", tags }, value_fixed: 1 }],
      histograms: [
        histogram("request_duration_milliseconds", "%DURATION%", "Milliseconds"),
        histogram("request_bytes", "%BYTES_RECEIVED%", "Bytes"),
        histogram("response_bytes", "%BYTES_SENT%", "Bytes"),
      ],
    },
  };
})();

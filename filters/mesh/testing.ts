// What the mesh filter's tests share.
import { readFileSync } from "node:fs";
import { createHost, type Host } from "proxy-wasm-host";
import { expect } from "vitest";

/** A file of this folder. */
export const file = (name: string): Buffer => readFileSync(new URL(name, import.meta.url));

/** What the module can be, in the order of its configuration's example. */
export const FUNCTIONS = ["authz", "ratelimit", "router", "telemetry"] as const;
export type FunctionName = (typeof FUNCTIONS)[number];
export type Configurations = Partial<Record<FunctionName, unknown>>;

/** The built filters. */
export const modules = Object.fromEntries(
  [...FUNCTIONS, "mesh" as const].map((name) => [name, file(`../build/${name}.wasm`)]),
) as Record<FunctionName | "mesh", Buffer>;

/** A request. */
export interface Sent {
  readonly headers: Record<string, string>;
  readonly attributes: Record<string, unknown>;
}

/** What can be told apart from outside. */
export interface Seen {
  readonly refusal: string;
  readonly upstream: Record<string, string | undefined>;
  readonly choice: string | undefined;
}

/** Request headers that functions change. */
export const WATCHED = ["x-user", "x-envoy-peer-metadata", "x-envoy-peer-metadata-id"];

/** The node of the proxy. */
export const NODE = {
  id: "sidecar~10.0.0.1~orders-0.default~default.svc",
  metadata: {
    NAME: "orders-0",
    NAMESPACE: "default",
    WORKLOAD_NAME: "orders",
    CLUSTER_ID: "c",
    LABELS: { app: "orders" },
  },
};

/** Its attributes. */
export const node = { xds: { node: NODE } } as never;

/** Runs the request through the hosts one after the other, as the filters of one chain. */
export function pass(chain: readonly Host[], { headers, attributes }: Sent): Seen {
  let current: Record<string, string> = { ":method": "GET", ":path": "/", ":authority": "a.test", ...headers };
  let refusal = "";
  let choice: string | undefined;
  let grpcStatus: string | undefined;
  const streams = [];
  for (const host of chain) {
    const response = {
      code: refusal === "" ? 200 : Number(refusal.split(" ")[0]),
      flags: 0,
      total_size: 30,
      ...(grpcStatus !== undefined && { grpc_status: Number(grpcStatus) }),
    };
    const stream = host.newStream({
      headers: current,
      attributes: { response, request: { total_size: 12, duration: 1_000_000 }, ...attributes } as never,
    });
    streams.push(stream);
    if (refusal !== "") continue;
    const outcome = stream.sendRequestHeaders();
    if (outcome.kind === "replied") {
      grpcStatus = outcome.reply.headers.get("grpc-status") as string | undefined;
      const { status, details, body, headers } = outcome.reply;
      refusal = `${status} ${details} ${Buffer.from(body).toString()} ${String(headers.get("retry-after"))}`;
      continue;
    }
    expect(outcome.kind).toBe("continue");
    choice = stream.filterState("scrim.route") ?? choice;
    current = Object.fromEntries(
      Object.keys({ ...current, ...Object.fromEntries(WATCHED.map((name) => [name, ""])) }).flatMap((name) => {
        const value = stream.requestHeaders.get(name);
        return value === undefined ? [] : [[name, String(value)]];
      }),
    );
  }
  for (const stream of streams) {
    if (refusal === "" && stream.outcome.kind === "continue") stream.sendResponseHeaders();
    stream.end();
  }
  return {
    refusal,
    upstream: refusal === "" ? Object.fromEntries(WATCHED.map((name) => [name, current[name]])) : {},
    choice,
  };
}

export const fused = (configurations: Configurations): Host =>
  createHost({ module: modules.mesh, configuration: JSON.stringify(configurations), attributes: node });

export const rulesOf = (rules: object): object => ({
  filter_metadata: { "scrim.router": { id: JSON.stringify(rules), rules: JSON.stringify(rules) } },
});

export const inside = {
  filter_metadata: { scrim: { service: "reviews.default.svc.cluster.local;reviews;default", mesh: "internal" } },
};

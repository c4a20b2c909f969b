// The filters' own examples, fitted to one request over plaintext on the loopback interface: the same work, and every
// request passes.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../places.ts";

/** The request that every case answers. It has the headers that the examples look at. */
export const REQUEST = {
  path: "/reviews/7",
  headers: {
    "user-agent": "bench",
    accept: "*/*",
    "x-user": "alice",
    "x-role": "reader",
    "end-user": "mary",
    "x-request-id": "0b9c2c1e-5f0a-4d1c-9d0c-1f9d2f3f7b55",
    "x-envoy-peer-metadata-id": "sidecar~10.0.0.7~productpage-v1-0.default~default.svc.cluster.local",
    "x-envoy-peer-metadata":
      "CiAKDkFQUF9DT05UQUlORVJTEg4aDHByb2R1Y3RwYWdlChoKCkNMVVNURVJfSUQSDBoKS3ViZXJuZXRlcwovCgZMQUJFTFMSJSoj" +
      "ChQKA2FwcBINGgtwcm9kdWN0cGFnZQoLCgd2ZXJzaW9uEgAKGAoETkFNRRIQGg5wcm9kdWN0cGFnZS0wChYKCU5BTUVTUEFDRRIJ" +
      "GgdkZWZhdWx0",
  },
} as const;

const integer = (value: number): Uint8Array => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64LE(BigInt(value));
  return bytes;
};

/** The attributes of that request as Envoy shows them, for the measurement without Envoy. */
export const PROPERTIES: Readonly<Record<string, Uint8Array>> = {
  "connection/mtls": Uint8Array.of(0),
  "filter_state/scrim.peer_address": Buffer.from("127.0.0.1"),
  "response/code": integer(200),
  "response/flags": integer(0),
  "request/duration": integer(300_000),
  "request/total_size": integer(700),
  "response/total_size": integer(120),
  "xds/virtual_host_metadata/filter_metadata/scrim.router/id": Buffer.from("bench"),
  "xds/virtual_host_metadata/filter_metadata/scrim.router/rules": Buffer.from(routerRules().rules),
};

/** What was changed in the examples, for the report. */
export const CHANGES_TO_EXAMPLES =
  "authz: the payments path is the benched one, the loopback's addresses are a second source " +
  "(no client certificate here); ratelimit: limits so high that nothing is refused";

function example(file: string): string {
  return readFileSync(join(root, "filters", file), "utf8");
}

interface PolicyExample {
  policies: { rules: { from?: Record<string, readonly string[]>[] }[] }[];
}

/** Returns authz's example as JSON. */
export function authzExample(): string {
  const configuration = JSON.parse(
    example("authz/example.json").replaceAll("/payments/", "/reviews/"),
  ) as PolicyExample;
  for (const rule of configuration.policies.flatMap(({ rules }) => rules))
    rule.from?.push({ ipBlocks: ["127.0.0.0/8"] });
  return JSON.stringify(configuration);
}

interface LimitExample {
  limits: {
    tokens: number;
    intervalMs: number;
    burst?: number;
    overrides?: { tokens: number; intervalMs: number; burst?: number }[];
  }[];
}

/** Returns ratelimit's example as JSON. */
export function ratelimitExample(): string {
  const configuration = JSON.parse(example("ratelimit/example.json")) as LimitExample;
  const lift = (limit: { tokens: number; intervalMs: number; burst?: number }): void => {
    limit.tokens = 1_000_000;
    limit.intervalMs = 1000;
    limit.burst = 1_000_000;
  };
  for (const limit of configuration.limits) {
    lift(limit);
    limit.overrides?.forEach(lift);
  }
  return JSON.stringify(configuration);
}

export const routerExample = (): string => JSON.stringify(JSON.parse(example("router/example.json")));
/** All four, each as in its own example. */
export const meshExample = (): string =>
  `{"authz":${authzExample()},"ratelimit":${ratelimitExample()},` +
  `"router":${routerExample()},"telemetry":${telemetryExample()}}`;
export const telemetryExample = (): string => JSON.stringify(JSON.parse(example("telemetry/example.json")));

/** Returns the rules of a virtual host for the router, as JSON, and their keys. */
export function routerRules(): { readonly rules: string; readonly keys: readonly string[] } {
  const rules = JSON.parse(example("router/rules.example.json")) as { routes: { key: string }[] };
  return { rules: JSON.stringify(rules), keys: rules.routes.map(({ key }) => key) };
}

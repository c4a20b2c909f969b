import { readFileSync } from "node:fs";
import { Ajv2020 } from "ajv/dist/2020.js";
import fc from "fast-check";
import { createHost, createHostRunner, type Host, scenarioProblems, startHost } from "proxy-wasm-host";
import { describe, expect, it } from "vitest";
import { modulePath } from "../module-path.ts";
import { scenarios } from "./mesh.scenarios.ts";

const file = (name: string): Buffer => readFileSync(new URL(name, import.meta.url));
const FUNCTIONS = ["authz", "ratelimit", "router", "telemetry"] as const;
type FunctionName = (typeof FUNCTIONS)[number];
type Configurations = Partial<Record<FunctionName, unknown>>;
const modules = Object.fromEntries(
  [...FUNCTIONS, "mesh" as const].map((name) => [name, file(`../build/${name}.wasm`)]),
) as Record<FunctionName | "mesh", Buffer>;

interface Sent {
  readonly headers: Record<string, string>;
  readonly attributes: Record<string, unknown>;
}

/** What can be told apart from outside. */
interface Seen {
  readonly refusal: string;
  readonly upstream: Record<string, string | undefined>;
  readonly choice: string | undefined;
}

const WATCHED = ["x-user", "x-envoy-peer-metadata", "x-envoy-peer-metadata-id"];
const NODE = {
  id: "sidecar~10.0.0.1~orders-0.default~default.svc",
  metadata: {
    NAME: "orders-0",
    NAMESPACE: "default",
    WORKLOAD_NAME: "orders",
    CLUSTER_ID: "c",
    LABELS: { app: "orders" },
  },
};
const node = { xds: { node: NODE } } as never;

/** Runs the request through the hosts one after the other, as the filters of one chain. */
function pass(chain: readonly Host[], { headers, attributes }: Sent): Seen {
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

const separate = (configurations: Configurations): Host[] =>
  FUNCTIONS.filter((name) => configurations[name] !== undefined).map((name) =>
    createHost({ module: modules[name], configuration: JSON.stringify(configurations[name]), attributes: node }),
  );
const fused = (configurations: Configurations): Host =>
  createHost({ module: modules.mesh, configuration: JSON.stringify(configurations), attributes: node });

/**
 * Counters by name, without those that are 0; the status of a refused request is for the host to say, so labels of it
 * are left out.
 */
function counters(chain: readonly Host[]): Record<string, number> {
  const all: Record<string, number> = {};
  for (const host of chain) {
    for (const name of host.metrics.names("counter")) {
      const key = name.replace(/;(response_code|grpc_response_status)=\d*/g, "");
      if (host.metrics.counter(name) > 0) all[key] = (all[key] ?? 0) + host.metrics.counter(name);
    }
  }
  return all;
}

const POLICIES = {
  policies: [
    {
      name: "n/deny",
      action: "DENY",
      rules: [{ to: [{ paths: ["/admin*"] }] }, { when: [{ key: "request.headers[x-user]", values: ["mallory"] }] }],
    },
    {
      name: "n/allow",
      action: "ALLOW",
      rules: [{ from: [{ principals: ["cluster.local/ns/default/sa/web"] }] }, { to: [{ paths: ["/open*"] }] }],
    },
  ],
};
const LIMITS = {
  limits: [
    { name: "n/user", key: [{ header: "x-user" }], tokens: 2, intervalMs: 600_000 },
    { name: "n/caller", match: { methods: ["POST"] }, key: [{ source: "principal" }], tokens: 3, intervalMs: 600_000 },
  ],
};
const RULES = {
  routes: [
    { key: "0", inside: true, match: { headers: { "x-user": { exact: "alice" } } } },
    { key: "1", inside: true, match: { uri: { prefix: "/" } } },
  ],
};
const rulesOf = (rules: object): object => ({
  filter_metadata: { "scrim.router": { id: JSON.stringify(rules), rules: JSON.stringify(rules) } },
});
const inside = {
  filter_metadata: { scrim: { service: "reviews.default.svc.cluster.local;reviews;default", mesh: "internal" } },
};

const requests = fc.array(
  fc.record({
    headers: fc.record(
      {
        ":path": fc.constantFrom("/", "/open", "/open/1?q", "/admin", "/administrator"),
        ":method": fc.constantFrom("GET", "POST"),
        "x-user": fc.constantFrom("alice", "bob", "mallory"),
        "content-type": fc.constantFrom("application/grpc", "text/plain"),
        "x-envoy-peer-metadata": fc.constantFrom("garbage", "aGVsbG8="),
      },
      { requiredKeys: [] },
    ),
    identity: fc.constantFrom("web", "other", undefined),
    hasRules: fc.boolean(),
  }),
  { minLength: 1, maxLength: 25 },
);
const parts = fc
  .record(
    {
      authz: fc.constant(POLICIES),
      ratelimit: fc.constant(LIMITS),
      router: fc.constant({}),
      telemetry: fc.constantFrom({ reporter: "destination" }, { reporter: "source" }),
    },
    { requiredKeys: [] },
  )
  .filter((some) => Object.keys(some).length > 0) as fc.Arbitrary<Configurations>;

function sentOf({
  headers,
  identity,
  hasRules,
}: {
  headers: Record<string, string>;
  identity: string | undefined;
  hasRules: boolean;
}): Sent {
  return {
    headers,
    attributes: {
      connection:
        identity === undefined
          ? {}
          : { mtls: true, uri_san_peer_certificate: `spiffe://cluster.local/ns/default/sa/${identity}` },
      xds: { node: NODE, cluster_metadata: inside, ...(hasRules && { virtual_host_metadata: rulesOf(RULES) }) },
    },
  };
}

describe("in one module as in four", () => {
  it("any request through any functions is treated alike, and counted alike", () => {
    fc.assert(
      fc.property(parts, requests, (configurations, list) => {
        const [apart, together] = [separate(configurations), [fused(configurations)]];
        const sent = list.map((one) => sentOf(one as Parameters<typeof sentOf>[0]));
        expect(sent.map((one) => pass(together, one))).toEqual(sent.map((one) => pass(apart, one)));
        expect(counters(together)).toEqual(counters(apart));
      }),
      { numRuns: 60 },
    );
  });

  it("asks the host for the headers and for the caller once, however many functions want to know", () => {
    const calls: string[] = [];
    const configuration = JSON.stringify({
      authz: {
        policies: [
          {
            name: "n/a",
            action: "ALLOW",
            rules: [{ from: [{ principals: ["*"] }], when: [{ key: "request.headers[x-user]", values: ["alice"] }] }],
          },
        ],
      },
      ratelimit: {
        limits: [{ name: "l", key: [{ source: "principal" }, { header: "x-user" }], tokens: 9, intervalMs: 1000 }],
      },
      router: {},
      telemetry: { reporter: "destination" },
    });
    const host = createHost({
      module: modules.mesh,
      configuration,
      attributes: node,
      intercept: ({ name }) => void calls.push(name),
    });
    const stream = host.newStream({
      headers: { ":path": "/", "x-user": "alice" },
      attributes: sentOf({ headers: {}, identity: "web", hasRules: true }).attributes as never,
    });
    calls.length = 0;
    expect(stream.sendRequestHeaders().kind).toBe("continue");
    expect(calls.filter((name) => name === "proxy_get_header_map_pairs")).toHaveLength(1);
    // mtls and the certificate's URI for authz and ratelimit together, the router's id and its rules (new to it).
    expect(calls.filter((name) => name === "proxy_get_property")).toHaveLength(4);
  });
});

describe("configuration", () => {
  const ajv = new Ajv2020({ strict: false });
  for (const name of FUNCTIONS)
    ajv.addSchema(
      JSON.parse(file(`../${name}/config.schema.json`).toString()) as object,
      `https://scrim.test/${name}/config.schema.json`,
    );
  const schema = ajv.compile({
    ...(JSON.parse(file("config.schema.json").toString()) as object),
    $id: "https://scrim.test/mesh/config.schema.json",
  });

  it("the example has all four functions, is by the schema, and starts", () => {
    const example = JSON.parse(file("example.json").toString()) as object;
    expect(Object.keys(example)).toEqual([...FUNCTIONS]);
    expect(schema(example), JSON.stringify(schema.errors)).toBe(true);
    expect(startHost({ module: modules.mesh, configuration: JSON.stringify(example) }).kind).toBe("started");
  });

  it.each([
    [{}, "configuration: expected at least one of authz, ratelimit, router, telemetry"],
    [{ other: {} }, "other: unknown field (known: authz, ratelimit, router, telemetry)"],
    [{ authz: { policies: [{ name: "p", action: "MAYBE" }] } }, "authz.policies[0].action: "],
    [
      { authz: { policies: [] }, ratelimit: { limits: [{ name: "l", tokens: 0, intervalMs: 1 }] } },
      "ratelimit.limits[0].tokens: ",
    ],
    [{ router: { a: 1 } }, "router.a: unknown field"],
    [{ telemetry: { reporter: "both" } }, "telemetry.reporter: expected source or destination"],
    [{ telemetry: [] }, "telemetry: expected an object"],
  ])("%j is refused by schema and module", (configuration, message) => {
    expect(schema(configuration)).toBe(false);
    const started = startHost({ module: modules.mesh, configuration: JSON.stringify(configuration) });
    expect(started.kind === "failed" ? started.message : "started").toContain(message);
  });
});

describe("the route that the router chose", () => {
  const outbound = { router: {}, telemetry: { reporter: "source" } };
  const sentMetadata = (rules: object, clusterMetadata: unknown): string | undefined =>
    pass([fused(outbound)], {
      headers: { "x-envoy-peer-metadata": "forged" },
      attributes: { xds: { node: NODE, virtual_host_metadata: rulesOf(rules), cluster_metadata: clusterMetadata } },
    }).upstream["x-envoy-peer-metadata"];

  it("takes this proxy's metadata along where it stays in the mesh, though Envoy shows no cluster yet", () => {
    expect(sentMetadata({ routes: [{ key: "0", inside: true }] }, undefined)).toMatch(/^[A-Za-z0-9+/]+=*$/);
  });

  it("takes nothing out of the mesh, whatever the first route's cluster was", () => {
    expect(sentMetadata({ routes: [{ key: "0" }] }, inside)).toBeUndefined();
    expect(sentMetadata({ routes: [] }, inside)).toBeUndefined();
  });

  it("without rules the cluster says", () => {
    const sent = (metadata: unknown): string | undefined =>
      pass([fused(outbound)], { headers: {}, attributes: { xds: { node: NODE, cluster_metadata: metadata } } })
        .upstream["x-envoy-peer-metadata"];
    expect(sent(inside)).toBeDefined();
    expect(sent({ filter_metadata: {} })).toBeUndefined();
  });
});

it("keeps buckets when it takes the place of ratelimit.wasm under the same vm_id", () => {
  const limits = { limits: [{ name: "l", tokens: 3, intervalMs: 600_000 }] };
  const host = createHost({
    module: modules.ratelimit,
    configuration: JSON.stringify(limits),
    vmId: "scrim.ratelimit",
    workers: 2,
  });
  const refusals = (count: number): number =>
    Array.from({ length: count }, () => pass([host], { headers: {}, attributes: {} }).refusal).filter(
      (text) => text !== "",
    ).length;
  expect(refusals(2)).toBe(0);
  expect(host.replaceModule(modules.mesh, JSON.stringify({ ratelimit: limits }))).toEqual({ kind: "changed" });
  expect(refusals(4)).toBe(3);
});

it("needs no more memory after 20,000 requests, and at most 1 MiB", () => {
  const host = fused({
    authz: POLICIES,
    ratelimit: { limits: [{ name: "l", key: [{ header: "x-user" }], tokens: 1_000_000, intervalMs: 1000 }] },
    router: {},
    telemetry: { reporter: "destination" },
  });
  const send = (index: number): void =>
    void pass(
      [host],
      sentOf({
        headers: { ":path": index % 3 === 0 ? "/admin" : "/open", "x-user": `u${index % 50}` },
        identity: "web",
        hasRules: index % 2 === 0,
      }),
    );
  for (let i = 0; i < 1000; i++) send(i);
  const before = host.memoryBytes();
  for (let i = 0; i < 20_000; i++) send(i);
  expect(host.memoryBytes()).toBe(before);
  expect(before).toBeLessThanOrEqual(1 << 20);
});

describe("as in modules of their own", () => {
  const host = createHostRunner(modulePath);
  it.each(scenarios.map((scenario) => [scenario.name, scenario] as const))("%s", async (_name, scenario) => {
    expect(scenarioProblems(scenario, await host.run(scenario))).toEqual([]);
  });
});

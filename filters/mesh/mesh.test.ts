import fc from "fast-check";
import { createHost, createHostRunner, type Host, scenarioProblems } from "proxy-wasm-host";
import { describe, expect, it } from "vitest";
import { modulePath } from "../module-path.ts";
import { scenarios } from "./mesh.scenarios.ts";
import {
  FUNCTIONS,
  NODE,
  fused,
  inside,
  modules,
  node,
  pass,
  rulesOf,
  type Configurations,
  type Sent,
} from "./testing.ts";

const separate = (configurations: Configurations): Host[] =>
  FUNCTIONS.filter((name) => configurations[name] !== undefined).map((name) =>
    createHost({ module: modules[name], configuration: JSON.stringify(configurations[name]), attributes: node }),
  );

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

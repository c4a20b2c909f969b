import { Ajv2020 } from "ajv/dist/2020.js";
import fc from "fast-check";
import { createHost, startHost } from "proxy-wasm-host";
import { describe, expect, it } from "vitest";
import { ORDERS, decide, file, module, mtls, start } from "./testing.ts";

const schema = new Ajv2020({ strict: false }).compile(JSON.parse(file("config.schema.json").toString()));

describe("configuration", () => {
  it.each<[unknown, string]>([
    ["", "not JSON"],
    [[], "configuration: expected an object"],
    [{ policy: [] }, "policy: unknown field"],
    [{ policies: [{ name: "a", action: "CUSTOM" }] }, "policies[0].action: expected ALLOW, DENY or AUDIT"],
    [{ policies: [{ name: "a", action: "AUDIT", dryRun: true }] }, "policies[0].dryRun: expected false for AUDIT"],
    [{ policies: [{ action: "DENY" }] }, "policies[0].name: expected a string"],
    [{ policies: [{ name: "a", action: "DENY", rules: [{ form: [] }] }] }, "policies[0].rules[0].form: unknown field"],
    [
      { policies: [{ name: "a", action: "DENY", rules: [{ from: [{ users: ["*"] }] }] }] },
      "policies[0].rules[0].from[0].users: unknown field",
    ],
    [
      { policies: [{ name: "a", action: "DENY", rules: [{ from: [{ ipBlocks: ["10.0.0.0/99"] }] }] }] },
      "policies[0].rules[0].from[0].ipBlocks[0]: expected an address or block",
    ],
    [
      { policies: [{ name: "a", action: "DENY", rules: [{ from: [{ serviceAccounts: ["x"] }] }] }] },
      "serviceAccounts[0]: expected namespace/name",
    ],
    [
      { policies: [{ name: "a", action: "DENY", rules: [{ to: [{ ports: ["http"] }] }] }] },
      "ports[0]: expected a port",
    ],
    [
      { policies: [{ name: "a", action: "DENY", rules: [{ to: [{ paths: ["/{**}/{*}"] }] }] }] },
      "paths[0]: nothing but literal segments may follow {**}",
    ],
    [
      { policies: [{ name: "a", action: "DENY", rules: [{ when: [{ key: "request.auth.claims", values: ["y"] }] }] }] },
      "when[0].key: a claim is written [name] or [name][inner name]",
    ],
    [
      {
        policies: [
          { name: "a", action: "DENY", rules: [{ when: [{ key: "request.auth.claims[a][]", values: ["y"] }] }] },
        ],
      },
      "when[0].key: a claim's name cannot be empty",
    ],
    [
      { policies: [{ name: "a", action: "DENY", rules: [{ when: [{ key: "request.size", values: ["y"] }] }] }] },
      "when[0].key: expected one of request.headers",
    ],
    [
      {
        policies: [
          { name: "a", action: "DENY", rules: [{ when: [{ key: "experimental.envoy.filters.x", values: ["y"] }] }] },
        ],
      },
      "when[0].key: expected one of request.headers",
    ],
    [
      { policies: [{ name: "a", action: "DENY", rules: [{ when: [{ key: "source.ip" }] }] }] },
      "when[0]: expected values or notValues",
    ],
    [{ policies: [{ name: "a", action: "DENY", rules: [{ to: [{ paths: [1] }] }] }] }, "paths[0]: expected a string"],
    ...[
      { from: [] },
      { to: [] },
      { when: [] },
      { from: [{ principals: [] }] },
      { to: [{ notPaths: [] }] },
      { when: [{ key: "source.ip", values: [] }] },
      { when: [{ key: "source.ip", values: ["10.0.0.1"], notValues: [] }] },
    ].map((rule): [unknown, string] => [
      { policies: [{ name: "a", action: "ALLOW", rules: [rule] }] },
      "expected at least one entry: leave it out to match everything",
    ]),
    [
      {
        policies: [
          { name: "a", action: "DENY", rules: [{ when: [{ key: "request.headers[ x-role ]", values: ["y"] }] }] },
        ],
      },
      "when[0].key: expected a header's name as HTTP allows it",
    ],
  ])("%j is refused: %s", (configuration, message) => {
    const result = startHost({ module, configuration: configuration === "" ? "" : JSON.stringify(configuration) });
    expect(result.kind === "failed" ? result.message : "accepted").toContain(message);
  });

  it("the example is valid, and works", () => {
    const example = JSON.parse(file("example.json").toString()) as unknown;
    expect(schema(example)).toBe(true);
    expect(schema({ policies: [{ name: "a", action: "LOG" }] })).toBe(false);
    for (const rule of [
      { from: [] },
      { to: [{ paths: [] }] },
      { when: [{ key: "request.headers[ x ]", values: ["y"] }] },
    ])
      expect(schema({ policies: [{ name: "a", action: "ALLOW", rules: [rule] }] })).toBe(false);
    expect(
      schema({
        policies: [
          { name: "a", action: "ALLOW", rules: [{}, { when: [{ key: "request.headers[:method]", values: ["y"] }] }] },
        ],
      }),
    ).toBe(true);
    expect(
      decide(
        createHost({ module, configuration: JSON.stringify(example) }),
        { ":path": "/payments/1" },
        mtls("spiffe://cluster.local/ns/default/sa/orderservice-sa"),
      ),
    ).toBe("allowed");
  });
});

describe("robustness", () => {
  const host = start([
    {
      name: "n/d",
      action: "DENY",
      rules: [
        { to: [{ paths: ["/admin*", "/t/{*}/{**}"], hosts: ["x*"] }] },
        {
          when: [
            { key: "request.headers[x-role]", values: ["a"] },
            { key: "remote.ip", values: ["::1"] },
          ],
        },
      ],
    },
    { name: "n/a", action: "ALLOW", rules: [{ from: [{ notPrincipals: ["x"], notIpBlocks: ["10.0.0.0/8"] }] }] },
  ]);

  it("never traps on hostile headers and attributes", () => {
    const bytes = fc.uint8Array({ maxLength: 40 }).map((value) => Buffer.from(value).toString("latin1"));
    fc.assert(
      fc.property(
        bytes,
        bytes,
        fc.array(bytes, { maxLength: 4 }),
        fc.uint8Array({ maxLength: 30 }),
        (path, authority, roles, uri) => {
          decide(
            host,
            { ":path": path, ":authority": authority, "x-role": roles },
            { connection: { mtls: true, uri_san_peer_certificate: uri }, source: { address: uri } },
          );
        },
      ),
      { numRuns: 500 },
    );
    decide(host, { ":path": `/${"a".repeat(61_440)}`, "x-role": Array.from({ length: 500 }, () => "x,".repeat(50)) });
    expect(host.failure()).toBeUndefined();
  });

  it("needs no more memory after 20,000 requests", () => {
    host.setLogLevel("warn");
    const run = (count: number): void => {
      for (let i = 0; i < count; i++)
        decide(host, { ":path": i % 2 ? "/admin" : "/x", ":authority": "x.test", "x-role": ["b", "c"] }, mtls(ORDERS));
    };
    run(500);
    const before = host.memoryBytes();
    run(20_000);
    expect(host.memoryBytes()).toBe(before);
  }, 60_000);
});

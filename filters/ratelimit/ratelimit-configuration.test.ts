import { Ajv2020 } from "ajv/dist/2020.js";
import fc from "fast-check";
import { createHost, startHost } from "proxy-wasm-host";
import { describe, expect, it } from "vitest";
import { HOUR, admitted, file, module, send, start } from "./testing.ts";

const schema = new Ajv2020({ strict: false }).compile(JSON.parse(file("config.schema.json").toString()));

describe("configuration", () => {
  it.each<[unknown, string]>([
    [{ limits: [{ name: "l", tokens: 0, intervalMs: 1 }] }, "limits[0].tokens: expected a whole number from 1"],
    [
      { limits: [{ name: "l", tokens: 1 }] },
      "limits[0].intervalMs: expected a whole number from 1 to 1000000000000, but it is missing",
    ],
    [{ limits: [{ tokens: 1, intervalMs: 1 }] }, "limits[0].name: expected a string"],
    [{ limits: [{ name: "l", tokens: 1, intervalMs: 1, per: "1s" }] }, "limits[0].per: unknown field"],
    [
      { limits: [{ name: "l", tokens: 1, intervalMs: 900_000_000_000 }] },
      "limits[0]: the bucket would take over a year",
    ],
    [
      { limits: [{ name: "l", tokens: 1, intervalMs: 1, key: [{ source: "mac" }] }] },
      "limits[0].key[0].source: expected one of principal, namespace, serviceAccount, ip, remoteIp",
    ],
    [
      { limits: [{ name: "l", tokens: 1, intervalMs: 1, key: [{ header: "a", path: true }] }] },
      "limits[0].key[0]: expected exactly one of",
    ],
    [{ limits: [{ name: "l", tokens: 1, intervalMs: 1, cost: 2 }] }, "limits[0].cost: is over the bucket's size"],
    [
      { limits: [{ name: "l", tokens: 1, intervalMs: 1, overrides: [{ name: "o", tokens: 1, intervalMs: 1 }] }] },
      "limits[0].overrides[0]: expected principals or values",
    ],
    [
      {
        limits: [
          { name: "l", tokens: 1, intervalMs: 1 },
          { name: "l", tokens: 1, intervalMs: 1 },
        ],
      },
      "limits[1].name: used by another limit",
    ],
    [{ headers: "all" }, "headers: expected none, draft, draft-03 or legacy"],
  ])("%j is refused: %s", (configuration, message) => {
    const result = startHost({ module, configuration: JSON.stringify(configuration) });
    expect(result.kind === "failed" ? result.message : "accepted").toContain(message);
  });

  it("the example is valid, and works", () => {
    const example = JSON.parse(file("example.json").toString()) as unknown;
    expect(schema(example)).toBe(true);
    expect(admitted(createHost({ module, configuration: JSON.stringify(example) }), 150)).toBe(100);
  });
});

describe("robustness", () => {
  it("never traps on hostile headers, and needs no more memory after 10,000 refusals", () => {
    const host = start(
      [{ name: "l", key: [{ header: "x-user" }, { source: "ip" }, { path: true }], tokens: 1, intervalMs: HOUR }],
      { headers: "legacy" },
    );
    const bytes = fc.uint8Array({ maxLength: 60 }).map((value) => Buffer.from(value).toString("latin1"));
    fc.assert(
      fc.property(
        bytes,
        fc.array(bytes, { maxLength: 3 }),
        fc.uint8Array({ maxLength: 30 }),
        (path, user, address) =>
          void send(host, { headers: { ":path": path, "x-user": user }, attributes: { source: { address } } }),
      ),
      { numRuns: 300 },
    );
    host.setLogLevel("warn");
    admitted(host, 300);
    const before = host.memoryBytes();
    admitted(host, 10_000);
    expect(host.memoryBytes()).toBe(before);
    expect(host.failure()).toBeUndefined();
  }, 60_000);
});

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { allKinds } from "../model/kinds.ts";
import { fileOrigin } from "../model/origin.ts";
import { validateDocument } from "./document.ts";
import { lines, validate } from "./testing.ts";

describe("hostile documents", () => {
  const apiVersions = [
    "v1",
    "apps/v1",
    "networking.istio.io/v1",
    "security.istio.io/v1",
    "extensions.istio.io/v1alpha1",
    "policy.scrim.mesh/v1alpha1",
    "discovery.k8s.io/v1",
  ];

  it("never make validation throw, and accepted ones are frozen", () => {
    const document = fc.record(
      {
        apiVersion: fc.oneof(fc.constantFrom(...apiVersions), fc.anything()),
        kind: fc.oneof(fc.constantFrom(...allKinds), fc.anything()),
        metadata: fc.oneof(
          fc.record(
            { name: fc.oneof(fc.constant("a"), fc.anything()), labels: fc.anything() },
            { requiredKeys: ["name"] },
          ),
          fc.anything(),
        ),
        spec: fc.anything(),
        data: fc.anything(),
      },
      { requiredKeys: ["apiVersion", "kind", "metadata"] },
    );
    fc.assert(
      fc.property(fc.oneof(document, fc.anything()), (value) => {
        const result = validateDocument({ value, locate: () => fileOrigin("f") }, { strict: false });
        if (result.kind === "accepted") expect(Object.isFrozen(result.object)).toBe(true);
      }),
      { numRuns: 3_000 },
    );
  });

  it("with fields of the right names and wrong values never make validation throw", () => {
    const names = [
      "host",
      "hosts",
      "http",
      "route",
      "match",
      "uri",
      "exact",
      "destination",
      "weight",
      "retries",
      "retryOn",
      "fault",
      "abort",
      "rules",
      "from",
      "source",
      "to",
      "operation",
      "paths",
      "when",
      "key",
      "values",
      "subsets",
      "name",
      "labels",
      "trafficPolicy",
      "tls",
      "mode",
      "httpCircuitBreaker",
      "connectionPoolSettings",
      "interval",
      "servers",
      "port",
      "number",
      "protocol",
      "egress",
      "endpoints",
      "address",
      "ports",
      "resolution",
      "selector",
      "matchLabels",
      "url",
      "vmConfig",
      "env",
      "pluginConfig",
      "limits",
      "requests",
      "per",
      "overrides",
      "quotas",
      "dimensions",
      "template",
      "metadata",
      "spec",
      "containers",
      "portLevelMtls",
      "mtls",
      "status",
      "podIP",
      "portLevelSettings",
      "__proto__",
    ];
    const { value } = fc.letrec((tie) => ({
      value: fc.oneof(
        { maxDepth: 6 },
        fc.constantFrom<unknown>("a", "", "*", "1s", 0, -1, 80, null, true, "HTTP", "DNS", "80", "ALLOW", "/{**}"),
        fc.array(tie("value"), { maxLength: 3 }),
        fc.dictionary(fc.constantFrom(...names), tie("value"), { maxKeys: 5 }),
      ),
    }));
    fc.assert(
      fc.property(
        fc.constantFrom(...allKinds),
        fc.constantFrom(...apiVersions),
        fc.dictionary(fc.constantFrom(...names), value, { maxKeys: 8 }),
        (kind, apiVersion, spec) => {
          validateDocument(
            {
              value: { apiVersion, kind, metadata: { name: "a" }, spec, ...spec },
              locate: () => fileOrigin("f"),
            },
            { strict: false },
          );
        },
      ),
      { numRuns: 5_000 },
    );
  });

  it("do not change what other objects inherit", () => {
    const result = validate(
      "apiVersion: extensions.istio.io/v1alpha1\nkind: WasmPlugin\nmetadata: {name: a}\nspec:\n" +
        "  url: file://a.wasm\n  pluginConfig: {a: {__proto__: {polluted: 1}}}\n",
    );
    expect(lines(result.violations)).toEqual([
      "6:22 error spec.pluginConfig.a.__proto__: is no name that can be used here",
    ]);
    expect(({} as { polluted?: number }).polluted).toBeUndefined();
  });
});

import { describe, expect, it } from "vitest";
import type { Authorization } from "../ir/authorization.ts";
import type { RateLimit } from "../ir/rate-limit.ts";
import { engineOf, withEngine } from "./engine.ts";
import { resolveGuardNotes, resolveGuards } from "./guards.ts";
import { splitAuthorization } from "./native-authorization.ts";
import { splitRateLimits } from "./native-rate-limit.ts";
import { resolveOutbound } from "./outbound.ts";
import { inputsOf, sidecar, worldOf } from "./testing.ts";

const native =
  "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: istio, namespace: istio-system}\n" +
  "data: {mesh: 'engine: native'}\n";
const policy = (name: string, spec: string) =>
  "---\napiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\n" +
  `metadata: {name: ${name}, namespace: default}\nspec: ${spec}\n`;
const limits = (list: string) =>
  "---\napiVersion: policy.scrim.mesh/v1alpha1\nkind: RateLimitPolicy\n" +
  `metadata: {name: l, namespace: default}\nspec: {limits: [${list}]}\n`;

describe("the engine of a workload", () => {
  it("is the mesh's unless its pod says otherwise", () => {
    const [plain, mesh] = [worldOf(policy("p", "{}")), worldOf(native)];
    expect([
      engineOf(plain, sidecar()),
      engineOf(mesh, sidecar()),
      engineOf(plain, sidecar({ engine: "native" })),
      engineOf(mesh, sidecar({ engine: "wasm" })),
    ]).toEqual(["wasm", "native", "native", "wasm"]);
  });

  it("also decides how its header rules run, host by host, and leaves alone what does not change", () => {
    const world = worldOf(
      "---\napiVersion: v1\nkind: Service\nmetadata: {name: a, namespace: default}\n" +
        "spec: {ports: [{name: http, port: 80}]}\n" +
        "---\napiVersion: v1\nkind: Service\nmetadata: {name: b, namespace: default}\n" +
        "spec: {ports: [{name: http, port: 80}]}\n" +
        "---\napiVersion: networking.istio.io/v1\nkind: VirtualService\n" +
        "metadata: {name: a, namespace: default}\n" +
        "spec: {hosts: [a], http: [{match: [{headers: {x: {exact: y}}}], " +
        "route: [{destination: {host: b}}]}]}\n",
    );
    const { table } = resolveOutbound(world, "default", {});
    const decided = (engine: "wasm" | "native") =>
      withEngine(table, engine).virtualHosts.map(({ decidedBy }) => decidedBy);
    expect([decided("wasm"), decided("native")]).toEqual([
      ["filter", "native"],
      ["native", "native"],
    ]);
    expect(withEngine(table, "wasm")).toBe(table);
    expect(withEngine(table, "native")).toBe(withEngine(table, "native"));
    expect(withEngine(table, "native").virtualHosts[1]).toBe(table.virtualHosts[1]);
  });
});

describe("guards", () => {
  const inputs = inputsOf(
    policy("deny", "{action: DENY, rules: [{to: [{operation: {paths: [/a]}}]}]}") +
      policy("allow", "{rules: [{}]}") +
      limits("{name: all, requests: 1, per: 1s}, {name: each, requests: 1, per: 1s, key: [{header: x}]}"),
  );

  it("are the Wasm filters", () => {
    const guards = resolveGuards(inputs, sidecar());
    expect(guards.nativeAuthorization).toBeUndefined();
    expect([guards.authorization?.module.kind, guards.rateLimit?.module.kind]).toEqual(["module", "module"]);
    expect(resolveGuardNotes(inputs.world, sidecar())).toEqual([]);
  });

  it("are Envoy's own where the workload wants them and they can; what they cannot is named and stays", () => {
    const guards = resolveGuards(inputs, sidecar({ engine: "native" }));
    expect(
      guards.nativeAuthorization?.map(({ name, module }) => [
        name,
        module.kind === "native" && module.guard.kind === "authorization"
          ? module.guard.policies.map((one) => one.name)
          : module,
      ]),
    ).toEqual([
      ["scrim.authz.audit", []],
      ["scrim.authz.deny", ["default/deny"]],
      ["scrim.authz.allow", ["default/allow"]],
    ]);
    expect(guards.authorization?.module.kind).toBe("idle");
    expect(guards.nativeRateLimit?.module).toMatchObject({
      kind: "native",
      guard: { limits: [{ name: "default/l/all" }] },
    });
    expect(guards.rateLimit?.configuration).toContain("default/l/each");
    expect(resolveGuardNotes(inputs.world, sidecar({ engine: "native" }))).toEqual([
      expect.stringContaining("rate limit default/l/each: it has a key"),
    ]);
  });
});

describe("what Envoy's RBAC can decide", () => {
  const when = (action: Authorization["action"], condition: object, more: object = {}): Authorization => ({
    name: `n/${JSON.stringify(condition)}`,
    action,
    rules: [{ when: [{ key: "request.headers[x]", ...condition }] }],
    ...more,
  });
  it.each<[Authorization, boolean]>([
    [when("ALLOW", { values: ["a", "*"] }), true],
    [when("ALLOW", { values: ["a*"] }), false],
    [when("ALLOW", { values: ["a,b"] }), false],
    [when("ALLOW", { notValues: ["a*", "b,c"] }), true],
    [when("DENY", { values: ["a*"] }), true],
    [when("DENY", { notValues: ["a*"] }), false],
    [when("AUDIT", { values: ["*a"] }), true],
    [{ name: "n/none", action: "ALLOW", rules: [] }, true],
  ])("%j: %s", (one, fits) => {
    const { native: own, wasm, notes } = splitAuthorization([one]);
    expect([own.length, wasm.length, notes.length]).toEqual(fits ? [1, 0, 0] : [0, 1, 1]);
  });

  it("keeps all ALLOW policies where one must stay, and those on trial apart", () => {
    const [stays, goes, tried] = [
      when("ALLOW", { values: ["a*"] }),
      when("ALLOW", { values: ["a"] }),
      when("ALLOW", { values: ["b"] }, { dryRun: true }),
    ];
    const deny = when("DENY", { values: ["a"] });
    expect(splitAuthorization([deny, stays, goes, tried])).toMatchObject({
      native: [deny, tried],
      wasm: [stays, goes],
      notes: [expect.stringContaining('by "a*"')],
    });
  });
});

describe("what Envoy's local rate limit can keep", () => {
  const limit: RateLimit = { name: "n/l", key: [], tokens: 1, intervalMs: 1_000, burst: 1, overrides: [] };
  const isNative = (one: object, headers: "none" | "draft" = "none") =>
    splitRateLimits({ limits: [{ ...limit, ...one }], headers }).native.length === 1;
  it("is a limit for everybody, of any match", () => {
    expect(isNative({ match: { methods: ["GET"], paths: ["/a*"], hosts: ["b"] }, cost: 1 })).toBe(true);
    for (const one of [
      { key: [{ header: "x" }] },
      { overrides: [{}] },
      { shadow: true },
      { cost: 2 },
      { intervalMs: 10 },
      { tokens: 2 ** 33 },
      { somethingNew: 1 },
      { match: { somethingNew: 1 } },
    ])
      expect(isNative(one), JSON.stringify(one)).toBe(false);
    expect(isNative({}, "draft")).toBe(false);
  });
});

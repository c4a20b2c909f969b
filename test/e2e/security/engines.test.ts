// One meaning, two engines: the policies that the control plane would give to Envoy's own RBAC are decided as the Wasm
// filter decides them.
import { exchangeName, type Scenario, scenarioProblems } from "proxy-wasm-host";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { scenarios, WASM_ONLY } from "../../../filters/authz/authz.scenarios.ts";
import { modulePath } from "../../../filters/module-path.ts";
import { buildNativeGuard } from "../../../controlplane/translate/emit/native-guard.ts";
import type { Authorization, AuthorizationAction } from "../../../controlplane/translate/ir/authorization.ts";
import { splitAuthorization } from "../../../controlplane/translate/resolve/native-authorization.ts";
import { toProto3Json } from "../../../protos/codec.ts";
import { InboundEnvoy, type Sending } from "../../support/inbound-envoy.ts";
import { EnvoyScenarios } from "../filters/scenario-envoy.ts";

const policiesOf = (scenario: Scenario): readonly Authorization[] =>
  (scenario.configuration as { policies: readonly Authorization[] }).policies;

/** The filters of a workload with `engine: native`, one for each action. */
function nativeFilters(scenario: Scenario): readonly unknown[] {
  const { native } = splitAuthorization(policiesOf(scenario));
  return (["AUDIT", "DENY", "ALLOW"] as const).map((action: AuthorizationAction) =>
    toProto3Json("HttpFilter", {
      name: `scrim.authz.${action.toLowerCase()}`,
      typedConfig: buildNativeGuard({
        kind: "authorization",
        action,
        policies: native.filter((policy) => policy.action === action),
      }),
    }),
  );
}

/**
 * The scenarios' clients show their address by the PROXY protocol, which Envoy's RBAC does not take for the
 * connection's own (`ipBlocks`): those are asked of a sidecar below.
 */
const needsOwnAddress = (scenario: Scenario): boolean =>
  /"(?:ipBlocks|notIpBlocks)"|"source\.ip"/.test(JSON.stringify(scenario.configuration));

const fits = (scenario: Scenario): boolean => splitAuthorization(policiesOf(scenario)).wasm.length === 0;

describe("authorization by Envoy's RBAC", () => {
  const asked = scenarios.filter((scenario) => fits(scenario) && !needsOwnAddress(scenario));
  let native: EnvoyScenarios, wasm: EnvoyScenarios;
  beforeAll(async () => {
    [native, wasm] = await Promise.all([
      EnvoyScenarios.start({ scenarios: asked, modulePath, httpFilters: nativeFilters }),
      EnvoyScenarios.start({ scenarios: asked, modulePath }),
    ]);
  });
  afterAll(() => Promise.all([native?.stop(), wasm?.stop()]));

  it("is not asked what it cannot tell, and everything else", () => {
    expect(scenarios.filter((scenario) => !fits(scenario)).map(({ name }) => name)).toEqual(
      scenarios.filter(({ name }) => name.endsWith(WASM_ONLY)).map(({ name }) => name),
    );
    expect(asked.length).toBeGreaterThan(80);
  });

  it.each(asked.map((scenario) => [scenario.name, scenario] as const))("%s", async (_name, scenario) => {
    const outcomes = [await native.run(scenario), await wasm.run(scenario)];
    expect({
      native: scenarioProblems(scenario, outcomes[0]!),
      wasm: scenarioProblems(scenario, outcomes[1]!),
    }).toEqual({ native: [], wasm: [] });
    const [byEnvoy, byFilter] = outcomes.map((outcome) =>
      outcome.kind === "ran"
        ? outcome.observations.map(({ status, body }, index) => [
            exchangeName(scenario.exchanges[index]!),
            status,
            body,
          ])
        : outcome.reason,
    );
    expect(byEnvoy).toEqual(byFilter);
  });
});

const mesh = (engine: string): string => `
apiVersion: v1
kind: ConfigMap
metadata: {name: istio, namespace: istio-system}
data: {mesh: "engine: ${engine}"}
---
apiVersion: v1
kind: Service
metadata: {name: reviews}
spec:
  selector: {app: reviews}
  ports: [{name: http, port: 9080}, {name: tcp, port: 9083}]
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: allowed}
spec:
  rules:
  - {from: [{source: {ipBlocks: [127.0.0.0/8]}}], to: [{operation: {paths: [/local]}}]}
  - {from: [{source: {ipBlocks: [10.0.0.0/8]}}], to: [{operation: {paths: [/remote]}}]}
  - {to: [{operation: {paths: [/elsewhere]}}], when: [{key: source.ip, notValues: [127.0.0.1]}]}
  - {from: [{source: {principals: ["*"]}}], to: [{operation: {methods: [GET], paths: ["/mtls/{**}"]}}]}
  - {to: [{operation: {paths: [/limited, "/limited/*", /other, /tried, /own]}}]}
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: refused}
spec:
  action: DENY
  rules: [{to: [{operation: {paths: [/mtls/admin*], hosts: ["reviews:9080"]}}]}]
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: refused-in-wasm}
spec:
  action: DENY
  rules: [{to: [{operation: {paths: [/own]}}], when: [{key: "request.headers[user-agent]", notValues: ["Mozilla*"]}]}]
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: tried, annotations: {istio.io/dry-run: "true"}}
spec:
  action: DENY
  rules: [{to: [{operation: {paths: [/tried]}}]}]
---
apiVersion: policy.scrim.mesh/v1alpha1
kind: RateLimitPolicy
metadata: {name: reviews}
spec:
  limits:
  - {name: reads, requests: 3, per: 3600s, match: {methods: [GET], paths: [/limited*]}}
  - {name: writes, requests: 1, per: 3600s, match: {methods: [POST, PUT], paths: [/limited/write], hosts: [reviews]}}
`;

describe.each(["wasm", "native"])("a sidecar with engine: %s", (engine) => {
  let envoy: InboundEnvoy;
  beforeAll(async () => void (envoy = await InboundEnvoy.start(mesh(engine), [9080, 9083])));
  afterAll(() => envoy?.stop());
  const status = async (path: string, sending: Sending = {}): Promise<number> =>
    (await envoy.send(9080, { path, ...sending })).status;

  it.each<[string, Sending, number]>([
    ["/local", {}, 200],
    ["/remote", {}, 403],
    ["/remote", { headers: { "x-forwarded-for": "10.1.1.1" } }, 403],
    ["/elsewhere", {}, 403],
    ["/mtls/a/b", {}, 403],
    ["/mtls/a/b", { as: "productpage" }, 200],
    ["/mtls/a/b", { as: "productpage", method: "PUT" }, 403],
    ["/mtls/admin", { as: "productpage" }, 403],
    ["/mtls//admin", { as: "productpage" }, 403],
    ["/mtls/%61dmin", { as: "productpage" }, 403],
    ["/mtls/x/..;/admin", { as: "productpage" }, 403],
    ["/mtls/x/../admin", { as: "productpage" }, 403],
    ["/own", {}, 403],
    ["/own", { headers: { "user-agent": "Mozilla/5.0 (KHTML, like Gecko)" } }, 200],
    ["/tried", {}, 200],
    ["/nowhere", {}, 403],
  ])("%s %j: %i", async (path, sending, expected) => {
    expect(await status(path, sending)).toBe(expected);
  });

  it("keeps limits, each request against all that fit it", async () => {
    const reads = [];
    for (let i = 0; i < 5; i++) reads.push(await status(i % 2 ? "/limited" : "/limited/a?b=c"));
    expect(reads).toEqual([200, 200, 200, 429, 429]);
    const writes = [];
    for (const [method, host] of [
      ["POST", "reviews"],
      ["PUT", "reviews:9080"],
      ["POST", "other"],
      ["DELETE", "reviews"],
    ])
      writes.push(await status("/limited/write", { method: method!, headers: { host: host! } }));
    expect(writes).toEqual([200, 429, 200, 200]);
    expect(await status("/other")).toBe(200);
  });

  it("names the policy that refused in the access log", async () => {
    await status("/mtls/admin", { as: "productpage" });
    const found = async () => envoy.accessLog().includes("rbac_access_denied_matched_policy[default/refused[0]]");
    for (let tries = 0; tries < 200 && !(await found()); tries++)
      await new Promise((resolve) => setTimeout(resolve, 50));
    expect(await found()).toBe(true);
  });
});

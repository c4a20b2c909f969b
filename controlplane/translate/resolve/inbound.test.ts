import { describe, expect, it } from "vitest";
import { resolveInbound } from "./inbound.ts";
import { inputsOf, sidecar } from "./testing.ts";

const service = (name: string, ports: string) =>
  `---\napiVersion: v1\nkind: Service\nmetadata: {name: ${name}}\nspec: {selector: {app: reviews}, ports: [${ports}]}\n`;
const listening = (...ports: readonly (readonly [number, string])[]) =>
  sidecar({ ports: ports.map(([port, name]) => ({ port, name, boundPort: port, isServed: true })) });

describe("ports of a workload", () => {
  it("speak what the service that leads to them says, by number and by name", () => {
    const inputs = inputsOf(
      service(
        "reviews",
        "{name: grpc-api, port: 80, targetPort: 9080}, {name: db, appProtocol: tcp, port: 81, targetPort: data}, {name: http, port: 9082}",
      ),
    );
    const ports = resolveInbound(inputs, listening([9080, ""], [9081, "data"], [9082, ""], [9083, ""]));
    expect(ports.map(({ port, protocol, service: ref }) => [port, protocol, ref?.host])).toEqual([
      [9080, "http2", "reviews.default.svc.cluster.local"],
      [9081, "tcp", "reviews.default.svc.cluster.local"],
      [9082, "http1", "reviews.default.svc.cluster.local"],
      [9083, "auto", undefined],
    ]);
  });

  it("carry telemetry always, and places for what guards them, filled where a policy asks for it", () => {
    const [plain] = resolveInbound(inputsOf(""), sidecar());
    expect(plain?.filters).toMatchObject({
      telemetry: { name: "scrim.telemetry.inbound", configuration: '{"reporter":"destination"}' },
    });
    expect(plain?.filters.authorization).toMatchObject({ name: "scrim.authz", module: { kind: "idle" } });
    expect(plain?.filters.rateLimit).toMatchObject({ name: "scrim.ratelimit", module: { kind: "idle" } });
    const guarded = inputsOf(`
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: none}
spec: {}
---
apiVersion: policy.scrim.mesh/v1alpha1
kind: RateLimitPolicy
metadata: {name: all}
spec: {limits: [{name: l, requests: 1, per: 1s}]}
`);
    const [port] = resolveInbound(guarded, sidecar());
    expect(port?.filters.authorization).toMatchObject({
      name: "scrim.authz",
      configuration: '{"policies":[{"name":"default/none","action":"ALLOW","rules":[]}]}',
    });
    expect(port?.filters.rateLimit?.name).toBe("scrim.ratelimit");
  });

  it.each(["{name: tcp, port: 9080}", "{port: 9080}"])(
    "get network authorization where they may not be HTTP: %s",
    (port) => {
      const inputs = inputsOf(
        `${service("reviews", port)}---\napiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {name: get}\nspec: {rules: [{to: [{operation: {methods: [GET]}}]}]}\n`,
      );
      expect(resolveInbound(inputs, sidecar())[0]?.tcpAuthorization).toEqual([
        { name: "default/get", action: "ALLOW", rules: [] },
      ]);
    },
  );

  it("are none at gateways", () => expect(resolveInbound(inputsOf(""), sidecar({ kind: "router" }))).toEqual([]));
});

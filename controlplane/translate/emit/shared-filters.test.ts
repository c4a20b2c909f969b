import { describe, expect, it } from "vitest";
import type { RequestForm } from "../../model/request-form.ts";
import type { FunctionFilter, HttpFilters } from "../ir/filters.ts";
import type { PlacedInboundPort, PlacedOutboundProxy } from "../ir/places.ts";
import type { InboundPort } from "../ir/proxy.ts";
import { buildInboundListener } from "./inbound-listener.ts";
import { buildOutboundListener } from "./outbound-listener.ts";
import { numberOfFilters } from "./shared-filters.ts";

const telemetry = (configuration: string, sha256: string): FunctionFilter => ({
  runs: "telemetry",
  name: "scrim.telemetry.inbound",
  module: { kind: "module", module: { sha256, bytes: new Uint8Array(8) } },
  configuration,
  vmId: "scrim.telemetry",
  rootId: "",
  environment: {},
  hostEnvironment: [],
  failureMode: "open",
});
/** Made anew each time, as for each proxy. */
const filters = (configuration = "{}", sha256 = "a"): HttpFilters => ({
  pluginsAuthn: [],
  pluginsAuthz: [],
  pluginsStats: [],
  pluginsUnspecified: [],
  telemetry: telemetry(configuration, sha256),
});

const inbound = (address: string, changes: Partial<InboundPort> = {}): PlacedInboundPort => ({
  port: 8080,
  bind: { address, port: 8080 },
  application: { address: "127.0.0.1", port: 8080 },
  protocol: "http1",
  mtls: "PERMISSIVE",
  service: { host: "web.default.svc.cluster.local", name: "web", namespace: "default" },
  filters: filters(),
  ...changes,
});
const requestForm: RequestForm = { pathNormalization: "BASE", headersWithUnderscoresAction: "ALLOW" };
const managers = (port: PlacedInboundPort) =>
  buildInboundListener(port, {
    trustDomains: "cluster.local",
    requestForm,
    detectionTimeoutMs: 1_000,
  }).filterChains?.map((chain) => chain.filters?.at(-1)?.typedConfig);
const outbound = (address: string): PlacedOutboundProxy => ({
  bind: { address, port: 15_001 },
  routeTable: "80",
  filters: filters(),
  unknownHosts: "forward",
});

describe("proxies with the same filters", () => {
  it("share the bytes of their connection managers, wherever they listen", () => {
    const [first, second] = [managers(inbound("10.0.0.1")), managers(inbound("10.0.0.2"))];
    expect(first).toHaveLength(2);
    second?.forEach((manager, index) => expect(manager).toBe(first?.[index]));
    const [one, other] = ["10.0.0.1", "10.0.0.2"].map(
      (address) =>
        buildOutboundListener(outbound(address), { requestForm, detectionTimeoutMs: 1_000, forwards: true })
          .filterChains?.[0]?.filters?.[0]?.typedConfig,
    );
    expect(one).toBeDefined();
    expect(other).toBe(one);
  });

  it("are told apart by plugins, service, port and whether a peer is authenticated; filters by what they run", () => {
    const known = managers(inbound("10.0.0.1"))?.[0];
    for (const changes of [
      { filters: { ...filters(), pluginsAuthn: [{ ...telemetry("{}", "a"), name: "mine" }] } },
      { service: { host: "other.default.svc.cluster.local", name: "other", namespace: "default" } },
      { port: 8081 },
    ]) {
      expect(managers(inbound("10.0.0.1", changes))?.[0]?.value).not.toEqual(known?.value);
    }
    expect(managers(inbound("10.0.0.1"))?.[1]?.value).not.toEqual(known?.value);
    expect(numberOfFilters(filters('{"reporter":"source"}'))).not.toBe(numberOfFilters(filters()));
    expect(numberOfFilters(filters("{}", "b"))).not.toBe(numberOfFilters(filters("{}", "a")));
    expect(numberOfFilters(filters())).toBe(numberOfFilters(filters()));
  });
});

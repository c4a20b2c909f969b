import { describe, expect, it } from "vitest";
import { inputsOf, modulesOf, sidecar } from "./testing.ts";
import { portsOfPlugins, resolveNetworkPluginNotes, resolveNetworkPlugins, resolvePlugins } from "./wasm-plugin.ts";

const plugin = (namespace: string, name: string, spec = "", created = "2024-01-01T00:00:00Z") =>
  "---\napiVersion: extensions.istio.io/v1alpha1\nkind: WasmPlugin\n" +
  `metadata: {name: ${name}, namespace: ${namespace}, creationTimestamp: "${created}"}\n` +
  `spec: {url: "file://./x.wasm"${spec}}\n`;
const slots = (yaml: string, modules = modulesOf()) =>
  resolvePlugins(inputsOf(yaml, modules), sidecar(), { direction: "inbound", port: 9080 });
const names = (filters: readonly { readonly name: string }[]) =>
  filters.map(({ name }) => name.slice("extensions.istio.io/wasmplugin/".length));

describe("plugins of a chain", () => {
  it("stand in their phases", () => {
    const found = slots(
      plugin("default", "a", ", phase: AUTHN") +
        plugin("default", "b", ", phase: AUTHZ") +
        plugin("default", "c", ", phase: STATS") +
        plugin("default", "d", ", phase: UNSPECIFIED_PHASE") +
        plugin("default", "e"),
    );
    expect([found.pluginsAuthn, found.pluginsAuthz, found.pluginsStats, found.pluginsUnspecified].map(names)).toEqual([
      ["default.a"],
      ["default.b"],
      ["default.c"],
      ["default.d", "default.e"],
    ]);
  });

  it("are ordered by priority, then the proxy's namespace before the root one, then age, then name", () => {
    const found = slots(
      plugin("istio-system", "root") +
        plugin("default", "b") +
        plugin("default", "a") +
        plugin("default", "young", "", "2025-01-01T00:00:00Z") +
        plugin("istio-system", "first", ", priority: 10") +
        plugin("default", "last", ", priority: -1"),
    );
    expect(names(found.pluginsUnspecified)).toEqual([
      "istio-system.first",
      "default.a",
      "default.b",
      "default.young",
      "istio-system.root",
      "default.last",
    ]);
  });

  it("are those that select the workload", () => {
    expect(
      names(
        slots(
          plugin("default", "no", ", selector: {matchLabels: {app: ratings}}") +
            plugin("default", "yes", ", selector: {matchLabels: {app: reviews}}") +
            plugin("other", "foreign"),
        ).pluginsUnspecified,
      ),
    ).toEqual(["default.yes"]);
  });

  it.each([
    ["", [true, true, true, true]],
    [", match: []", [true, true, true, true]],
    [", match: [{mode: SERVER}]", [true, true, false, false]],
    [", match: [{mode: CLIENT}]", [false, false, true, true]],
    [", match: [{mode: CLIENT_AND_SERVER}]", [true, true, true, true]],
    [", match: [{mode: SERVER, ports: [{number: 9080}]}]", [true, false, false, false]],
    [", match: [{ports: [{number: 9080}]}, {mode: CLIENT}]", [true, false, true, true]],
  ])("stand where their traffic passes%s", (match, expected) => {
    const places = [
      { direction: "inbound", port: 9080 },
      { direction: "inbound", port: 9081 },
      { direction: "outbound" },
      { direction: "gateway", port: 80 },
    ] as const;
    const inputs = inputsOf(plugin("default", "a", match));
    expect(places.map((place) => resolvePlugins(inputs, sidecar(), place).pluginsUnspecified.length === 1)).toEqual(
      expected,
    );
  });

  it("are those of its type: of requests, or of the bytes of connections", () => {
    const inputs = inputsOf(
      plugin("default", "gate", ", type: NETWORK, phase: AUTHN, match: [{ports: [{number: 9080}]}]") +
        plugin("default", "stamp", ", type: HTTP, phase: AUTHN"),
    );
    const at = { direction: "outbound", port: 9080 } as const;
    expect(names(resolvePlugins(inputs, sidecar(), at).pluginsAuthn)).toEqual(["default.stamp"]);
    // Under a name of its own: a place for one type is never given the other.
    expect(names(resolveNetworkPlugins(inputs, sidecar(), at)?.pluginsAuthn ?? [])).toEqual(["default.gate/network"]);
    expect(resolveNetworkPlugins(inputs, sidecar(), { direction: "outbound" })).toBeUndefined();
    expect(portsOfPlugins(inputs, sidecar())).toEqual([9080]);
  });

  it("say what those of connections cannot see where programs know of their sidecar", () => {
    const notes = (spec: string) => resolveNetworkPluginNotes(inputsOf(plugin("default", "gate", spec)), sidecar());
    expect(notes(", type: NETWORK")).toEqual([
      "WasmPlugin default/gate of type NETWORK sees what comes in; what goes out only where connections are captured",
    ]);
    expect(notes(", type: NETWORK, match: [{mode: SERVER}]")).toEqual([]);
    expect(notes("")).toEqual([]);
  });

  it("run with the settings they were checked with, and fail as they ask", () => {
    const settings = { configuration: '{"old":true}', rootId: "r", environment: { A: "1" }, hostEnvironment: ["HOME"] };
    const module = { sha256: "x", bytes: new Uint8Array([1]) };
    const [filter] = slots(
      plugin("default", "a", ", failStrategy: FAIL_OPEN, pluginConfig: {new: true}"),
      modulesOf({ "default/a": { kind: "module", module, settings } }),
    ).pluginsUnspecified;
    expect(filter).toEqual({
      name: "extensions.istio.io/wasmplugin/default.a",
      vmId: "default.a",
      failureMode: "open",
      mayBeSplit: true,
      module: { kind: "module", module },
      ...settings,
    });
  });

  it("leave the chain alone while they are on their way, and hold their place when they cannot be had", () => {
    const modules = modulesOf({
      "default/a": { kind: "pending" },
      "default/b": { kind: "unavailable", reason: "404" },
    });
    const { pluginsUnspecified } = slots(plugin("default", "a") + plugin("default", "b"), modules);
    expect(pluginsUnspecified).toMatchObject([
      {
        name: "extensions.istio.io/wasmplugin/default.b",
        failureMode: "closed",
        module: { kind: "unavailable", reason: "404" },
      },
    ]);
  });
});

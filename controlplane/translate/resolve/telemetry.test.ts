import { describe, expect, it } from "vitest";
import { analyzeWorld } from "../../analyze/analyze-world.ts";
import { loadText } from "../../store/load.ts";
import { resolveAccessLog } from "./access-log.ts";
import { resolveTcpTelemetry, resolveTelemetry, telemetryConfiguration } from "./telemetry.ts";
import { inputsOf } from "./testing.ts";

const telemetry = (name: string, namespace: string, spec: string): string =>
  "apiVersion: telemetry.istio.io/v1\nkind: Telemetry\n" +
  `metadata: {name: ${name}, namespace: ${namespace}}\nspec: ${spec}\n`;
const mesh = (text: string): string =>
  `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: istio, namespace: istio-system}\ndata: {mesh: '${text}'}\n`;
const load = (...texts: readonly string[]) => loadText(texts.join("---\n"));
const proxy = { namespace: "default", labels: { app: "web" } };
const metricsFor = (side: "client" | "server", ...texts: readonly string[]): unknown =>
  telemetryConfiguration(load(...texts).world, proxy, side)["metrics"];

describe("metrics", () => {
  it("are the standard ones where nobody says anything", () => {
    expect(telemetryConfiguration(load().world, proxy, "client")).toEqual({ reporter: "source" });
    expect(
      metricsFor("server", telemetry("a", "elsewhere", "{metrics: [{overrides: [{disabled: true}]}]}")),
    ).toBeUndefined();
  });

  it("change by mesh, namespace and workload, in this order, each for its side", () => {
    const off = (metric: string, mode: string): string =>
      `{metrics: [{overrides: [{match: {metric: ${metric}, mode: ${mode}}, disabled: true}]}]}`;
    const texts = [
      telemetry(
        "workload",
        "default",
        "{selector: {matchLabels: {app: web}}, metrics: [{" +
          "overrides: [{match: {metric: REQUEST_COUNT}, disabled: false}]}]}",
      ),
      telemetry("namespace", "default", off("REQUEST_SIZE", "SERVER")),
      telemetry("mesh", "istio-system", off("ALL_METRICS", "CLIENT_AND_SERVER")),
      telemetry(
        "other",
        "default",
        "{selector: {matchLabels: {app: other}}, metrics: [{overrides: [{disabled: true}]}]}",
      ),
    ];
    expect(metricsFor("server", ...texts)).toEqual([
      { disabled: true },
      { name: "istio_request_bytes", disabled: true },
      { name: "istio_requests_total", disabled: false },
    ]);
    expect(metricsFor("client", ...texts)).toEqual([
      { disabled: true },
      { name: "istio_requests_total", disabled: false },
    ]);
  });

  it("take only labels that proxies declare, and analysis names the others", () => {
    const changed = telemetry(
      "a",
      "istio-system",
      "{metrics: [{overrides: [{tagOverrides: {request_host: {value: request.host}, " +
        "mine: {value: request.path}, response_flags: {operation: REMOVE}}}]}]}",
    );
    const { world } = load(mesh("defaultConfig: {extraStatTags: [mine]}"), changed);
    expect(telemetryConfiguration(world, proxy, "server")).toMatchObject({
      declaredTags: ["mine"],
      metrics: [{ tags: { mine: { value: "request.path" }, response_flags: { remove: true } } }],
    });
    expect(analyzeWorld(world).map(({ field, message }) => `${field}: ${message}`)).toEqual([
      "spec.metrics[0].overrides[0].tagOverrides.request_host: label request_host is left out: " +
        "proxies learn their labels at start, " +
        "so add it to MeshConfig's defaultConfig.extraStatTags and restart them",
    ]);
  });

  it("have no module where the mesh turns all off, and nobody one on", () => {
    const off = (mode = "CLIENT_AND_SERVER", namespace = "istio-system", more = ""): string =>
      telemetry("off", namespace, `{${more}metrics: [{overrides: [{match: {mode: ${mode}}, disabled: true}]}]}`);
    const on = (metric: string): string =>
      telemetry("on", "shop", `{metrics: [{overrides: [{match: {metric: ${metric}}, disabled: false}]}]}`);
    const one = telemetry("one", "shop", "{metrics: [{overrides: [{match: {metric: REQUEST_SIZE}, disabled: true}]}]}");
    const kinds = (...texts: readonly string[]) => {
      const inputs = inputsOf(texts.map((text) => `---\n${text}`).join(""));
      return [
        ...(["inbound", "outbound"] as const).map((side) => resolveTelemetry(inputs, proxy, side).module.kind),
        resolveTcpTelemetry(inputs, proxy).module.kind,
      ].join();
    };
    expect(kinds(off())).toBe("idle,idle,idle");
    expect(kinds(off(), one)).toBe("idle,idle,idle");
    // Whoever counts must learn from all others who they are.
    for (const texts of [[off(), on("REQUEST_COUNT")], [off("CLIENT")], [off("SERVER")], [one], []])
      expect(kinds(...texts)).toBe("module,module,module");
    expect(kinds(off("CLIENT_AND_SERVER", "default"))).toBe("module,module,module");
    expect(kinds(off("CLIENT_AND_SERVER", "istio-system", "selector: {matchLabels: {app: web}}, "))).toBe(
      "module,module,module",
    );
  });

  it("leave what is for another provider alone", () => {
    expect(
      metricsFor(
        "server",
        telemetry("a", "default", "{metrics: [{providers: [{name: stackdriver}], overrides: [{disabled: true}]}]}"),
      ),
    ).toBeUndefined();
  });

  it.each([
    ["{tracing: [{}]}", "is not supported yet and has no effect"],
    ["{metrics: [{providers: [{name: stackdriver}]}]}", 'there is no provider "stackdriver"'],
    ["{metrics: [{reportingInterval: 10s}]}", "has no effect: connections are reported every 5s"],
    ["{metrics: [{overrides: [{tagOverrides: {a: {}}}]}]}", "is required: an expression for the label"],
    [
      "{metrics: [{overrides: [{tagOverrides: {a: {value: filter_state.upstream_peer.app}}}]}]}",
      "uses an attribute that stock Envoy has not",
    ],
    ["{metrics: [{overrides: [{match: {customMetric: mine}}]}]}", "metrics of other filters are their own"],
    ["{targetRefs: [{}]}", "not supported yet"],
  ])("%s: %s", (spec, message) => {
    expect(
      load(telemetry("a", "default", spec))
        .violations.map((violation) => violation.message)
        .join(),
    ).toContain(message);
  });

  it("are told which of two objects counts", () => {
    const { world } = load(telemetry("a", "default", "{}"), telemetry("b", "default", "{}"));
    expect(analyzeWorld(world).map(({ object, message }) => [object, message])).toEqual([
      ["Telemetry/default/b", "has no effect: Telemetry default/a is older and speaks for the same workloads"],
    ]);
  });
});

describe("access logs", () => {
  const logOf = (...texts: readonly string[]) => resolveAccessLog(load(...texts).world, proxy.namespace, proxy.labels);

  it("are MeshConfig's where no Telemetry speaks of them", () => {
    expect(logOf()).toEqual({ path: "/dev/stdout", encoding: "TEXT" });
    expect(logOf(mesh('accessLogFile: ""'))).toBeUndefined();
    expect(logOf(telemetry("a", "default", "{metrics: []}"))).toEqual({ path: "/dev/stdout", encoding: "TEXT" });
  });

  it("are written to standard output where Telemetry asks for them and MeshConfig names no file", () => {
    expect(
      logOf(
        mesh('accessLogFile: ""'),
        telemetry("a", "istio-system", "{accessLogging: [{providers: [{name: envoy}]}]}"),
      ),
    ).toEqual({ path: "/dev/stdout", encoding: "TEXT", rules: { client: { kind: "all" }, server: { kind: "all" } } });
  });

  it("are what the narrowest object says, for each side", () => {
    const wide = telemetry("a", "istio-system", "{accessLogging: [{disabled: true}]}");
    expect(logOf(wide)).toBeUndefined();
    expect(
      logOf(
        wide,
        telemetry(
          "b",
          "default",
          '{accessLogging: [{match: {mode: SERVER}, filter: {expression: "response.code >= 400"}}]}',
        ),
      )?.rules,
    ).toEqual({ client: { kind: "all" }, server: { kind: "some", expression: "response.code >= 400" } });
    expect(
      logOf(telemetry("b", "default", "{accessLogging: [{match: {mode: CLIENT}, disabled: true}]}"))?.rules,
    ).toEqual({ client: { kind: "none" }, server: { kind: "all" } });
  });

  it("of other providers are not ours", () => {
    expect(logOf(telemetry("a", "default", "{accessLogging: [{providers: [{name: otel}], disabled: true}]}"))).toEqual({
      path: "/dev/stdout",
      encoding: "TEXT",
    });
  });
});

// The examples as WasmPlugins of a mesh: what the guide promises is what a sidecar does.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { modulePath } from "../../../filters/module-path.ts";
import { type Answer, type Mesh, request, startMesh } from "../../support/mesh.ts";
import { eventually } from "../../support/until.ts";
import { documents, echoApps } from "../../support/workloads.ts";

const plugin = (example: string, app: string, pluginConfig: object, more: object = {}): string =>
  `${JSON.stringify({
    apiVersion: "extensions.istio.io/v1alpha1",
    kind: "WasmPlugin",
    metadata: { name: example, namespace: "default", ...more },
    spec: {
      selector: { matchLabels: { app } },
      url: `file://${modulePath(`examples/${example}`)}`,
      match: [{ mode: "SERVER" }],
      pluginConfig,
    },
  })}\n`;

const INVENTORY = `apiVersion: v1
kind: Service
metadata: {name: inventory, namespace: default}
spec:
  selector: {app: inventory}
  ports: [{name: grpc, port: 7070, targetPort: 7070}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: inventory, namespace: default}
spec:
  selector: {matchLabels: {app: inventory}}
  template:
    metadata:
      labels: {app: inventory}
      annotations: {scrim.mesh/local-command: exec node apps/grpc-text.mjs}
    spec:
      containers:
      - {name: app, ports: [{containerPort: 7070, name: grpc}]}
`;

const BODY = { field: "model", header: "x-model" };

let mesh: Mesh;
beforeAll(async () => {
  mesh = await startMesh({
    files: {
      "workloads.yaml": documents(
        echoApps("asks", "asks-grpc", "reads", "tells", "masks", "checker", "client"),
        INVENTORY,
      ),
      "plugins.yaml": documents(
        plugin("http-authz", "asks", {
          cluster: "checker.default.svc.cluster.local:80",
          path: "/check",
          header: "x-user",
          timeoutMs: 5000,
        }),
        plugin("grpc-callout", "asks-grpc", {
          cluster: "outbound|7070||inventory.default.svc.cluster.local",
          service: "shop.Inventory",
          method: "Look",
          header: "x-answer",
          timeoutMs: 5000,
        }),
        plugin("add-header", "tells", { name: "x-hello", value: "world" }),
        plugin("replace-text", "tells", { find: "tells", replace: "knows" }),
        plugin("json-access-log", "tells", { headers: ["x-user"] }),
        plugin("request-tally", "tells", { periodMs: 200 }),
        plugin("mask-digits", "masks", {}),
      ),
      "body.yaml": plugin("header-from-body", "reads", BODY),
    },
  });
}, 240_000);
afterAll(() => mesh?.stop());

const seenBy = (answer: Answer): { headers: Record<string, string>; body: string } =>
  JSON.parse(answer.body) as { headers: Record<string, string>; body: string };
const post = (url: string, body: string, headers: Record<string, string> = {}): Promise<Answer> =>
  mesh.from("client", url, { method: "POST", body, headers });

function envoyLog(pod: string): string {
  const logs = join(mesh.stateDirectory, "logs");
  return readdirSync(logs)
    .filter((name) => name.startsWith(pod))
    .map((name) => readFileSync(join(logs, name, "envoy.log"), "utf8"))
    .join("");
}

describe("filters that call services of the mesh, by one name", () => {
  it("http-authz is answered by the service that it names", async () => {
    const answer = await mesh.from("client", "http://asks/", { headers: { "x-user": "me" } });
    expect(answer.status).toBe(200);
    expect((await post("http://asks/", "a body", { "x-user": "me" })).status).toBe(200);
    expect((await mesh.from("client", "http://checker/seen/check")).body).toBe("2");
  });

  it("grpc-callout too", async () => {
    const answer = await mesh.from("client", "http://asks-grpc/orders");
    expect(answer.status).toBe(200);
    expect(seenBy(answer).headers["x-answer"]).toBe("/orders at inventory.default.svc.cluster.local");
  });
});

describe("filters that change what passes, or tell of it", () => {
  it("add-header, replace-text, json-access-log and request-tally stand in one chain", async () => {
    const answer = await post("http://tells/a", "tells all", { "x-user": "me" });
    expect(answer.headers["x-hello"]).toBe("world");
    expect(seenBy(answer).body).toBe("knows all");
    await eventually("the tally", () => /tally: 1 requests, 1 of them POST/.test(envoyLog("tells")) || undefined);
    expect(envoyLog("tells")).toMatch(/method[\\":]+POST[\\",]+path[\\":]+\/a[\\",]+x-user[\\":]+me[\\",]+status/);
  });

  it("mask-digits leaves no digit", async () => {
    const answer = await post("http://masks/", "card 4111");
    expect(answer.status).toBe(200);
    expect(answer.body).not.toMatch(/\d/);
    expect(answer.body).toContain("card ####");
  });
});

describe("a filter of connections", () => {
  it("preface-gate lets in those alone that begin so, also where they speak HTTP", async () => {
    const gate = JSON.parse(plugin("preface-gate", "masks", { preface: "GET " })) as { spec: object };
    await mesh.apply("gate.yaml", JSON.stringify({ ...gate, spec: { ...gate.spec, type: "NETWORK" } }));
    // Connections from before the gate know nothing of it.
    await eventually("the gate", async () => (await post("http://masks/", "")).status === 503 || undefined);
    expect((await mesh.from("client", "http://masks/")).status).toBe(200);
    mesh.remove("gate.yaml");
    await eventually("no gate", async () => (await post("http://masks/", "")).status === 200 || undefined);
  });
});

describe("a filter that waits for the body", () => {
  it("gets it, because its manifest asks for it", async () => {
    const answer = await post("http://reads/", '{"model": "large-2"}', { "x-model": "free" });
    expect(answer.status).toBe(200);
    expect(seenBy(answer).headers["x-model"]).toBe("large-2");
    expect(seenBy(answer).body).toBe('{"model": "large-2"}');
    const none = await mesh.from("client", "http://reads/", { headers: { "x-model": "free" } });
    expect(seenBy(none).headers["x-model"]).toBeUndefined();
    const large = await post("http://reads/", JSON.stringify({ model: "a", text: "x".repeat(400_000) }));
    expect(seenBy(large).headers["x-model"]).toBe("a");
    const larger = await post("http://reads/", JSON.stringify({ model: "a", text: "x".repeat(3_000_000) }));
    expect(larger.status).toBe(200);
    expect(seenBy(larger).headers["x-model"]).toBeUndefined();
  });

  it("is told of where it may not, before anybody's request hangs", async () => {
    const annotations = { "scrim.mesh/allow-on-headers-stop-iteration": "false" };
    await mesh.apply("body.yaml", plugin("header-from-body", "reads", BODY, { annotations }));
    const said = await eventually("the warning", async () => {
      const violations = (await request(`${mesh.admin}/debug/violations`)).body;
      return violations.includes("for ever") ? violations : undefined;
    });
    expect(said).toContain("it holds a request with a body for ever, from proxy_on_request_headers on");
    expect(said).toContain("scrim.mesh/allow-on-headers-stop-iteration");
    await mesh.apply("body.yaml", plugin("header-from-body", "reads", BODY));
    expect((await post("http://reads/", '{"model": "b"}')).status).toBe(200);
  });
});

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import * as door from "../fidelity-entry.ts";

const FILTERS = fileURLToPath(new URL("../../filters/build", import.meta.url));
const service = (name: string): string => `apiVersion: v1
kind: Service
metadata: { name: ${name}, namespace: default }
spec: { ports: [{ name: http, port: 80 }] }
`;

it("has seven names", () => {
  expect(Object.keys(door).sort()).toEqual([
    "loadBuiltinModules",
    "loadText",
    "parseFile",
    "runInHost",
    "toProto3Json",
    "translateProxy",
    "validateDocument",
  ]);
});

it("judges documents of a text", () => {
  const { documents, problems } = door.parseFile(`${service("web")}---\n${service("We b")}---\nkind: [`, "input.yaml");
  expect(documents[0]?.value).toMatchObject({ kind: "Service", metadata: { name: "web" } });
  expect(problems.map(({ message }) => typeof message)).toEqual(["string"]);
  const [good, bad] = documents.map((document) => door.validateDocument(document, { strict: false }));
  expect(good).toEqual({ outcome: "accepted", violations: [] });
  expect(bad?.outcome).toBe("refused");
  expect(bad?.violations[0]).toMatchObject({ severity: "error", field: "metadata.name" });
});

it("translates a mesh for a proxy, into messages that have a proto3 JSON", async () => {
  const modules = await door.loadBuiltinModules(FILTERS);
  const { world, violations } = door.loadText(service("web"));
  expect(violations).toEqual([]);
  const made = door.translateProxy(world, "default/client", {
    builtin: (name) => modules[name],
    plugin: () => ({ kind: "pending" }),
    differsByProxy: () => false,
  });
  if (made.kind !== "translated") throw new Error(made.reason);
  const clusters = [...made.resources.clusters.values()].map((cluster) => door.toProto3Json("Cluster", cluster));
  expect(clusters).toContainEqual(expect.objectContaining({ name: "outbound|80||web.default.svc.cluster.local" }));
});

it("says why a proxy is not translated", () => {
  const { world } = door.loadText("");
  const made = door.translateProxy(world, "client", {
    builtin: () => ({ bytes: new Uint8Array(), sha256: "" }),
    plugin: () => ({ kind: "pending" }),
    differsByProxy: () => false,
  });
  expect(made).toMatchObject({ kind: "refused", reason: expect.stringContaining("NAMESPACE/WORKLOAD") });
});

it("runs a scenario in the host, or says why it cannot", () => {
  const module = readFileSync(`${FILTERS}/authz.wasm`);
  const exchange = { expect: {} };
  const scenario = { name: "authz", module: "authz", configuration: {}, exchanges: [exchange] };
  const outcome = door.runInHost(scenario, module);
  expect(outcome).toMatchObject({ kind: "ran", observations: [{ status: 200 }] });
  const refused = door.runInHost({ ...scenario, configuration: { policies: "all" } }, module);
  expect(refused).toMatchObject({ kind: "refused", reason: expect.any(String) });
});

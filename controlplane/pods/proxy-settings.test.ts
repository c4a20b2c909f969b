import { describe, expect, it } from "vitest";
import { loadText } from "../store/load.ts";
import { proxySettingsOf } from "./proxy-settings.ts";

const config = (name: string, namespace: string, spec: string) =>
  `apiVersion: networking.istio.io/v1beta1\nkind: ProxyConfig\nmetadata: {name: ${name}, namespace: ${namespace}}\nspec: ${spec}\n`;
const mesh =
  "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: istio, namespace: istio-system}\n" +
  "data:\n  mesh: '{defaultConfig: {concurrency: 9, proxyMetadata: {FROM: mesh, MESH: a}}}'\n";
const root = config("root", "istio-system", "{concurrency: 2, environmentVariables: {FROM: root, ROOT: a}}");
const own = config("own", "default", "{concurrency: 3, environmentVariables: {FROM: own}}");
const younger = config("younger", "default", "{concurrency: 4}");
const selecting = config("selecting", "default", "{selector: {matchLabels: {app: web}}, concurrency: 0}");

function settings(documents: readonly string[], more: { readonly app?: string; readonly annotation?: string } = {}) {
  const { world, violations } = loadText(documents.join("---\n"));
  expect(violations).toEqual([]);
  return proxySettingsOf(world, {
    namespace: "default",
    labels: { app: more.app ?? "other" },
    annotations: more.annotation === undefined ? {} : { "proxy.istio.io/config": more.annotation },
  });
}

describe("settings of a workload's proxies", () => {
  it("are nobody's where nobody says any", () => expect(settings([])).toBeUndefined());

  it("are the mesh's, then the root namespace's, then the namespace's, whose oldest counts", () => {
    expect(settings([mesh])).toEqual({ environmentVariables: { FROM: "mesh", MESH: "a" } });
    expect(settings([mesh, root])).toEqual({
      concurrency: 2,
      environmentVariables: { FROM: "root", MESH: "a", ROOT: "a" },
    });
    expect(settings([root, own, younger])).toEqual({
      concurrency: 3,
      environmentVariables: { FROM: "own", ROOT: "a" },
    });
  });

  it("are the annotation's before those, and before it those that select the workload", () => {
    const annotation = "concurrency: 5\nproxyMetadata: {FROM: annotation}\n";
    expect(settings([own], { annotation })).toEqual({
      concurrency: 5,
      environmentVariables: { FROM: "annotation" },
    });
    expect(settings([own, selecting], { annotation, app: "web" })?.concurrency).toBe(0);
    expect(settings([own, selecting])?.concurrency).toBe(3);
  });
});

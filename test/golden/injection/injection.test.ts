// What injection makes of each document here (NAME.yaml, with NAME.values.yaml where something else than the defaults was
// installed) is NAME.injected.yaml: the document, and beside it what no reader would find in the bootstrap's one line.
// UPDATE_GOLDEN=1 rewrites them.
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { parseAllDocuments, stringify } from "yaml";
import { injectDocument } from "../../../controlplane/injector/documents.ts";
import { injectPod, type InjectionContext } from "../../../controlplane/injector/inject.ts";
import { readPod } from "../../../controlplane/injector/pod.ts";
import { injectionValues } from "../../../controlplane/injector/values.ts";
import { loadText } from "../../../controlplane/store/load.ts";

const directory = dirname(fileURLToPath(import.meta.url));
const read = (file: string) => readFileSync(join(directory, file), "utf8");
const cases = readdirSync(directory)
  .filter((file) => /^[a-z-]+\.yaml$/.test(file))
  .map((file) => file.slice(0, -".yaml".length));
const documentsIn = (text: string): readonly unknown[] => parseAllDocuments(text).map((document) => document.toJS());

function contextOf(name: string): Omit<InjectionContext, "workload"> {
  const values = `${name}.values.yaml`;
  const [written] = existsSync(join(directory, values)) ? documentsIn(read(values)) : [];
  return { namespace: "default", values: injectionValues(written, "0.0.0"), world: loadText("").world };
}

type Fields = Readonly<Record<string, unknown>>;

/** The document with each bootstrap taken out of its arguments, and those bootstraps. */
function takenApart(value: unknown): { readonly document: unknown; readonly bootstraps: readonly Fields[] } {
  const bootstraps: Fields[] = [];
  const document = JSON.parse(JSON.stringify(value), (_, inner: unknown) => {
    const at = Array.isArray(inner) ? inner.indexOf("--config-yaml") : -1;
    if (at < 0 || !Array.isArray(inner)) return inner;
    bootstraps.push(JSON.parse(String(inner[at + 1]).replaceAll("$$", "$")) as Fields);
    return [...inner.slice(0, at + 1), "THE BOOTSTRAP", ...inner.slice(at + 2)];
  }) as unknown;
  return { document, bootstraps };
}

/** What differs from one pod's bootstrap to another's. */
function excerptOf({ node, static_resources }: Fields) {
  const { clusters, listeners } = static_resources as { clusters: readonly Fields[]; listeners: readonly Fields[] };
  const [{ filter_chains: chains }] = listeners as readonly [
    { filter_chains: readonly { filters: readonly { typed_config: Fields }[] }[] },
  ];
  const http = chains[0]?.filters[0]?.typed_config as {
    route_config: { virtual_hosts: readonly { routes: readonly unknown[] }[] };
    http_filters: readonly unknown[];
  };
  const [xds] = clusters as readonly [{ load_assignment: { endpoints: readonly unknown[] } }];
  const applications = clusters.filter(({ name }) => String(name).startsWith("app-"));
  return {
    node,
    controlPlane: xds.load_assignment.endpoints,
    ...(applications.length > 0 && {
      readiness: {
        filters: http.http_filters.slice(0, -1),
        routes: http.route_config.virtual_hosts[0]?.routes.slice(1),
      },
      applications,
    }),
  };
}

function render(name: string): string {
  const context = contextOf(name);
  return documentsIn(read(`${name}.yaml`))
    .map((value) => {
      const injected = injectDocument(value, context);
      const { document, bootstraps } = takenApart(injected.value);
      return stringify(
        { document, notes: injected.notes, bootstraps: bootstraps.map(excerptOf) },
        { lineWidth: 0, aliasDuplicateObjects: false },
      );
    })
    .join("---\n");
}

describe("injected documents", () => {
  it.each(cases)("%s", (name) => {
    const rendered = render(name);
    const file = `${name}.injected.yaml`;
    if (process.env["UPDATE_GOLDEN"] === "1") writeFileSync(join(directory, file), rendered);
    expect(rendered, file).toBe(read(file));
  });

  it.each(cases)("%s is the same injected again", (name) => {
    const context = contextOf(name);
    for (const value of documentsIn(read(`${name}.yaml`))) {
      const once = injectDocument(value, context).value;
      expect(injectDocument(once, context).value).toEqual(once);
    }
  });

  it("are changed by nothing but what is said to be added", () => {
    const [value] = documentsIn(read("deployment.yaml")) as readonly [{ spec: { template: unknown } }];
    const pod = readPod(value.spec.template);
    const injected = "kind" in pod ? pod : injectPod(pod, contextOf("deployment"));
    if (injected.kind !== "injected" || "kind" in pod) throw new Error("was not injected");
    expect(injected.pod.spec).toEqual({
      ...pod.spec,
      initContainers: [
        expect.objectContaining({ name: "istio-init" }),
        expect.objectContaining({ name: "istio-proxy" }),
      ],
      volumes: ["istio-envoy", "istio-token", "istiod-ca-cert"].map((name) => expect.objectContaining({ name })),
    });
  });
});

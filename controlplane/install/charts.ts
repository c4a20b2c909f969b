// Consumes: the descriptions of an installation, and the schemas of its values.
// Produces: the Helm charts, as files by path.
// Never does: I/O (`npm run generate` writes them to deploy/charts).
import { Document, isMap, type Pair, type Scalar, stringify } from "yaml";
import type { TObject, TSchema } from "@sinclair/typebox";
import { SCRIM_VERSION } from "../settings/version.ts";
import { notes } from "./chart-notes.ts";
import type { Description } from "./description/description.ts";
import { helmTemplate } from "./description/helm-template.ts";
import { configMaps } from "./manifests/config-maps.ts";
import { controlPlane } from "./manifests/control-plane.ts";
import { gateway } from "./manifests/gateway.ts";
import { readinessTest } from "./manifests/readiness-test.ts";
import { accessRights } from "./manifests/roles.ts";
import { webhooks } from "./manifests/webhooks.ts";
import { controlPlaneValues } from "./values/control-plane-values.ts";
import { gatewayValues } from "./values/gateway-values.ts";
import { type Profile, profiles } from "./values/profiles.ts";
import { defaultsOf, type Values, values as valuesOf } from "./values/words.ts";

interface Chart {
  readonly name: string;
  readonly description: string;
  readonly values: TObject;
  readonly templates: Readonly<Record<string, readonly Description[]>>;
  /** What a profile says of this chart. */
  readonly ofProfile: (profile: Profile) => Values | undefined;
}

const charts: Readonly<Record<string, Chart>> = {
  base: {
    name: "base",
    description: "Scrim's definitions of custom resources. Those that are there already are left alone.",
    values: valuesOf("There are none.", {}),
    templates: {},
    ofProfile: () => undefined,
  },
  "control-plane": {
    name: "control-plane",
    description: "Scrim's control plane, istiod.",
    values: controlPlaneValues,
    templates: {
      roles: accessRights,
      "config-maps": configMaps,
      "control-plane": controlPlane,
      webhooks,
      "tests/ready": readinessTest,
    },
    ofProfile: ({ controlPlane: over }) => over,
  },
  gateway: {
    name: "gateway",
    description: "A gateway of Scrim's: proxies at the mesh's edge.",
    values: gatewayValues,
    templates: { gateway },
    ofProfile: ({ gateways }) => gateways["istio-ingressgateway"],
  },
};

const GENERATED = "Generated from controlplane/install by `npm run generate`: edit that.";

/** Returns the files of all charts below `deploy/charts`. */
export function chartFiles(): ReadonlyMap<string, string> {
  return new Map(Object.entries(charts).flatMap(([folder, chart]) => filesOf(folder, chart)));
}

function filesOf(folder: string, chart: Chart): readonly (readonly [path: string, text: string])[] {
  const templates = Object.entries(chart.templates).map(
    ([name, descriptions]) =>
      [`templates/${name}.yaml`, `{{- /* ${GENERATED} */}}\n${helmTemplate(descriptions)}`] as const,
  );
  const schema = { $schema: "https://json-schema.org/draft-07/schema#", ...chart.values };
  const ofProfiles = Object.entries(profiles).flatMap(([name, profile]) => {
    const over = chart.ofProfile(profile);
    return over === undefined ? [] : [[`profiles/${name}.yaml`, `# ${profile.description}\n${yaml(over)}`] as const];
  });
  return [
    ["Chart.yaml", `# ${GENERATED}\n${yaml(chartYaml(chart))}`] as const,
    ["values.yaml", `# ${GENERATED}\n${valuesYaml(chart.values)}`] as const,
    // Helm gives every chart the values that are global.
    ["values.schema.json", `${JSON.stringify(withGlobal(schema), undefined, 2)}\n`] as const,
    ["templates/NOTES.txt", notes[folder] ?? ""] as const,
    ...templates,
    ...ofProfiles,
  ].map(([path, text]) => [`deploy/charts/${folder}/${path}`, text]);
}

function withGlobal(schema: { readonly properties: Readonly<Record<string, TSchema>> }) {
  return { ...schema, properties: { global: { type: "object" }, ...schema.properties } };
}

function chartYaml({ name, description }: Chart) {
  return {
    apiVersion: "v2",
    name,
    description,
    type: "application",
    version: SCRIM_VERSION,
    appVersion: SCRIM_VERSION,
    kubeVersion: ">=1.28.0-0",
    keywords: ["service-mesh", "istio", "envoy"],
  };
}

/** Helm reads YAML 1.1. */
function yaml(value: unknown): string {
  return stringify(value, { lineWidth: 0, version: "1.1" });
}

/** Returns the default values, each below what it means. */
function valuesYaml(schema: TObject): string {
  const document = new Document(defaultsOf(schema), { version: "1.1" });
  comment(document.contents, schema);
  return document.toString({ lineWidth: 0 });
}

function comment(node: unknown, schema: TSchema): void {
  if (!isMap(node)) return;
  for (const { key, value } of node.items as readonly Pair<Scalar<string>>[]) {
    const inner = (schema["properties"] as Readonly<Record<string, TSchema>> | undefined)?.[key.value];
    if (inner === undefined) continue;
    key.commentBefore = ` ${String(inner["description"])}`;
    comment(value, inner);
  }
}

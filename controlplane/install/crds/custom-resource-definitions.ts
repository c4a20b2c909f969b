// Consumes: the kinds' schemas (model/kinds.ts).
// Produces: the CustomResourceDefinitions by which an API server knows them.
// Never does: I/O (`npm run generate` writes them to deploy/crds), or set a default: an object means the same, and its
// content is the same, whether it came through an API server or from a file.
import { type Kind, kindDefinitions, pluralOf } from "../../model/kinds.ts";
import { conditionColumns, type CustomKind, customKinds } from "./custom-kinds.ts";
import { statusSchema } from "./status-schema.ts";
import { type StructuralSchema, structuralSchema } from "./structural-schema.ts";

/** Whose a definition is, as a label tells. One without it is Istio's or somebody else's, and is left alone. */
export const OWNER_LABELS = { "app.kubernetes.io/part-of": "scrim" } as const;

export interface CustomResourceDefinition {
  readonly apiVersion: "apiextensions.k8s.io/v1";
  readonly kind: "CustomResourceDefinition";
  readonly metadata: { readonly name: string; readonly labels: Readonly<Record<string, string>> };
  readonly spec: Readonly<Record<string, unknown>>;
}

/** Returns the definitions of every kind, one for each group that a kind is served in. */
export function customResourceDefinitions(): readonly CustomResourceDefinition[] {
  return Object.entries(customKinds).flatMap(([kind, custom]) => definitionsOf(kind as Kind, custom));
}

function definitionsOf(kind: Kind, custom: CustomKind): readonly CustomResourceDefinition[] {
  const schema = schemaOf(kind);
  const plural = pluralOf(kind);
  const served = kindDefinitions[kind].apiVersions.map((apiVersion) => apiVersion.split("/") as [string, string]);
  const groups = [...new Set(served.map(([group]) => group))];
  return groups.map((group) => ({
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: `${plural}.${group}`, labels: OWNER_LABELS },
    spec: {
      group,
      scope: "Namespaced",
      names: {
        kind,
        listKind: `${kind}List`,
        plural,
        singular: kind.toLowerCase(),
        ...(custom.shortNames && { shortNames: custom.shortNames }),
        categories: categoriesOf(group),
      },
      versions: versionsIn(group, served).map((name, index) => ({
        name,
        served: true,
        // The newest is what is stored; all are the same but for their names.
        storage: index === 0,
        subresources: { status: {} },
        additionalPrinterColumns: [...(custom.columns ?? []), ...conditionColumns],
        schema: { openAPIV3Schema: schema },
      })),
    },
  }));
}

/** Returns Istio's categories, by which `kubectl get istio-io` finds all of them. */
function categoriesOf(group: string): readonly string[] {
  const [area = "", ...rest] = group.split(".");
  return rest.join(".") === "istio.io" ? ["istio-io", `${area}-istio-io`] : ["scrim"];
}

function schemaOf(kind: Kind): StructuralSchema {
  const { schema } = kindDefinitions[kind];
  const { status: _, ...properties } = schema.properties;
  const spec = structuralSchema(kind, { ...schema, properties });
  return {
    type: "object",
    ...(spec["description"] !== undefined && { description: spec["description"] }),
    ...(spec["required"] !== undefined && { required: ["spec"] }),
    properties: { spec, status: statusSchema },
  };
}

function versionsIn(group: string, served: readonly (readonly [group: string, version: string])[]): readonly string[] {
  return served.filter(([other]) => other === group).map(([, version]) => version);
}

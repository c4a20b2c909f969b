// Secret, ConfigMap, Namespace, ServiceAccount: Kubernetes kinds with little in them.
import { anyText, mapOf, openFields, opt, type SpecFrom, text } from "../schema.ts";

/** The schema of a Secret's top-level fields. `data` is base64, `stringData` is plain. */
export const secretSchema = openFields({
  type: opt(text()),
  data: opt(mapOf(anyText())),
  stringData: opt(mapOf(anyText())),
});

/** The schema of a ConfigMap's top-level fields. */
export const configMapSchema = openFields({ data: opt(mapOf(anyText())) });

/** The schema of kinds of which only the metadata counts. */
export const emptySchema = openFields({});

export type SecretSpec = SpecFrom<typeof secretSchema>;
export type ConfigMapSpec = SpecFrom<typeof configMapSchema>;
export type EmptySpec = SpecFrom<typeof emptySchema>;

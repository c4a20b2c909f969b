// What an installation was made with, kept beside it: an upgrade has the same values, and a check knows what to expect.
import { isJsonObject } from "../../model/json-object.ts";
import { OWNER_LABELS } from "../crds/custom-resource-definitions.ts";
import type { KubernetesObject } from "../description/render.ts";
import type { Values } from "../values/words.ts";
import { at, type Cluster } from "./cluster.ts";
import type { InstallationName } from "./ownership.ts";
import { pathOf } from "./resource-kinds.ts";

/** What is known of an installation that is there. */
export interface InstalledValues {
  readonly values: Values;
  /** Of the Scrim that made it. */
  readonly version: string;
}

/** Returns the object that keeps them. */
export function installedValuesObject(name: InstallationName, { values, version }: InstalledValues): KubernetesObject {
  return {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: {
      name: `scrim-installation${name.revision === "" ? "" : `-${name.revision}`}`,
      namespace: name.namespace,
      labels: OWNER_LABELS,
    },
    data: { values: JSON.stringify(values, undefined, 2), version },
  };
}

/** Resolves to what an installation was made with; undefined where there is none. */
export async function readInstalledValues(
  cluster: Cluster,
  name: InstallationName,
): Promise<InstalledValues | undefined> {
  const live = await cluster.get(pathOf(installedValuesObject(name, { values: {}, version: "" })));
  if (live === undefined) return undefined;
  const values: unknown = JSON.parse(String(at(live, "data", "values") ?? "{}"));
  return { values: isJsonObject(values) ? values : {}, version: String(at(live, "data", "version")) };
}

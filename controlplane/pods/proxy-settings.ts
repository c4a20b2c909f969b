// Consumes: MeshConfig's settings of proxies, ProxyConfigs, and a workload's annotation proxy.istio.io/config.
// Produces: what the workload's Envoys are started with.
// Never does: tell a running Envoy: these are settings of its process.
import { isJsonObject } from "../model/json-object.ts";
import { PROXY_CONFIG_ANNOTATION } from "../model/kinds/proxy-config.ts";
import { type Labels, labelsMatch, selectsAll } from "../model/labels.ts";
import { parsePiece } from "../model/yaml.ts";
import { objectsIn } from "../world/label-index.ts";
import type { World } from "../world/world.ts";

/** What somebody says of the process of an Envoy. */
export interface ProxySettings {
  /** Worker threads; 0: one for each core. */
  readonly concurrency?: number | undefined;
  readonly environmentVariables?: Labels | undefined;
}

/** Whose settings are asked for. */
interface ProxyWorkload {
  readonly namespace: string;
  readonly labels: Labels;
  readonly annotations?: Labels | undefined;
}

/**
 * Returns the settings beside MeshConfig's concurrency; undefined where nobody says any. In rising order, as in Istio:
 * the mesh's, the oldest ProxyConfig without selector of the root namespace, that of the workload's own, the workload's
 * annotation, the oldest ProxyConfig that selects it. Variables add up.
 */
export function proxySettingsOf(world: World, workload: ProxyWorkload): ProxySettings | undefined {
  const { namespace, labels, annotations = {} } = workload;
  const ofNamespace = (name: string) => objectsIn(world, "ProxyConfig", name).map(({ spec }) => spec);
  const wide = (name: string) => ofNamespace(name).find(({ selector }) => selectsAll(selector?.matchLabels));
  const layers: readonly (ProxySettings | undefined)[] = [
    { environmentVariables: world.mesh.proxyVariables },
    wide(world.mesh.rootNamespace),
    wide(namespace),
    ofAnnotation(annotations[PROXY_CONFIG_ANNOTATION]),
    ofNamespace(namespace).find(
      ({ selector }) => !selectsAll(selector?.matchLabels) && labelsMatch(selector?.matchLabels, labels),
    ),
  ];
  const concurrency = layers.findLast((layer) => layer?.concurrency !== undefined)?.concurrency;
  const environmentVariables = Object.assign({}, ...layers.map((layer) => layer?.environmentVariables)) as Labels;
  const saysVariables = Object.keys(environmentVariables).length > 0;
  if (concurrency === undefined && !saysVariables) return undefined;
  return { ...(concurrency !== undefined && { concurrency }), ...(saysVariables && { environmentVariables }) };
}

/** The text was validated with its workload: what does not parse counts as absent. */
function ofAnnotation(text: string | undefined): ProxySettings | undefined {
  const parsed = text === undefined ? undefined : parsePiece(text);
  if (parsed?.kind !== "document" || !isJsonObject(parsed.value)) return undefined;
  const { concurrency, proxyMetadata } = parsed.value;
  const threads = concurrency === undefined ? Number.NaN : Number(concurrency);
  const variables = Object.entries(isJsonObject(proxyMetadata) ? proxyMetadata : {}).filter(
    (entry): entry is [string, string] => typeof entry[1] === "string",
  );
  return {
    ...(Number.isInteger(threads) && threads >= 0 && { concurrency: threads }),
    environmentVariables: Object.fromEntries(variables),
  };
}

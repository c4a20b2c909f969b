// The mesh's settings out of the accepted objects. Pure.
import { isDeepStrictEqual } from "node:util";
import { parseDurationMs } from "../model/duration.ts";
import type { MeshObject } from "../model/object.ts";
import { readMeshConfig } from "../validate/mesh-config.ts";
import { defaultMeshConfig, type InjectionDefaults, type MeshConfig } from "../world/world.ts";

/**
 * Returns the settings of ConfigMap istio-system/istio with defaults filled in; `before` itself if they say the same.
 */
export function meshConfigOf(objects: ReadonlyMap<string, MeshObject>, before: MeshConfig): MeshConfig {
  const object = objects.get("ConfigMap/istio-system/istio");
  const data = object?.kind === "ConfigMap" ? (object as MeshObject<"ConfigMap">).spec.data : undefined;
  const next = Object.freeze(
    meshConfigFrom(data !== undefined && Object.hasOwn(data, "mesh") ? (data["mesh"] ?? "") : ""),
  );
  return isDeepStrictEqual(next, before) ? before : next;
}

/** Returns the settings a MeshConfig document's text means; what is wrong in it is left at its default. */
function meshConfigFrom(text: string): MeshConfig {
  // The text was validated with its ConfigMap: nobody is waiting for findings here.
  const {
    defaultConfig,
    connectTimeout,
    protocolDetectionTimeout,
    outboundTrafficPolicy,
    pathNormalization,
    failStrategies,
    ...rest
  } = readMeshConfig(text, [], { error: () => {}, warn: () => {}, failedUnder: () => false });
  const normalization = pathNormalization?.normalization ?? "DEFAULT";
  const given = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined));
  return {
    ...defaultMeshConfig,
    ...given,
    failStrategies: {
      ...defaultMeshConfig.failStrategies,
      ...Object.fromEntries(Object.entries(failStrategies ?? {}).filter(([, value]) => value !== undefined)),
    },
    ...(outboundTrafficPolicy?.mode !== undefined && {
      outboundTrafficPolicy: outboundTrafficPolicy.mode,
    }),
    ...(normalization !== "DEFAULT" && { pathNormalization: normalization }),
    ...(connectTimeout !== undefined && {
      connectTimeoutMs: parseDurationMs(connectTimeout) ?? defaultMeshConfig.connectTimeoutMs,
    }),
    ...(protocolDetectionTimeout !== undefined && {
      protocolDetectionTimeoutMs:
        parseDurationMs(protocolDetectionTimeout) ?? defaultMeshConfig.protocolDetectionTimeoutMs,
    }),
    ...(defaultConfig?.extraStatTags !== undefined && {
      extraStatTags: [...new Set(defaultConfig.extraStatTags.filter((name) => name !== undefined))].sort(),
    }),
    ...(defaultConfig?.proxyMetadata !== undefined && {
      proxyVariables: Object.fromEntries(
        Object.entries(defaultConfig.proxyMetadata).filter(
          (entry): entry is [string, string] => entry[1] !== undefined,
        ),
      ),
    }),
    ...injectionDefaultsIn(defaultConfig),
    ...(defaultConfig?.concurrency !== undefined && { defaultConcurrency: defaultConfig.concurrency }),
  };
}

function injectionDefaultsIn(said: InjectionDefaults = {}): Pick<MeshConfig, "injectionDefaults"> {
  const { interceptionMode, discoveryAddress, holdApplicationUntilProxyStarts } = said;
  const given = Object.entries({ interceptionMode, discoveryAddress, holdApplicationUntilProxyStarts }).filter(
    ([, value]) => value !== undefined,
  );
  return given.length === 0 ? {} : { injectionDefaults: Object.fromEntries(given) };
}

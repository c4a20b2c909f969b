// Consumes: a pod's annotations, what its namespace's ProxyConfigs and the mesh say, and what was installed.
// Produces: how its proxy is to be, or every annotation that cannot be followed.
// Never does: follow half of what somebody wrote: a pod that cannot be as it was asked for is refused, and told why.
import { type Failure, failed } from "../model/failure.ts";
import { isJsonObject } from "../model/json-object.ts";
import { injectedProxyConfig, PROXY_CONFIG_ANNOTATION } from "../model/kinds/proxy-config.ts";
import type { Labels } from "../model/labels.ts";
import type { CaptureMode } from "../pods/annotations.ts";
import { type AskedCapture, parseCaptureScope } from "../pods/capture-scope.ts";
import { proxySettingsOf } from "../pods/proxy-settings.ts";
import { readProxyConfig } from "../validate/proxy-config.ts";
import type { World } from "../world/world.ts";
import { marksWithoutEffect } from "./known-marks.ts";
import { imageNamed, type InjectionValues } from "./values.ts";

/** How one pod's proxy is to be. */
export interface AskedProxy {
  readonly image: string;
  /** Undefined: nothing is led to it. */
  readonly capture: CaptureMode | undefined;
  readonly scope: AskedCapture;
  readonly isNative: boolean;
  readonly resources: object | undefined;
  readonly logLevel: string;
  readonly componentLogLevel: string;
  /** Worker threads, 0: one for each core; undefined: as many as its CPU limit allows. */
  readonly concurrency: number | undefined;
  readonly environment: Labels;
  readonly extraStatTags: readonly string[];
  readonly xdsAddress: string;
  /** False: nobody asks its readiness, and the application's probes stay as they are. */
  readonly hasStatusPort: boolean;
  readonly rewriteProbes: boolean;
  readonly readiness: InjectionValues["readiness"];
  readonly holdApplication: boolean;
  /** A ConfigMap with a bootstrap of somebody's own, to which ours is added. */
  readonly bootstrapOverride: string | undefined;
  /** May bind ports below 1024, as root. */
  readonly bindsLowPorts: boolean;
  readonly userVolumes: Readonly<Record<string, object>>;
  readonly userVolumeMounts: Readonly<Record<string, object>>;
  /** What was asked for and has no effect here, a sentence each. */
  readonly warnings: readonly string[];
}

/** Whose proxy it is. */
export interface ProxyOwner {
  readonly namespace: string;
  readonly labels: Labels;
  readonly annotations: Labels;
}

const SIDECAR = "sidecar.istio.io/";
const READINESS = "readiness.status.sidecar.istio.io/";
const STATUS_PORT = "status.sidecar.istio.io/port";

/** Returns how the proxy is to be; a failure that names every annotation that cannot be followed. */
export function askedProxy(
  owner: ProxyOwner,
  values: InjectionValues,
  world: World,
): AskedProxy | Failure<"not-followed"> {
  const { annotations } = owner;
  const problems: string[] = [];
  const own = proxyConfigOf(annotations);
  problems.push(...own.problems);
  const config: Readonly<Record<string, unknown>> = { ...world.mesh.injectionDefaults, ...own.config };
  const scope = parseCaptureScope({ ...values.capture, ...interceptionOf(config), ...annotations });
  problems.push(...scope.problems);
  const read = reader(annotations, problems);
  const settings = proxySettingsOf(world, owner);
  const image = read.text("proxyImage");
  const asked: AskedProxy = {
    image: image?.includes("/") ? image : image ? sameHub(values.proxyImage, image) : values.proxyImage,
    capture: scope.mode === "NONE" ? undefined : (scope.mode ?? "REDIRECT"),
    scope,
    isNative: read.flag(`${SIDECAR}nativeSidecar`) ?? values.nativeSidecars,
    resources: resourcesOf(annotations, problems) ?? values.resources,
    logLevel: read.level("logLevel") ?? values.logLevel,
    componentLogLevel: read.components("componentLogLevel") ?? values.componentLogLevel,
    concurrency: settings?.concurrency ?? world.mesh.defaultConcurrency,
    environment: settings?.environmentVariables ?? {},
    extraStatTags: [...new Set([...world.mesh.extraStatTags, ...textsOf(config["extraStatTags"]), ...read.names()])],
    xdsAddress: addressOf(annotations, config, problems) ?? values.xdsAddress,
    hasStatusPort: (read.count(STATUS_PORT) ?? 1) !== 0,
    rewriteProbes: read.flag(`${SIDECAR}rewriteAppHTTPProbers`) ?? values.rewriteProbes,
    readiness: {
      initialDelaySeconds: read.count(`${READINESS}initialDelaySeconds`) ?? values.readiness.initialDelaySeconds,
      periodSeconds: read.count(`${READINESS}periodSeconds`) || values.readiness.periodSeconds,
      failureThreshold: read.count(`${READINESS}failureThreshold`) || values.readiness.failureThreshold,
      startupFailureThreshold: values.readiness.startupFailureThreshold,
    },
    holdApplication: config["holdApplicationUntilProxyStarts"] === true || values.holdApplication,
    bootstrapOverride: read.text("bootstrapOverride"),
    bindsLowPorts: read.flag(`${SIDECAR}capNetBindService`) ?? false,
    userVolumes: read.objects("userVolume"),
    userVolumeMounts: read.objects("userVolumeMount"),
    warnings: [...marksWithoutEffect(owner), ...own.warnings],
  };
  return problems.length === 0
    ? asked
    : failed("not-followed", problems.map((problem) => `annotation ${problem}`).join("; "));
}

/** Reads annotations of one kind each; what is none is a problem. */
function reader(annotations: Labels, problems: string[]) {
  const text = (name: string) => annotations[SIDECAR + name] || undefined;
  const checked = (name: string, pattern: RegExp, what: string) => {
    const value = text(name);
    if (value === undefined || pattern.test(value)) return value;
    problems.push(`${SIDECAR}${name}: ${value} is not ${what}`);
    return undefined;
  };
  return {
    text,
    level: (name: string) =>
      checked(name, /^(trace|debug|info|warning|warn|error|critical|off)$/, "a level of Envoy's log"),
    components: (name: string) =>
      checked(name, /^[a-z0-9_]+:[a-z]+(,[a-z0-9_]+:[a-z]+)*$/, "a list of component:level"),
    names: () => (annotations[`${SIDECAR}extraStatTags`] ?? "").split(",").flatMap((name) => name.trim() || []),
    flag(name: string): boolean | undefined {
      const value = annotations[name];
      if (value === undefined) return undefined;
      if (/^(true|false|1|0|t|f)$/i.test(value)) return /^(true|1|t)$/i.test(value);
      problems.push(`${name}: ${value} is neither true nor false`);
      return undefined;
    },
    count(name: string): number | undefined {
      const value = annotations[name];
      if (value === undefined || /^\d{1,9}$/.test(value)) return value === undefined ? undefined : Number(value);
      problems.push(`${name}: ${value} is not a number`);
      return undefined;
    },
    objects(name: string): Readonly<Record<string, object>> {
      const value = text(name);
      const parsed = value === undefined ? {} : parseJson(value);
      if (isJsonObject(parsed) && Object.values(parsed).every(isJsonObject)) return parsed as Record<string, object>;
      problems.push(`${SIDECAR}${name}: must be a JSON map of names to what each is`);
      return {};
    },
  };
}

const QUANTITY = /^\d+(\.\d+)?([numkKMGTPE]|[KMGTPE]i|[eE]\d+)?$/;

/** Who names one of them names all: what the mesh says of the others does not count. */
function resourcesOf(annotations: Labels, problems: string[]): object | undefined {
  const said = (entries: readonly (readonly [string, string])[]) =>
    Object.fromEntries(
      entries.flatMap(([name, annotation]) => {
        const value = annotations[SIDECAR + annotation];
        if (value === undefined) return [];
        if (!QUANTITY.test(value)) problems.push(`${SIDECAR}${annotation}: ${value} is not a quantity`);
        return [[name, value]];
      }),
    );
  const requests = said([
    ["cpu", "proxyCPU"],
    ["memory", "proxyMemory"],
  ]);
  const limits = said([
    ["cpu", "proxyCPULimit"],
    ["memory", "proxyMemoryLimit"],
  ]);
  const [hasRequests, hasLimits] = [requests, limits].map((each) => Object.keys(each).length > 0);
  return hasRequests || hasLimits ? { ...(hasRequests && { requests }), ...(hasLimits && { limits }) } : undefined;
}

/** The annotation `proxy.istio.io/config`, judged as in documents of the mesh. */
function proxyConfigOf(annotations: Labels) {
  const [problems, warnings]: [string[], string[]] = [[], []];
  const findings = {
    error: (_: unknown, message: string) => void problems.push(`${PROXY_CONFIG_ANNOTATION}: ${message}`),
    warn: (_: unknown, message: string) => void warnings.push(`annotation ${PROXY_CONFIG_ANNOTATION}: ${message}`),
    failedUnder: () => false,
  };
  const text = annotations[PROXY_CONFIG_ANNOTATION] ?? "";
  const config: Readonly<Record<string, unknown>> = readProxyConfig(text, [], findings, injectedProxyConfig);
  return { config, problems, warnings };
}

function interceptionOf(config: Readonly<Record<string, unknown>>): Labels {
  const mode = config["interceptionMode"];
  return typeof mode === "string" ? { [`${SIDECAR}interceptionMode`]: mode } : {};
}

function addressOf(annotations: Labels, config: Readonly<Record<string, unknown>>, problems: string[]) {
  const said = annotations[`${SIDECAR}discoveryAddress`] ?? config["discoveryAddress"];
  if (said === undefined) return undefined;
  if (typeof said === "string" && /^[^\s:]+:\d{1,5}$/.test(said)) return said;
  problems.push(`${SIDECAR}discoveryAddress: ${String(said)} is not HOST:PORT`);
  return undefined;
}

/** An image that is named without a folder is beside the mesh's own, with its tag. */
function sameHub(image: string, name: string): string {
  const slash = image.lastIndexOf("/");
  const tag = /:([^/:@]+)$/.exec(image)?.[1] ?? "latest";
  return imageNamed(name, image.slice(0, Math.max(0, slash)), tag);
}

function textsOf(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((one) => typeof one === "string") : [];
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

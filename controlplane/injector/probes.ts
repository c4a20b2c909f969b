// Consumes: the containers of a pod whose connections are captured.
// Produces: the same containers, their probes led to the proxy's readiness port, and what is asked of the application there.
// Never does: touch what runs in the container (exec), or what is asked of another host than the pod.
import type { AppCheck, AppProbe } from "../bootstrap/app-health.ts";
import { READINESS_PORT } from "../model/capture-ports.ts";
import { isJsonObject } from "../model/json-object.ts";
import type { Named } from "./pod.ts";

/** Containers with their probes led elsewhere. */
export interface LedProbes {
  readonly containers: readonly Named[];
  readonly probes: readonly AppProbe[];
  /** What the probes were, by the path where they are asked for now. */
  readonly originals: Originals;
  readonly warnings: readonly string[];
}

/** `httpGet`, `tcpSocket` or `grpc` of each path, as the pod had it. */
export type Originals = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

type Fields = Readonly<Record<string, unknown>>;

const PROBES = { readinessProbe: "readyz", livenessProbe: "livez", startupProbe: "startupz" } as const;
const HOOKS = { preStop: "prestopz", postStart: "poststartz" } as const;
const HANDLERS = ["httpGet", "tcpSocket", "grpc"] as const;
/** A hook may take as long as its pod has to end. */
const HOOK_SECONDS = 3_600;

/** Returns the containers with all probes and hooks of theirs that come by the network led to the readiness port. */
export function leadProbes(containers: readonly Named[]): LedProbes {
  const probes: AppProbe[] = [];
  const originals: Record<string, Fields> = {};
  const warnings: string[] = [];
  const lead = (container: Named, asked: unknown, path: string, isHook: boolean): unknown => {
    if (!isJsonObject(asked)) return asked;
    const handler = HANDLERS.find((name) => asked[name] !== undefined && !(isHook && name !== "httpGet"));
    if (handler === undefined) return asked;
    const check = checkOf(handler, asked[handler], container);
    if (typeof check === "string") {
      warnings.push(`container ${container.name}: ${path.split("/").at(-1)} is left as it is: ${check}`);
      return asked;
    }
    const seconds = (name: string, fallback: number) => Math.max(1, Number(asked[name]) || fallback);
    probes.push({
      ...{ path, check, timeoutSeconds: isHook ? HOOK_SECONDS : seconds("timeoutSeconds", 1) },
      periodSeconds: seconds("periodSeconds", 10),
    });
    originals[path] = { [handler]: asked[handler] };
    const { [handler]: _, ...others } = asked;
    return { httpGet: askedAt(path, asked[handler]), ...others };
  };
  const led = eachHandler(containers, lead);
  return { containers: led, probes, originals, warnings };
}

/** Returns the containers with the probes that were led elsewhere as they were before. */
export function restoreProbes(containers: readonly Named[], originals: Originals): readonly Named[] {
  return eachHandler(containers, (_, asked, path) => {
    const original = originals[path];
    if (original === undefined || !isJsonObject(asked) || !isJsonObject(asked["httpGet"])) return asked;
    const { httpGet, ...others } = asked;
    if (String(httpGet["path"]).split("?")[0] !== path) return asked;
    return { ...original, ...others };
  });
}

type Change = (container: Named, asked: unknown, path: string, isHook: boolean) => unknown;

/** Returns the containers with `change` made to each probe and hook that they have. */
function eachHandler(containers: readonly Named[], change: Change): readonly Named[] {
  return containers.map((container) => {
    const changed: Record<string, unknown> = { ...container };
    for (const [field, word] of Object.entries(PROBES))
      if (container[field] !== undefined)
        changed[field] = change(container, container[field], `/app-health/${container.name}/${word}`, false);
    const { lifecycle } = container;
    if (isJsonObject(lifecycle)) {
      const hooks: Record<string, unknown> = { ...lifecycle };
      for (const [field, word] of Object.entries(HOOKS))
        if (lifecycle[field] !== undefined)
          hooks[field] = change(container, lifecycle[field], `/app-lifecycle/${container.name}/${word}`, true);
      changed["lifecycle"] = hooks;
    }
    return changed as Named;
  });
}

/** What the kubelet asks for now; its headers, and what stands behind the path's `?`, pass through. */
function askedAt(path: string, handler: unknown): Fields {
  const { path: before, httpHeaders } = isJsonObject(handler) ? handler : {};
  const query = typeof before === "string" ? /\?.*$/.exec(before)?.[0] : undefined;
  return {
    path: path + (query ?? ""),
    port: READINESS_PORT,
    ...(httpHeaders !== undefined && { httpHeaders }),
  };
}

function checkOf(handler: (typeof HANDLERS)[number], asked: unknown, container: Named): AppCheck | string {
  if (!isJsonObject(asked)) return "it asks nothing";
  if (asked["host"] !== undefined && asked["host"] !== "") return `it asks another host, ${String(asked["host"])}`;
  const port = portOf(asked["port"], container);
  if (port === undefined) return `the container has no port ${String(asked["port"])}`;
  if (handler === "tcpSocket") return { kind: "tcp", port };
  if (handler === "grpc") return { kind: "grpc", port, service: String(asked["service"] ?? "") };
  const path = String(asked["path"] ?? "/").split("?")[0] ?? "";
  return {
    ...{ kind: "http", port, path: path.startsWith("/") ? path : `/${path}`, tls: asked["scheme"] === "HTTPS" },
    keepsHost: headersOf(asked["httpHeaders"]).some(({ name }) => String(name).toLowerCase() === "host"),
  };
}

function headersOf(value: unknown): readonly Fields[] {
  return Array.isArray(value) ? value.filter(isJsonObject) : [];
}

function portOf(port: unknown, { ports }: Named): number | undefined {
  const number = Number(port);
  if (Number.isInteger(number) && number > 0 && number <= 65_535) return number;
  const declared = headersOf(ports).find(({ name }) => name === port && name !== undefined)?.["containerPort"];
  return typeof declared === "number" ? declared : undefined;
}

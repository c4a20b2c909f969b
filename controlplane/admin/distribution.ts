// How far one object has got: is this content published, which proxies does it concern, and which of them have
// acknowledged it.
import { contentHash } from "../model/content-hash.ts";
import { isKind } from "../model/kinds.ts";
import { objectKey, type ObjectRef } from "../model/object.ts";
import { type ProxySync, type ControlPlaneView, type Distribution, syncTypes } from "./contract.ts";
import { describeOrigin } from "../model/origin.ts";
import { proxiedPods } from "../pods/pod-facts.ts";
import type { Concerns } from "../proxies/concerned-proxies.ts";

/**
 * Returns how far `Kind/namespace/name` (or `Kind/name`) has got; undefined for a text that names no kind of the mesh.
 */
export function distributionOf(view: ControlPlaneView, object: string, concerns: Concerns): Distribution | undefined {
  const named = namedObject(object);
  if (named === undefined) return undefined;
  const { kind, namespace, name } = named;
  const key = objectKey({ kind, namespace, name });
  const found = view.world()?.get(kind, namespace, name);
  const problem = view.violations().find((violation) => violation.object === key && violation.severity !== "warning");
  const concerned =
    found === undefined ? [] : view.proxies().filter((proxy) => concerns(proxy, kind, namespace, name) ?? true);
  const isPublished = found !== undefined && !view.hasUnpublishedChange();
  const held = kind === "WasmPlugin" && found !== undefined ? heldOf(view, `${namespace}/${name}`) : undefined;
  const away =
    found === undefined ? [] : unconnected(view).filter((proxy) => concerns(proxy, kind, namespace, name) ?? true);
  const waiting = [
    ...concerned.flatMap((proxy) => late(proxy, isPublished)),
    ...away.map((proxy) => ({ proxy: `${proxy.pod}.${proxy.namespace}`, why: "is not connected" })),
  ];
  return {
    object: key,
    ...(found === undefined ? {} : { content: contentHash(found) }),
    ...(problem === undefined
      ? {}
      : {
          problem: [describeOrigin(problem.origin, "line"), problem.field, problem.message].filter(Boolean).join(": "),
        }),
    ...(held === undefined ? {} : { held }),
    published: isPublished,
    concerned: concerned.length + away.length,
    reached: concerned.length + away.length - waiting.length,
    waiting,
  };
}

/** Proxies acknowledge the version before, or what stands in for a plugin, as well as the plugin itself. */
function heldOf(view: ControlPlaneView, plugin: string): string | undefined {
  return view.untriedPlugins().includes(plugin) ? "its module is being fetched and tried" : view.heldBack(plugin);
}

/** Returns the object that such a text names. */
export function namedObject(text: string): ObjectRef | undefined {
  const [kind = "", ...rest] = text.split("/");
  const [namespace, name] = rest.length === 1 ? ["", rest[0]] : rest;
  return !isKind(kind) || name === undefined || namespace === undefined || rest.length > 2
    ? undefined
    : { kind, namespace, name };
}

/** The runner's proxies that are not here: they start, or have not come back since the control plane did. */
function unconnected(view: ControlPlaneView): readonly Pick<ProxySync, "pod" | "namespace">[] {
  const world = view.world();
  const here = new Set(view.proxies().map(({ pod, namespace }) => `${namespace}/${pod}`));
  return world === undefined
    ? []
    : proxiedPods(world)
        .filter(({ finished }) => !finished)
        .filter(({ name, namespace, terminating }) => !terminating && !here.has(`${namespace}/${name}`))
        .map(({ name, namespace }) => ({ pod: name, namespace }));
}

function late(proxy: ProxySync, isPublished: boolean): Distribution["waiting"] {
  const why = whyLate(proxy, isPublished);
  return why === undefined ? [] : [{ proxy: `${proxy.pod}.${proxy.namespace}`, why }];
}

/** Returns why a proxy has not all that it is to have; undefined when it has. */
export function whyLate(
  { sync, rejections }: Pick<ProxySync, "sync" | "rejections">,
  isPublished: boolean,
): string | undefined {
  const [rejection] = rejections;
  if (rejection !== undefined)
    return `rejected ${[rejection.type, rejection.resources.join(", ")].filter(Boolean).join(" ")}: ${rejection.message}`;
  const stale = syncTypes.filter((type) => sync[type] === "STALE");
  if (stale.length > 0) return `has not acknowledged ${stale.join(", ")}`;
  return isPublished ? undefined : "the change is not published yet";
}

// Consumes: the World that is served, what is wrong, and how far each proxy has come.
// Produces: the status that each object of the mesh's own kinds is to have. Pure.
import { isKind, type Kind, kindDefinitions } from "../model/kinds.ts";
import { type MeshObject, objectKey, type ObjectRef, refOf } from "../model/object.ts";
import type { ProxyClass } from "../translate/ir/proxy-class.ts";
import type { Violation } from "../validate/violation.ts";
import type { World } from "../world/world.ts";
import { conditionsOf, type ObjectReach } from "./conditions.ts";
import type { Status } from "./pace.ts";
import { reaches } from "./reaching.ts";

/** The kinds that have a status of ours. */
export const statusKinds: readonly Kind[] = (Object.keys(kindDefinitions) as Kind[]).filter((kind) =>
  kindDefinitions[kind].apiVersions.every((version) => /(?:^|\.)(?:istio\.io|scrim\.mesh)\//.test(version)),
);
const HAVE_STATUS: ReadonlySet<string> = new Set(statusKinds);

/** A proxy that should have what is for its class. */
export interface ReachedProxy {
  /** As in `web-1.shop`. */
  readonly name: string;
  /** Undefined where no pod tells it: then everything concerns it. */
  readonly class: ProxyClass | undefined;
  /** Why it has not all that it is to have; undefined: it has. */
  readonly lacks: string | undefined;
  /** It is connected to another control plane, of which nothing is known here. */
  readonly isElsewhere: boolean;
}

export interface MeshState {
  readonly world: World;
  readonly violations: readonly Violation[];
  readonly proxies: readonly ReachedProxy[];
  /** Why a WasmPlugin (`namespace/name`) is not where its object says. */
  readonly held: (plugin: string) => string | undefined;
}

/** An object and its status; `object` is undefined where no version of it is in force. */
export interface JudgedObject {
  readonly ref: ObjectRef;
  readonly object: MeshObject | undefined;
  readonly isWrong: boolean;
  readonly status: Status;
}

/** Returns every object of these kinds, in force or refused. */
export function judgeObjects(state: MeshState): readonly JudgedObject[] {
  const { errors, warnings } = sortViolations(state.violations);
  const groups = groupByClass(state.proxies);
  const inForce = statusKinds.flatMap((kind) => state.world.list(kind));
  const judged = inForce.map((object): JudgedObject => {
    const ref = refOf(object);
    const key = objectKey(ref);
    const wrong = errors.get(key) ?? [];
    const conditions = conditionsOf({
      ...{ errors: wrong, warnings: warnings.get(key) ?? [] },
      reach: reachOf(object, groups, state),
    });
    return { ref, object, isWrong: wrong.length > 0, status: { generation: object.metadata.generation, conditions } };
  });
  const known = new Set(inForce.map((object) => objectKey(refOf(object))));
  const refused = [...errors].flatMap(([key, wrong]): readonly JudgedObject[] => {
    const ref = known.has(key) ? undefined : refOfKey(key);
    if (ref === undefined) return [];
    const conditions = conditionsOf({ errors: wrong, warnings: [], reach: undefined });
    return [{ ref, object: undefined, isWrong: true, status: { generation: undefined, conditions } }];
  });
  return [...judged, ...refused];
}

function sortViolations(violations: readonly Violation[]) {
  const errors = new Map<string, string[]>();
  const warnings = new Map<string, string[]>();
  for (const { object, severity, field, message } of violations) {
    if (!HAVE_STATUS.has(object.split("/", 1)[0] ?? "")) continue;
    const all = severity === "error" ? errors : warnings;
    const own = all.get(object);
    const text = field === "" ? message : `${field}: ${message}`;
    if (own === undefined) all.set(object, [text]);
    else own.push(text);
  }
  return { errors, warnings };
}

/** `Kind/namespace/name`; undefined where a part of it could not be read. */
function refOfKey(key: string): ObjectRef | undefined {
  const [kind = "", namespace, name, more] = key.split("/");
  if (!isKind(kind) || !HAVE_STATUS.has(kind) || !namespace || !name || more !== undefined) return undefined;
  return key.includes("?") ? undefined : { kind, namespace, name };
}

/** Proxies of a class have everything in common but how far they have come. */
interface ClassGroup {
  readonly class: ProxyClass | undefined;
  here: number;
  elsewhere: number;
  lacking: number;
  /** One of those. */
  waiting: string | undefined;
}

function groupByClass(proxies: readonly ReachedProxy[]): readonly ClassGroup[] {
  const groups = new Map<ProxyClass | undefined, ClassGroup>();
  for (const { class: of, name, lacks, isElsewhere } of proxies) {
    let group = groups.get(of);
    if (group === undefined)
      groups.set(of, (group = { class: of, here: 0, elsewhere: 0, lacking: 0, waiting: undefined }));
    if (isElsewhere) group.elsewhere++;
    else group.here++;
    if (isElsewhere || lacks === undefined) continue;
    group.lacking++;
    group.waiting ??= `${name} ${lacks}`;
  }
  return [...groups.values()];
}

function reachOf(object: MeshObject, groups: readonly ClassGroup[], { world, held }: MeshState): ObjectReach {
  const concerned = groups.filter(({ class: of }) => of === undefined || reaches(object, of, world.mesh.rootNamespace));
  const sum = (what: "here" | "elsewhere" | "lacking") => concerned.reduce((all, group) => all + group[what], 0);
  const { kind, metadata } = object;
  return {
    ...{ concerned: sum("here"), reached: sum("here") - sum("lacking"), elsewhere: sum("elsewhere") },
    waiting: concerned.find(({ waiting }) => waiting !== undefined)?.waiting,
    held: kind === "WasmPlugin" ? held(`${metadata.namespace}/${metadata.name}`) : undefined,
  };
}

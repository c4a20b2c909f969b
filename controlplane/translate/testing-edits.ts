// Random edits of a mesh, for tests that compare what was brought up to date with what was made anew.
import fc from "fast-check";
import { allKinds, type Kind } from "../model/kinds.ts";
import type { MeshObject } from "../model/object.ts";
import { changeWorld, createWorld, type MeshConfig, type World } from "../world/world.ts";

/** One edit: what is done, and by which objects (numbers are taken modulo what there is). */
export interface Edit {
  readonly what:
    | "remove"
    | "restore"
    | "spec"
    | "labels"
    | "annotations"
    | "age"
    | "move"
    | "copy"
    | "settings"
    | "plugins";
  readonly target: number;
  readonly other: number;
}

const number = fc.nat({ max: 10_000 });

/** A sequence of edits, with specs of others and restorations as the most frequent. */
export const edits = (most: number): fc.Arbitrary<readonly Edit[]> =>
  fc.array(
    fc.record({
      what: fc.oneof(
        { weight: 4, arbitrary: fc.constant("spec" as const) },
        { weight: 3, arbitrary: fc.constant("remove" as const) },
        { weight: 3, arbitrary: fc.constant("restore" as const) },
        {
          weight: 6,
          arbitrary: fc.constantFrom(
            "labels" as const,
            "annotations" as const,
            "age" as const,
            "move" as const,
            "copy" as const,
            "plugins" as const,
          ),
        },
        { weight: 1, arbitrary: fc.constant("settings" as const) },
      ),
      target: number,
      other: number,
    }),
    { minLength: 3, maxLength: most },
  );

/** A mesh under edit: the states it went through are in `world`, one after another. */
export interface EditedMesh {
  readonly world: () => World;
  /** How often plugins changed. */
  readonly pluginRound: () => number;
  apply(edit: Edit): void;
}

const settings: readonly Partial<MeshConfig>[] = [
  { enableAutoMtls: false },
  { engine: "native" },
  { pathNormalization: "MERGE_SLASHES" },
  { outboundTrafficPolicy: "REGISTRY_ONLY" },
  { rootNamespace: "default" },
  { accessLogFile: "" },
  { trustDomain: "other.domain" },
  { connectTimeoutMs: 1_234 },
  {},
];

/** A mesh that starts with these objects; parts of `donors` (and of the objects) go into them. */
export function createEditedMesh(objects: readonly MeshObject[], donors: readonly MeshObject[]): EditedMesh {
  let world = createWorld(objects);
  const config = world.mesh;
  let pluginRound = 0;
  const here = (): readonly MeshObject[] => allKinds.flatMap((kind) => world.list(kind) as readonly MeshObject[]);
  const pick = <T>(list: readonly T[], at: number): T | undefined => list[at % Math.max(list.length, 1)];
  const ofKind = (kind: Kind): readonly MeshObject[] =>
    [...objects, ...donors].filter((object) => object.kind === kind);
  const put = (before: MeshObject | undefined, now: MeshObject | undefined): void =>
    void (world = changeWorld(world, [{ before, now }], world.mesh));
  const putNamed = (now: MeshObject): void => put(world.get(now.kind, now.metadata.namespace, now.metadata.name), now);

  return {
    world: () => world,
    pluginRound: () => pluginRound,
    apply({ what, target, other }) {
      if (what === "settings") return void (world = changeWorld(world, [], { ...config, ...pick(settings, other) }));
      if (what === "plugins") return void pluginRound++;
      if (what === "restore") return putNamed(pick(objects, target)!);
      const copied = pick(donors, other);
      if (what === "copy") return void (copied && putNamed(copied));
      const object = pick(here(), target);
      if (object === undefined) return;
      if (what === "remove") return put(object, undefined);
      const { metadata } = object;
      const donor = pick(ofKind(object.kind), other) ?? object,
        anyone = pick([...objects, ...donors], other) ?? object;
      if (what === "spec") return put(object, { ...object, spec: donor.spec });
      if (what === "labels")
        return put(object, { ...object, metadata: { ...metadata, labels: anyone.metadata.labels } });
      if (what === "annotations")
        return put(object, { ...object, metadata: { ...metadata, annotations: donor.metadata.annotations } });
      if (what === "age")
        return put(object, {
          ...object,
          metadata: { ...metadata, creationTimestamp: `20${10 + (other % 10)}-01-01T00:00:00Z` },
        });
      put(object, undefined);
      putNamed({ ...object, metadata: { ...metadata, namespace: anyone.metadata.namespace } });
    },
  };
}

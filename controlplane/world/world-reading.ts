// A World that tells of what is read from it.
import { allKinds, type Kind } from "../model/kinds.ts";
import type { MeshObject } from "../model/object.ts";
import type { Read, Recorder, Source } from "./source.ts";
import { bitOf } from "./stamp.ts";
import type { World } from "./world.ts";

/** The place of the settings in a World's stamp; kinds have the places that they have in `allKinds`. */
const MESH_AT = allKinds.length;
/** The first place that a World's stamp leaves to others. */
export const AFTER_WORLD = MESH_AT + 1;

const placeOf = new Map<Kind, number>(allKinds.map((kind, index) => [kind, index]));

function bitOfKind(kind: Kind): number {
  return bitOf(placeOf.get(kind) ?? 0);
}

export class WorldReading implements World {
  readonly source: Source<World>;

  constructor(
    private readonly state: World,
    readonly recorder: Recorder<World>,
  ) {
    this.source = state.source;
  }
  get revision(): number {
    throw new RangeError("an answer that is kept cannot depend on the revision: it would never hold");
  }
  get mesh(): World["mesh"] {
    const { mesh } = this.state;
    this.recorder.note(new DirectRead(mesh, undefined, "", undefined), bitOf(MESH_AT));
    return mesh;
  }
  list<K extends Kind>(kind: K): readonly MeshObject<K>[] {
    const list = this.state.list(kind);
    this.recorder.note(new DirectRead(list, kind, "", undefined), bitOfKind(kind));
    return list;
  }
  get<K extends Kind>(kind: K, namespace: string, name: string): MeshObject<K> | undefined {
    const object = this.state.get(kind, namespace, name);
    this.recorder.note(new DirectRead(object, kind, namespace, name), bitOfKind(kind));
    return object;
  }
}

/**
 * The state itself was asked: for the settings (no kind), for all objects of a kind (no name), or for one object. One
 * class for all of them: a trace of few classes is gone through much faster.
 */
class DirectRead implements Read<World> {
  constructor(
    private readonly told: unknown,
    private readonly kind: Kind | undefined,
    private readonly namespace: string,
    private readonly name: string | undefined,
  ) {}
  get answer(): undefined {
    return undefined;
  }
  placesIn({ state }: Source<World>): number | undefined {
    return this.askedOf(state) === this.told ? 0 : undefined;
  }
  private askedOf(state: World): unknown {
    if (this.kind === undefined) return state.mesh;
    return this.name === undefined ? state.list(this.kind) : state.get(this.kind, this.namespace, this.name);
  }
}

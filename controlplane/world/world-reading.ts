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
    this.recorder.note(new MeshRead(mesh), bitOf(MESH_AT));
    return mesh;
  }
  list<K extends Kind>(kind: K): readonly MeshObject<K>[] {
    const list = this.state.list(kind);
    this.recorder.note(new ListRead(kind, list), bitOfKind(kind));
    return list;
  }
  get<K extends Kind>(kind: K, namespace: string, name: string): MeshObject<K> | undefined {
    const object = this.state.get(kind, namespace, name);
    this.recorder.note(new ObjectRead(kind, namespace, name, object), bitOfKind(kind));
    return object;
  }
}

/** The state itself was asked. */
abstract class DirectRead implements Read<World> {
  get answer(): undefined {
    return undefined;
  }
  abstract holdsIn(source: Source<World>): boolean;
}

class ListRead extends DirectRead {
  constructor(
    private readonly kind: Kind,
    private readonly told: readonly MeshObject[],
  ) {
    super();
  }
  holdsIn({ state }: Source<World>): boolean {
    return state.list(this.kind) === this.told;
  }
}

class ObjectRead extends DirectRead {
  constructor(
    private readonly kind: Kind,
    private readonly namespace: string,
    private readonly name: string,
    private readonly told: MeshObject | undefined,
  ) {
    super();
  }
  holdsIn({ state }: Source<World>): boolean {
    return state.get(this.kind, this.namespace, this.name) === this.told;
  }
}

class MeshRead extends DirectRead {
  constructor(private readonly told: World["mesh"]) {
    super();
  }
  holdsIn({ state }: Source<World>): boolean {
    return state.mesh === this.told;
  }
}

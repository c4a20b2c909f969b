// What proxies' configuration is made from: one state of the mesh, and beside it the filter modules at hand then, which
// are no objects of the mesh.
import type { Read, Readable, Recorder, Source } from "./source.ts";
import { bitOf, numberOf, Stamp } from "./stamp.ts";
import type { World } from "./world.ts";
import { AFTER_WORLD } from "./world-reading.ts";

/** Both at one moment. Modules that may have changed are another object. */
export interface InputsWith<Modules extends object> extends Readable<InputsWith<Modules>> {
  readonly world: World;
  readonly modules: Modules;
}

const MODULES_AT = AFTER_WORLD;

/**
 * Returns the two as what answers can be made from. Make it once for a moment: it is by this object that one is known.
 */
export function createInputs<Modules extends object>(world: World, modules: Modules): InputsWith<Modules> {
  const stamp = new Stamp([...world.source.stamp.numbers, numberOf(modules)]);
  const inputs: InputsWith<Modules> = {
    world,
    modules,
    recorder: undefined,
    get source() {
      return source;
    },
  };
  const source: Source<InputsWith<Modules>> = {
    state: inputs,
    answers: world.source.answers,
    stamp,
    stamps: [stamp, ...world.source.stamps],
    readBy: (recorder) => new InputsReading(inputs, recorder),
  };
  return Object.freeze(inputs);
}

/** Inputs that tell of what is read from them. */
class InputsReading<Modules extends object> implements InputsWith<Modules> {
  readonly source: Source<InputsWith<Modules>>;
  readonly world: World;

  constructor(
    private readonly state: InputsWith<Modules>,
    readonly recorder: Recorder<InputsWith<Modules>>,
  ) {
    this.source = state.source;
    this.world = state.world.source.readBy({
      note: (read, places) => recorder.note(new WorldRead<Modules>(read), places),
    });
  }
  get modules(): Modules {
    const { modules } = this.state;
    this.recorder.note(new ModulesRead(modules), bitOf(MODULES_AT));
    return modules;
  }
}

/** The World among the inputs was asked. */
class WorldRead<Modules extends object> implements Read<InputsWith<Modules>> {
  constructor(private readonly read: Read<World>) {}
  get answer(): Read<World>["answer"] {
    return this.read.answer;
  }
  placesIn({ state }: Source<InputsWith<Modules>>): number | undefined {
    return this.read.placesIn(state.world.source);
  }
}

class ModulesRead<Modules extends object> implements Read<InputsWith<Modules>> {
  readonly answer = undefined;
  constructor(private readonly told: Modules) {}
  placesIn({ state }: Source<InputsWith<Modules>>): number | undefined {
    return state.modules === this.told ? 0 : undefined;
  }
}

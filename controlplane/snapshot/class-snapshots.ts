// consumes: the inputs of translation (a World and the plugins at hand) and the class of a proxy
// produces: that class's encoded resources, made at most once per input, when first asked for or for all classes before
// any is handed out
// never does: publish resources with a dangling reference, or nothing where there was something
import { inSlice, isSliceOver, runSlice, type SliceBudget } from "../model/time-slice.ts";
import { describeProblem, findProblems } from "./consistency.ts";
import type { EncodedResources, ResourceEncoder } from "./encode.ts";
import type { EmittedResources } from "../translate/emit/resources.ts";

export interface ClassSnapshotOptions<Inputs, ProxyClass> {
  /** Pure translation; what it throws is a bug, which costs this class its update and nothing else. */
  readonly translate: (inputs: Inputs, proxyClass: ProxyClass) => EmittedResources;
  /** Text that is equal exactly for equal classes. */
  readonly keyOf: (proxyClass: ProxyClass) => string;
  readonly encoder: ResourceEncoder;
  /** Clusters that every bootstrap brings along. */
  readonly isBootstrapCluster: (name: string) => boolean;
  readonly log: { error(fields: object, message: string): void };
}

export interface ClassSnapshots<Inputs, ProxyClass> {
  /** From now on everything is made from these, each class's when it is asked for. */
  setInputs(inputs: Inputs): void;
  /** The class's resources; the same object as before where nothing changed for it. Undefined before any inputs. */
  resourcesOf(proxyClass: ProxyClass): EncodedResources | undefined;
  /**
   * Begins to make everything from these, for the classes that were asked for lately and for these others; meanwhile
   * what is there is handed out.
   */
  prepare(inputs: Inputs, others?: readonly ProxyClass[]): Preparation;
}

/** Resources of all classes that are not handed out yet. One that is given up is just forgotten. */
export interface Preparation {
  /** Goes on for so long; true when everything is made. */
  advance(budget: SliceBudget): boolean;
  /** Hands out from now on what was made, all of it at once. */
  publish(): void;
}

interface Entry<Inputs, ProxyClass> {
  readonly proxyClass: ProxyClass;
  inputs: Inputs;
  encoded: EncodedResources | undefined;
  /** For how many inputs nobody has asked for it. */
  idle: number;
}

/** Classes that nobody asked for during this many inputs are forgotten. */
const FORGOTTEN_AFTER = 50;
/** Proxies that are connected ask once for all inputs, some perhaps too late for one or two. */
const ASKED_FOR_LATELY = 3;

/** Snapshots with nothing in them. */
export function createClassSnapshots<Inputs extends object, ProxyClass>(
  options: ClassSnapshotOptions<Inputs, ProxyClass>,
): ClassSnapshots<Inputs, ProxyClass> {
  const entries = new Map<string, Entry<Inputs, ProxyClass>>();
  let current: Inputs | undefined;

  const make = (
    classKey: string,
    inputs: Inputs,
    proxyClass: ProxyClass,
    before: EncodedResources | undefined,
  ): EncodedResources | undefined => {
    try {
      const encoded = options.encoder.encodeResources(classKey, options.translate(inputs, proxyClass), before, {
        lasting: true,
      });
      if (encoded === before) return before;
      const problems = findProblems(encoded, options.isBootstrapCluster, () => true);
      if (problems.length === 0) return encoded;
      options.log.error(
        { problems: problems.map(describeProblem) },
        "a translation does not hold together; what was served before is served on",
      );
    } catch (error) {
      if (isSliceOver(error)) throw error;
      options.log.error({ err: error }, "a translation failed; what was served before is served on");
    }
    return before;
  };

  const setInputs = (inputs: Inputs): void => {
    current = inputs;
    for (const [key, entry] of entries) if (++entry.idle > FORGOTTEN_AFTER) entries.delete(key);
  };

  return {
    setInputs,
    resourcesOf(proxyClass) {
      if (current === undefined) return undefined;
      const classKey = options.keyOf(proxyClass);
      const known = entries.get(classKey);
      const encoded = known?.inputs === current ? known.encoded : make(classKey, current, proxyClass, known?.encoded);
      entries.set(classKey, { proxyClass, inputs: current, encoded, idle: 0 });
      return encoded;
    },
    prepare(inputs, others = []) {
      const made = new Map<string, EncodedResources | undefined>();
      const makeMissing = (key: string, proxyClass: ProxyClass): void => {
        if (!made.has(key))
          made.set(
            key,
            inSlice(() => make(key, inputs, proxyClass, entries.get(key)?.encoded)),
          );
      };
      return {
        advance(budget) {
          const outcome = runSlice(budget, () => {
            for (const proxyClass of others) makeMissing(options.keyOf(proxyClass), proxyClass);
            for (const [key, { proxyClass, idle }] of entries)
              if (idle < ASKED_FOR_LATELY) makeMissing(key, proxyClass);
          });
          return outcome.kind === "done";
        },
        publish() {
          setInputs(inputs);
          for (const proxyClass of others)
            entries.set(options.keyOf(proxyClass), { proxyClass, inputs, encoded: undefined, idle: 0 });
          for (const [key, encoded] of made) {
            const entry = entries.get(key);
            if (entry !== undefined) [entry.inputs, entry.encoded] = [inputs, encoded];
          }
        },
      };
    },
  };
}

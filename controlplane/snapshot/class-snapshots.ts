// consumes: the inputs of translation (a World and the plugins at hand) and the class of a proxy
// produces: that class's encoded resources, made when first asked for and at most once per input
// never does: publish resources with a dangling reference, or nothing where there was something
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
  /** From now on everything is made from these. */
  setInputs(inputs: Inputs): void;
  /** The class's resources; the same object as before where nothing changed for it. Undefined before any inputs. */
  resourcesOf(proxyClass: ProxyClass): EncodedResources | undefined;
}

interface Entry<Inputs> {
  inputs: Inputs;
  encoded: EncodedResources | undefined;
}

/** Classes that nobody asked for during this many inputs are forgotten. */
const FORGOTTEN_AFTER = 50;

/** Snapshots with nothing in them. */
export function createClassSnapshots<Inputs extends object, ProxyClass>(options: ClassSnapshotOptions<Inputs, ProxyClass>): ClassSnapshots<Inputs, ProxyClass> {
  const entries = new Map<string, Entry<Inputs>>();
  const idle = new Map<string, number>();
  let current: Inputs | undefined;

  const make = (classKey: string, inputs: Inputs, proxyClass: ProxyClass, before: EncodedResources | undefined): EncodedResources | undefined => {
    try {
      const encoded = options.encoder.encodeResources(classKey, options.translate(inputs, proxyClass), before, { lasting: true });
      if (encoded === before) return before;
      const problems = findProblems(encoded, options.isBootstrapCluster, () => true);
      if (problems.length === 0) return encoded;
      options.log.error({ problems: problems.map(describeProblem) }, "a translation does not hold together; what was served before is served on");
    } catch (error) {
      options.log.error({ err: error }, "a translation failed; what was served before is served on");
    }
    return before;
  };

  return {
    setInputs(inputs) {
      current = inputs;
      for (const key of entries.keys()) {
        const rounds = (idle.get(key) ?? 0) + 1;
        idle.set(key, rounds);
        if (rounds > FORGOTTEN_AFTER) {
          entries.delete(key);
          idle.delete(key);
        }
      }
    },
    resourcesOf(proxyClass) {
      if (current === undefined) return undefined;
      const classKey = options.keyOf(proxyClass);
      idle.set(classKey, 0);
      const known = entries.get(classKey);
      if (known?.inputs === current) return known.encoded;
      const encoded = make(classKey, current, proxyClass, known?.encoded);
      entries.set(classKey, { inputs: current, encoded });
      return encoded;
    },
  };
}

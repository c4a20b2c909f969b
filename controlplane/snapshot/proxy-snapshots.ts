// consumes: the inputs of translation (a World and the plugins at hand) and a proxy
// produces: that proxy's encoded resources, made at most once per input, when first asked for or for all proxies before
// any is handed out
// never does: publish resources with a dangling reference, or nothing where there was something
import { inSlice, isSliceOver, runSlice, type SliceBudget } from "../model/time-slice.ts";
import { describeProblem, findProblems } from "./consistency.ts";
import { changesBetween } from "./changes.ts";
import type { EncodedResource, EncodedResources, ResourceEncoder } from "./encode.ts";
import { resourceKinds } from "./type-urls.ts";
import type { EmittedResources } from "../translate/emit/resources.ts";

export interface ProxySnapshotOptions<Inputs, Proxy> {
  /** Pure translation; what it throws is a bug, which costs this proxy its update and nothing else. */
  readonly translate: (inputs: Inputs, proxy: Proxy) => EmittedResources;
  /** Text that is equal exactly for proxies that are told the same. */
  readonly keyOf: (proxy: Proxy) => string;
  readonly encoder: ResourceEncoder;
  /** Clusters that every bootstrap brings along. */
  readonly isBootstrapCluster: (name: string) => boolean;
  readonly log: { error(fields: object, message: string): void };
}

export interface ProxySnapshots<Inputs, Proxy> {
  /** From now on everything is made from these, each proxy's when it is asked for. */
  setInputs(inputs: Inputs): void;
  /** The proxy's resources; the same object as before where nothing changed for it. Undefined before any inputs. */
  resourcesOf(proxy: Proxy): EncodedResources | undefined;
  /**
   * Begins to make everything from these, for the proxies that were asked for lately and for these others; meanwhile
   * what is there is handed out.
   */
  prepare(inputs: Inputs, others?: readonly Proxy[]): Preparation<Proxy>;
  /** A proxy that was made what `has` finds among its resources. */
  ownerOf(has: (resources: EncodedResources) => boolean): Proxy | undefined;
}

/** A content that is another than what was handed out under its name, and one of those whom it was made for. */
export interface FreshContent<Proxy> {
  readonly resource: EncodedResource;
  readonly proxy: Proxy;
  readonly classKey: string;
}

/** Resources of all proxies that are not handed out yet. One that is given up is just forgotten. */
export interface Preparation<Proxy> {
  /** Goes on for so long; true when everything is made. */
  advance(budget: SliceBudget): boolean;
  /** What is new in it to proxies that were handed out something before, each content once. */
  fresh(): readonly FreshContent<Proxy>[];
  /** Hands out from now on what was made, all of it at once. */
  publish(): void;
}

/** What was made last for what has one key. */
interface Entry<Inputs, Proxy> {
  readonly proxy: Proxy;
  inputs: Inputs;
  encoded: EncodedResources | undefined;
  /** For how many inputs nobody has asked for it. */
  idle: number;
}

/** Proxies that nobody asked for during this many inputs are forgotten. */
const FORGOTTEN_AFTER = 50;
/** Proxies that are connected ask once for all inputs, some perhaps too late for one or two. */
const ASKED_FOR_LATELY = 3;

/** Snapshots with nothing in them. */
export function createProxySnapshots<Inputs extends object, Proxy>(
  options: ProxySnapshotOptions<Inputs, Proxy>,
): ProxySnapshots<Inputs, Proxy> {
  const { keyOf } = options;
  const entries = new Map<string, Entry<Inputs, Proxy>>();
  let current: Inputs | undefined;
  const make = (key: string, inputs: Inputs, proxy: Proxy) =>
    encodeProxy(options, key, inputs, proxy, entries.get(key)?.encoded);
  const setInputs = (inputs: Inputs): void => {
    current = inputs;
    for (const [key, entry] of entries) if (++entry.idle > FORGOTTEN_AFTER) entries.delete(key);
  };

  return {
    setInputs,
    resourcesOf(proxy) {
      if (current === undefined) return undefined;
      const key = keyOf(proxy);
      const known = entries.get(key);
      const encoded = known?.inputs === current ? known.encoded : make(key, current, proxy);
      entries.set(key, { proxy, inputs: current, encoded, idle: 0 });
      return encoded;
    },
    ownerOf(has) {
      for (const { proxy, encoded } of entries.values()) if (encoded !== undefined && has(encoded)) return proxy;
      return undefined;
    },
    prepare(inputs, others = []) {
      const made = new Map<string, EncodedResources | undefined>();
      const makeMissing = (key: string, proxy: Proxy): void => {
        if (made.has(key)) return;
        const encoded = inSlice(() => make(key, inputs, proxy));
        made.set(key, encoded);
      };
      const makeAll = (): void => {
        for (const proxy of others) makeMissing(keyOf(proxy), proxy);
        for (const [key, { proxy, idle }] of entries) if (idle < ASKED_FOR_LATELY) makeMissing(key, proxy);
      };
      return {
        advance: (budget) => runSlice(budget, makeAll).kind === "done",
        fresh: () => freshIn(made, entries),
        publish() {
          setInputs(inputs);
          for (const proxy of others) entries.set(keyOf(proxy), { proxy, inputs, encoded: undefined, idle: 0 });
          for (const [key, encoded] of made) {
            const entry = entries.get(key);
            if (entry !== undefined) [entry.inputs, entry.encoded] = [inputs, encoded];
          }
        },
      };
    },
  };
}

function freshIn<Inputs, Proxy>(
  made: ReadonlyMap<string, EncodedResources | undefined>,
  entries: ReadonlyMap<string, Entry<Inputs, Proxy>>,
): readonly FreshContent<Proxy>[] {
  const fresh = new Map<string, FreshContent<Proxy>>();
  for (const [key, now] of made) {
    const entry = entries.get(key);
    const before = entry?.encoded;
    if (entry === undefined || before === undefined || now === undefined || before === now) continue;
    for (const kind of resourceKinds) {
      if (kind === "secrets") continue;
      for (const name of changesBetween(before.maps[kind], now.maps[kind])) {
        const resource = now.maps[kind].get(name);
        if (resource !== undefined && !fresh.has(resource.version))
          fresh.set(resource.version, { resource, proxy: entry.proxy, classKey: now.classKey });
      }
    }
  }
  return [...fresh.values()];
}

/** Returns what was before where a translation fails or does not hold together. */
function encodeProxy<Inputs, Proxy>(
  { encoder, translate, isBootstrapCluster, log }: ProxySnapshotOptions<Inputs, Proxy>,
  key: string,
  inputs: Inputs,
  proxy: Proxy,
  before: EncodedResources | undefined,
): EncodedResources | undefined {
  try {
    const encoded = encoder.encodeResources(key, translate(inputs, proxy), before, { lasting: true });
    if (encoded === before) return before;
    const problems = findProblems(encoded, isBootstrapCluster, () => true);
    if (problems.length === 0) return encoded;
    log.error(
      { problems: problems.map(describeProblem) },
      "a translation does not hold together; what was served before is served on",
    );
  } catch (error) {
    if (isSliceOver(error)) throw error;
    log.error({ err: error }, "a translation failed; what was served before is served on");
  }
  return before;
}

// Before anybody rejects anything: what could break a proxy goes to one first, the canary, and for a moment the others
// keep the content they have.
import type { EncodedMap, EncodedResource } from "../../snapshot/encode.ts";
import type { ResourceKind } from "../../snapshot/resources.ts";
import type { ContentMaps } from "../state-machine/stream-events.ts";

/** What kinds of resources are looked at, and which of them could break a proxy. */
export interface Risk {
  readonly kinds: readonly ResourceKind[];
  readonly isRisky: (resource: EncodedResource) => boolean;
  /**
   * Whether who waits for a canary waits with all that changed. Contents that name each other are not to come by halves:
   * a route would lead to a cluster that is gone. A plugin stands by itself.
   */
  readonly holdsWholeChange: boolean;
}

/** Filters from plugins; a listener that only names them cannot break by them. */
export const PLUGIN_RISK: Risk = { kinds: ["extensionConfigs"], isRisky: () => true, holdsWholeChange: false };

/** All that Envoy may say no to: where nobody else has tried it before. Endpoints are many, and addresses. */
export const CHANGE_RISK: Risk = {
  kinds: ["listeners", "routes", "virtualHosts", "clusters", "extensionConfigs"],
  isRisky: () => true,
  holdsWholeChange: true,
};

export interface Canaries<Client> {
  /**
   * The contents that this client is not to be given yet, because another one has them first. With `hasOther`, which
   * tells what else the client could have instead: who has nothing is never held up. Of a content that nobody was given
   * yet this client is the canary.
   */
  heldFrom(
    client: Client,
    published: ContentMaps,
    hasOther: (resource: EncodedResource) => boolean,
  ): readonly EncodedResource[];
  /** The client has these: good for all. */
  accepted(resources: Iterable<EncodedResource>): void;
  /** The client rejected it; from now on it is the judgement's matter. */
  rejected(resource: EncodedResource): void;
  /** The client left. */
  forget(client: Client): void;
}

export interface CanaryOptions<Client> {
  readonly risk: Risk;
  /** How long the others wait at most. */
  readonly patienceMs: number;
  /** These may be given now what they were not. */
  readonly proceed: (clients: readonly Client[]) => void;
  readonly setTimer: (callback: () => void, ms: number) => () => void;
}

/** No content is held up. */
export function createCanaries<Client>({ risk, ...options }: CanaryOptions<Client>): Canaries<Client> {
  const runs = createRuns(options);
  const unprovenOf = createUnprovenContents(risk, runs.isProven);
  return {
    heldFrom: (client, published, hasOther) =>
      unprovenOf(published).filter((resource) => hasOther(resource) && !runs.mayHave(client, resource.version)),
    accepted(resources) {
      for (const resource of resources)
        if (risk.kinds.includes(resource.kind) && !runs.isProven(resource.version) && risk.isRisky(resource))
          runs.prove(resource.version);
    },
    rejected: ({ version }) => runs.end(version),
    forget: runs.forget,
  };
}

/** One content at its canary. */
interface Run<Client> {
  readonly canary: Client;
  readonly waiting: Set<Client>;
  readonly stopTimer: () => void;
}

/** Versions remembered as good; beyond them the oldest would go to a canary once more. */
const MAX_PROVEN = 10_000;

function createRuns<Client>({ patienceMs, proceed, setTimer }: Omit<CanaryOptions<Client>, "risk">) {
  const proven = new Set<string>();
  const runs = new Map<string, Run<Client>>();
  const end = (version: string): void => {
    const run = runs.get(version);
    if (run === undefined) return;
    runs.delete(version);
    run.stopTimer();
    if (run.waiting.size > 0) proceed([...run.waiting]);
  };
  const prove = (version: string): void => {
    proven.add(version);
    if (proven.size > MAX_PROVEN) proven.delete(proven.values().next().value!);
    end(version);
  };
  return {
    isProven: (version: string): boolean => proven.has(version),
    prove,
    end,
    /** Whether the client is the canary of this content, and is so from now on where there is none. */
    mayHave(client: Client, version: string): boolean {
      const run = runs.get(version);
      if (run !== undefined) {
        if (run.canary === client) return true;
        run.waiting.add(client);
        return false;
      }
      const stopTimer = setTimer(() => prove(version), patienceMs);
      runs.set(version, { canary: client, waiting: new Set(), stopTimer });
      return true;
    },
    forget(client: Client): void {
      for (const [version, run] of [...runs]) {
        run.waiting.delete(client);
        if (run.canary === client) end(version);
      }
    },
  };
}

/** Of a map of contents those that no proxy has taken yet; one in which none is left is not gone through again. */
function createUnprovenContents(
  { kinds, isRisky }: Risk,
  isProven: (version: string) => boolean,
): (published: ContentMaps) => readonly EncodedResource[] {
  const left = new WeakMap<EncodedMap, readonly EncodedResource[]>();
  return (published) =>
    kinds.flatMap((kind) => {
      const map = published[kind];
      const before = left.get(map) ?? [...map.values()].filter(isRisky);
      if (before.length === 0) return before;
      const now = before.filter(({ version }) => !isProven(version));
      left.set(map, now);
      return now;
    });
}

// What could break a proxy is tried on one before the others get it: for a moment they keep the content they have.
import type { EncodedMap, EncodedResource } from "../snapshot/encode.ts";
import type { ResourceKind } from "../snapshot/resources.ts";
import type { ContentMaps } from "./stream-events.ts";

/** What kinds of resources are looked at, and which of them could break a proxy. */
export interface Risk {
  readonly kinds: readonly ResourceKind[];
  readonly isRisky: (resource: EncodedResource) => boolean;
}

/** Filters from plugins; a listener that only names them cannot break by them. */
export const PLUGIN_RISK: Risk = { kinds: ["extensionConfigs"], isRisky: () => true };

export interface Trials<Client> {
  /**
   * The contents that this client is not to be given yet, because another one is trying them. With `hasOther`, which
   * tells what else the client could have instead: who has nothing is never held up. A content that nobody tries yet is
   * tried by this client.
   */
  heldFrom(
    client: Client,
    published: ContentMaps,
    hasOther: (resource: EncodedResource) => boolean,
  ): readonly EncodedResource[];
  /** The client has these: good for all. */
  accepted(resources: Iterable<EncodedResource>): void;
  /** The client rejected it; from now on it is quarantine's matter. */
  refused(resource: EncodedResource): void;
  /** The client left. */
  forget(client: Client): void;
}

export interface TrialOptions<Client> {
  readonly risk: Risk;
  /** How long the others wait at most. */
  readonly patienceMs: number;
  /** These may be given now what they were not. */
  readonly proceed: (clients: readonly Client[]) => void;
  readonly setTimer: (callback: () => void, ms: number) => () => void;
}

interface Trial<Client> {
  readonly canary: Client;
  readonly waiting: Set<Client>;
  readonly stopTimer: () => void;
}

/** Versions remembered as good; beyond them the oldest would be tried once more. */
const MAX_PROVEN = 10_000;

/** No trials under way. */
export function createTrials<Client>({ risk, patienceMs, proceed, setTimer }: TrialOptions<Client>): Trials<Client> {
  const proven = new Set<string>();
  const trials = new Map<string, Trial<Client>>();
  const riskyOf = createRiskyContents(risk);
  const end = (version: string): void => {
    const trial = trials.get(version);
    if (trial === undefined) return;
    trials.delete(version);
    trial.stopTimer();
    if (trial.waiting.size > 0) proceed([...trial.waiting]);
  };
  const prove = (version: string): void => {
    proven.add(version);
    if (proven.size > MAX_PROVEN) proven.delete(proven.values().next().value!);
    end(version);
  };
  return {
    heldFrom(client, published, hasOther) {
      const held: EncodedResource[] = [];
      for (const resource of riskyOf(published)) {
        if (proven.has(resource.version) || !hasOther(resource)) continue;
        const trial = trials.get(resource.version);
        if (trial === undefined)
          trials.set(resource.version, {
            canary: client,
            waiting: new Set(),
            stopTimer: setTimer(() => prove(resource.version), patienceMs),
          });
        else if (trial.canary !== client) {
          trial.waiting.add(client);
          held.push(resource);
        }
      }
      return held;
    },
    accepted(resources) {
      for (const resource of resources)
        if (risk.kinds.includes(resource.kind) && !proven.has(resource.version) && risk.isRisky(resource))
          prove(resource.version);
    },
    refused: ({ version }) => end(version),
    forget(client) {
      for (const [version, trial] of [...trials]) {
        trial.waiting.delete(client);
        if (trial.canary === client) end(version);
      }
    },
  };
}

function createRiskyContents({ kinds, isRisky }: Risk): (published: ContentMaps) => readonly EncodedResource[] {
  const found = new WeakMap<EncodedMap, readonly EncodedResource[]>();
  return (published) =>
    kinds.flatMap((kind) => {
      const map = published[kind];
      let risky = found.get(map);
      if (risky === undefined) found.set(map, (risky = [...map.values()].filter(isRisky)));
      return risky;
    });
}

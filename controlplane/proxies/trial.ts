// Consumes: contents that are to be handed out and that no proxy has had.
// Produces: which of them no Envoy loads, told before anybody is sent them.
// Never does: hold anything up for longer than its patience; have two trials under way.
import type { FreshContent } from "../snapshot/proxy-snapshots.ts";
import type { ResourceKind } from "../snapshot/resources.ts";
import type { MeshProxy } from "../translate/ir/proxy-class.ts";
import type { RefusedContent, ScratchEnvoy } from "../xds/rejections/scratch-envoy.ts";

/** A content that no Envoy loads, before any proxy was sent it; the class is one of those that it was made for. */
export interface RefusedInTrial extends RefusedContent {
  readonly classKey: string;
}

export interface Trial {
  /** Resolves when these may be handed out; undefined: at once. */
  of(contents: readonly FreshContent<MeshProxy>[]): Promise<void> | undefined;
}

export interface TrialOptions {
  readonly scratch: Pick<ScratchEnvoy, "tryAll" | "refused">;
  readonly refuse: (contents: readonly RefusedInTrial[]) => void;
  /** Rejects when it is aborted. */
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
  readonly failed: (error: unknown) => void;
}

/** How long what nobody has had waits for a word, and how much longer when something in it is known to be bad. */
const PATIENCE_MS = 1_000,
  SEARCH_MS = 1_000;
/** More than these are not tried: it would take longer than anybody waits. Of what is left out the proxies tell. */
const MOST = 256;
/** What is bad in an earlier one does more harm. Endpoints are addresses, which Envoy is not the first to read. */
const TRIED: readonly ResourceKind[] = ["listeners", "extensionConfigs", "routes", "virtualHosts", "clusters"];
/** Contents are remembered by version: what went to a trial once goes to none again. */
const MOST_KNOWN = 20_000;

type Content = FreshContent<MeshProxy>;

/** Nothing was tried yet. */
export function createTrial({ scratch, refuse, sleep, failed }: TrialOptions): Trial {
  const known = new Set<string>();
  let waiting: readonly Content[] = [];
  let running: Promise<void> | undefined;
  let isBad = false;

  const look = async (contents: readonly Content[]): Promise<void> => {
    const resources = contents.map(({ resource }) => resource);
    if ((await scratch.tryAll(resources))?.loads !== false) return;
    isBad = true;
    const culprits = await scratch.refused(resources);
    // They are tried again where they come again: what they name may be there by then.
    for (const { resource } of culprits) known.delete(resource.version);
    const classOf = new Map(contents.map(({ resource, classKey }) => [resource, classKey]));
    refuse(culprits.map((culprit) => ({ ...culprit, classKey: classOf.get(culprit.resource) ?? "" })));
  };
  const run = async (): Promise<void> => {
    while (waiting.length > 0) {
      const contents = waiting;
      waiting = [];
      isBad = false;
      await look(contents).catch(failed);
    }
    running = undefined;
  };
  const within = async (trial: Promise<void>): Promise<void> => {
    const over = new AbortController();
    const patience = sleep(PATIENCE_MS, over.signal)
      .then(() => (isBad ? sleep(SEARCH_MS, over.signal) : undefined))
      .catch(() => undefined);
    await Promise.race([trial, patience]);
    over.abort();
  };
  return {
    of(contents) {
      const fresh = contents.filter(({ resource: { kind, version } }) => TRIED.includes(kind) && !known.has(version));
      if (fresh.length === 0) return undefined;
      for (const { resource } of fresh) remember(known, resource.version);
      waiting = [...waiting, ...fresh]
        .sort((a, b) => TRIED.indexOf(a.resource.kind) - TRIED.indexOf(b.resource.kind))
        .slice(0, MOST);
      running ??= run();
      return within(running);
    },
  };
}

function remember(known: Set<string>, version: string): void {
  known.add(version);
  if (known.size > MOST_KNOWN) known.delete(known.values().next().value!);
}

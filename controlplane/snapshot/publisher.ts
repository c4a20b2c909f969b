// consumes: the newest inputs of translation, whenever somebody says that they changed
// produces: them as what is handed out, once everything is made from them: a slice of time after the other, and all at
// once in the end
// never does: keep others waiting for longer than a slice, or hand out something of one state together with something
// of another
import type { SliceBudget } from "../model/time-slice.ts";
import type { ProxySnapshots, Preparation } from "./proxy-snapshots.ts";

export interface PublisherOptions<Inputs, Proxy> {
  readonly snapshots: Pick<ProxySnapshots<Inputs, Proxy>, "prepare">;
  /** The newest; undefined while there are none. */
  readonly inputs: () => Inputs | undefined;
  /** From now on these are handed out. */
  readonly published: (inputs: Inputs) => void;
  /** Looks at what is ready before it is handed out: then, or when this resolves. It never rejects. */
  readonly tried?: (preparation: Preparation<Proxy>) => Promise<void> | undefined;
  readonly clock: { monotonicMs(): number };
  /** Calls back when whoever waits had a turn; returns what calls it off. `setImmediate` unless given. */
  readonly afterOthers?: (callback: () => void) => () => void;
}

export interface Publisher<Proxy> {
  /**
   * Makes the newest inputs ready and hands them out; what takes no longer than a slice is handed out on return. These
   * proxies' resources are made with those that were asked for.
   */
  publish(others?: readonly Proxy[]): void;
  /** True until the newest inputs that `publish` was called for are handed out. */
  isBusy(): boolean;
  cancel(): void;
}

/**
 * Longer than a small change takes for hundreds of proxies; two of these and what else there is to do are well below
 * what anybody notices.
 */
const SLICE_MS = 20;
/**
 * Every slice may take so much longer than the one before: the looking up of what was made grows too, and an end is
 * sure.
 */
const LONGER_BY = 0.005;
/** What is being made gives way to what is newer, and what both have in common is not made again; but not for ever. */
const GIVES_WAY_MS = 1_000;

interface Making<Inputs, Proxy> {
  readonly inputs: Inputs;
  readonly others: readonly Proxy[];
  readonly preparation: Preparation<Proxy>;
  /** When the first of those was begun that gave way to one another. */
  readonly sinceMs: number;
  slices: number;
}

/** A publisher that has nothing to do. */
export function createPublisher<Inputs, Proxy>({
  snapshots,
  inputs,
  published,
  tried,
  clock,
  afterOthers = afterImmediate,
}: PublisherOptions<Inputs, Proxy>): Publisher<Proxy> {
  /** What is ready and being looked at: nothing else is made meanwhile. */
  let looking: object | undefined;
  let making: Making<Inputs, Proxy> | undefined;
  let wanted: { readonly others: readonly Proxy[] } | undefined;
  let callOff: (() => void) | undefined;
  const nowMs = (): number => clock.monotonicMs();

  const begin = (): void => {
    if (wanted === undefined || (making !== undefined && nowMs() - making.sinceMs > GIVES_WAY_MS)) return;
    const newest = inputs(),
      others = [...(making?.others ?? []), ...wanted.others];
    if (newest !== undefined)
      making = {
        inputs: newest,
        others,
        preparation: snapshots.prepare(newest, others),
        sinceMs: making?.sinceMs ?? nowMs(),
        slices: 0,
      };
    wanted = undefined;
  };
  const turn = (): void => {
    callOff = undefined;
    begin();
    if (making === undefined) return;
    if (making.preparation.advance(sliceBudget(making.slices++, clock))) {
      const ready = making;
      making = undefined;
      const trial = tried?.(ready.preparation);
      if (trial === undefined) handOut(ready);
      else lookAt(ready, trial);
    }
    plan();
  };
  const handOut = ({ preparation, inputs: made }: Making<Inputs, Proxy>): void => {
    preparation.publish();
    published(made);
  };
  const lookAt = (ready: Making<Inputs, Proxy>, trial: Promise<void>): void => {
    looking = ready;
    void trial.then(() => {
      if (looking !== ready) return;
      looking = undefined;
      handOut(ready);
      plan();
    });
  };
  const plan = (): void => {
    if (looking === undefined && (making !== undefined || wanted !== undefined)) callOff ??= afterOthers(turn);
  };

  return {
    publish(others = []) {
      wanted = { others: [...(wanted?.others ?? []), ...others] };
      if (callOff === undefined && looking === undefined) turn();
    },
    isBusy: () => making !== undefined || wanted !== undefined || looking !== undefined,
    cancel() {
      callOff?.();
      making = wanted = callOff = looking = undefined;
    },
  };
}

/**
 * Publishes what is prepared, in slices too; resolves when it is handed out. For the first, which nobody is served yet.
 */
export async function publishAwaited(
  preparation: Pick<Preparation<unknown>, "advance" | "publish">,
  clock: { monotonicMs(): number },
): Promise<void> {
  for (let slices = 0; !preparation.advance(sliceBudget(slices, clock)); slices++)
    await new Promise<void>((resolve) => afterImmediate(resolve));
  preparation.publish();
}

/** How long the next slice of some work may take, after so many. */
export function sliceBudget(slices: number, clock: { monotonicMs(): number }): SliceBudget {
  return { budgetMs: SLICE_MS * (1 + LONGER_BY * slices), nowMs: () => clock.monotonicMs() };
}

function afterImmediate(callback: () => void): () => void {
  const immediate = setImmediate(callback);
  return () => clearImmediate(immediate);
}

// What passes from one stage to the next: a value that can be read at any time and followed as it changes.
//
//     store ──world──► plugins, rollouts, publication          one stage sets a cell, any number follow it
//     world + versions ──► inputs ──► publication              a gathered cell is read from others, a burst at a time
import { type CoalesceOptions, coalesce } from "./coalesce.ts";

/** A value of one stage that others read and follow. */
export interface Cell<T> {
  read(): T;
  /** Calls `listener` with each new value, in the order of subscription; returns what ends that. */
  subscribe(listener: (value: T) => void): () => void;
}

/** A cell as the stage has it whose value it is. */
export interface OwnCell<T> extends Cell<T> {
  /** Followers are told, before it returns, of a value that is another than the last (by reference). */
  set(value: T): void;
}

/** A cell whose value is worked out from others when it is read; its followers are told once for a burst of changes. */
export interface GatheredCell<T> extends Cell<T> {
  /**
   * From now on this cell's changes are its own: followers are told after `quietMs` of the new value without another.
   */
  gather<S>(source: Cell<S>, quietMs?: (value: S) => number): void;
  /** Tells of a change that no source told of. */
  changed(): void;
  /** True from a source's change until the followers were told. */
  isPending(): boolean;
  /** Follows its sources no more, and tells nothing of what changed last. */
  close(): void;
}

/** Returns a cell that holds this value until another is set. */
export function createCell<T>(initial: T): OwnCell<T> {
  const followers = createFollowers<T>();
  let current = initial;
  return {
    read: () => current,
    subscribe: followers.add,
    set(value) {
      if (Object.is(value, current)) return;
      current = value;
      followers.tell(value);
    },
  };
}

/** Returns a cell with no sources yet. `read` must be cheap, or remember: it is called whenever somebody asks. */
export function createGatheredCell<T>(read: () => T, timing: CoalesceOptions): GatheredCell<T> {
  const followers = createFollowers<T>();
  const endings: (() => void)[] = [];
  const burst = coalesce(() => followers.tell(read()), timing);
  return {
    read,
    subscribe: followers.add,
    gather: (source, quietMs) => void endings.push(source.subscribe((value) => burst.ask(quietMs?.(value)))),
    changed: () => burst.ask(),
    isPending: () => burst.isPending(),
    close() {
      for (const end of endings.splice(0)) end();
      burst.cancel();
    },
  };
}

interface Followers<T> {
  add(listener: (value: T) => void): () => void;
  tell(value: T): void;
}

function createFollowers<T>(): Followers<T> {
  const listeners = new Set<(value: T) => void>();
  return {
    add(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    tell(value) {
      for (const listener of [...listeners]) listener(value);
    },
  };
}

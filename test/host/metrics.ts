import { Status } from "./status.ts";

const TYPES = ["counter", "gauge", "histogram"] as const;
export type MetricKind = (typeof TYPES)[number];

interface Stat {
  readonly kind: MetricKind;
  value: bigint;
  readonly samples: bigint[];
}

/**
 * The stats of one proxy: all workers and all versions of a filter write to the same ones, found by name (without
 * `wasmcustom.`).
 */
export class Metrics {
  readonly #stats = new Map<string, Stat>();

  /** A counter's value, 0 if it is not there. */
  counter(name: string): number {
    return Number(this.#stats.get(`counter ${name}`)?.value ?? 0n);
  }

  /** A gauge's value, 0 if it is not there. */
  gauge(name: string): number {
    return Number(this.#stats.get(`gauge ${name}`)?.value ?? 0n);
  }

  /** A histogram's samples, oldest first. */
  histogram(name: string): readonly number[] {
    return (this.#stats.get(`histogram ${name}`)?.samples ?? []).map(Number);
  }

  /** The names of all stats of a kind, in the order they were defined. */
  names(kind: MetricKind): string[] {
    return [...this.#stats.keys()].filter((key) => key.startsWith(`${kind} `)).map((key) => key.slice(kind.length + 1));
  }

  /** For the host: the stat `name`, made on first use. */
  stat(kind: MetricKind, name: string): Stat {
    const key = `${kind} ${name}`;
    let stat = this.#stats.get(key);
    if (!stat) this.#stats.set(key, (stat = { kind, value: 0n, samples: [] }));
    return stat;
  }
}

/** One VM's view of the stats: ids of its own, whose lowest two bits say the kind. */
export class MetricIds {
  readonly #stats = new Map<number, Stat>();
  readonly #last = [0, 1, 2];
  readonly #metrics: Metrics;

  constructor(metrics: Metrics) {
    this.#metrics = metrics;
  }

  /** A new id for the stat, also when it has one already; undefined for an unknown kind. */
  define(type: number, name: string): number | undefined {
    const kind = TYPES[type];
    if (kind === undefined) return undefined;
    const id = (this.#last[type] = (this.#last[type] ?? type) + 4);
    this.#stats.set(id, this.#metrics.stat(kind, name));
    return id;
  }

  increment(id: number, by: bigint): number {
    if ((id & 3) > 1) return Status.BadArgument;
    const stat = this.#stats.get(id);
    if (!stat) return Status.NotFound;
    if (stat.kind === "counter" && by <= 0n) return Status.BadArgument;
    stat.value += by;
    return Status.Ok;
  }

  record(id: number, value: bigint): number {
    const stat = this.#stats.get(id);
    if (!stat) return Status.NotFound;
    if (stat.kind === "counter") stat.value += value;
    else if (stat.kind === "gauge") stat.value = value;
    else stat.samples.push(value);
    return Status.Ok;
  }

  /** The value, or why not. */
  read(
    id: number,
  ): { readonly status: typeof Status.Ok; readonly value: bigint } | { readonly status: Exclude<Status, 0> } {
    if ((id & 3) > 1) return { status: Status.BadArgument };
    const stat = this.#stats.get(id);
    return stat ? { status: Status.Ok, value: stat.value } : { status: Status.NotFound };
  }
}

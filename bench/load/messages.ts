// What a load generator is asked for, and what it answers.

/** A load on one server. Each connection has one request under way at most. */
export interface LoadRequest {
  /** An address; 127.0.0.1 unless given. */
  readonly host?: string;
  readonly port: number;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly connections: number;
  /** Ends by itself after so long; undefined: when told to stop. */
  readonly durationMs: number | undefined;
  /** Requests per second, sent when they are due; undefined: each connection sends as soon as it was answered. */
  readonly ratePerSecond?: number;
  /**
   * Sleeps between requests that are due, where the generator would else keep a core busy with looking at the clock,
   * which what it loads needs, too. They go out up to a tenth of a millisecond late, which counts.
   */
  readonly sleeps?: boolean;
  /** A response header whose values are told with their times. */
  readonly watch?: string;
}

/** When a value of the watched header was seen, in milliseconds of the machine's monotonic clock. */
export interface SeenValue {
  readonly firstMs: number;
  readonly lastMs: number;
  readonly answers: number;
}

export interface LoadResult {
  readonly requests: number;
  readonly seconds: number;
  /** Answers other than 200 and connections that broke, each kind with its count. */
  readonly failures: Readonly<Record<string, number>>;
  /** Milliseconds. With a rate they count from when the request was due. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
  readonly maxMs: number;
  readonly seen: Readonly<Record<string, SeenValue>>;
}

export type ToGenerator = { readonly kind: "start"; readonly load: LoadRequest } | { readonly kind: "stop" };
export type FromGenerator = { readonly kind: "started" } | { readonly kind: "result"; readonly result: LoadResult };

/** The clock of performance.now() is the same one, from another start, and much cheaper to ask. */
const startMs = Number(process.hrtime.bigint()) / 1e6 - performance.now();

/** Milliseconds of a clock that all processes of this machine share. */
export function machineMs(): number {
  return startMs + performance.now();
}

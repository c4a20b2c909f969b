// What the control plane's process is told, and what it answers.
import type { ServeSettings } from "../../controlplane/settings/settings.ts";

export type ToControlPlane =
  | { readonly kind: "start"; readonly settings: ServeSettings }
  /** Collect all garbage, then say what is left. */
  | { readonly kind: "sample" };

export type FromControlPlane =
  | { readonly kind: "ready" }
  | { readonly kind: "failed"; readonly reason: string }
  | { readonly kind: "sampled"; readonly sample: ProcessSample };

/** What a process holds after its garbage was collected. */
export interface ProcessSample {
  readonly heapBytes: number;
  /** Outside of the heap: buffers. */
  readonly externalBytes: number;
  readonly residentBytes: number;
  /** What keeps the event loop alive, by kind: sockets, timers, … */
  readonly resources: Readonly<Record<string, number>>;
  readonly fileDescriptors: number;
  /** Of the event loop since the sample before. */
  readonly loopDelayMs: { readonly p99: number; readonly max: number };
  readonly cpuMs: number;
  /** How many objects of these classes are alive. */
  readonly objects: Readonly<Record<string, number>>;
}

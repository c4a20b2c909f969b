// What the server tells of its work, for metrics.

export interface XdsObserver {
  /**
   * A response of a type (short name, as `cds`) was written, so long after its change was announced; 0 when the proxy
   * asked for it.
   */
  sent(type: string, resources: number, bytes: number, sinceChangeMs: number): void;
  /** A proxy has acknowledged all of a change this long after it was announced. */
  converged(ms: number): void;
  rejected(type: string, nodeId: string, reason: string): void;
  /** An answer to a response that was no longer the last. */
  stale(type: string): void;
}

/** Watches nothing. */
export const NO_OBSERVER: XdsObserver = {
  sent: () => undefined,
  converged: () => undefined,
  rejected: () => undefined,
  stale: () => undefined,
};

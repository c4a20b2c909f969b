// Where the mesh's documents come from: a directory of files, or an API server.
import type { SourceBatch } from "../model/document.ts";

/** What a store takes documents from. */
export interface Source {
  /**
   * Tells everything there is (before it resolves), then what changes, until stopped. What `onChange` throws is a bug:
   * it rejects here the first time, and is an unhandled rejection later.
   */
  start(onChange: (batch: SourceBatch) => void): Promise<void>;
  /** Ends the watching; nothing is told afterwards. */
  stop(): Promise<void>;
}

// Where an authority has what it signs with: a directory of this machine, or a cluster's Secrets.
import type { Failure } from "../model/failure.ts";
import type { SigningIdentity } from "./signing-identity.ts";

export interface SigningStore {
  /** What is there; made where there is nothing yet. Goes on trying while the place cannot be reached. */
  open(trustDomain: string, signal: AbortSignal): Promise<SigningIdentity | Failure>;
  /** Calls with each one that is put in the place of the last and holds together, until the signal is aborted. */
  follow?(onReplaced: (identity: SigningIdentity) => void, signal: AbortSignal): void;
}

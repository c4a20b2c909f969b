// What a bearer token proves, and for how long.
import type { Failure } from "../model/failure.ts";
import type { ProxyIdentity } from "./node.ts";

/** A token that belongs to a pod. */
export interface Proof {
  readonly kind: "proven";
  readonly identity: ProxyIdentity;
  /** Whoever goes on relying on it asks again after so long; left out: never. */
  readonly holdsForMs?: number;
}

/** "unproven": the token belongs to nobody; "unavailable": nobody can tell at present, ask again. */
export type ProofProblem = "unproven" | "unavailable";

/** Finds what a bearer token proves. Rejects only with a bug. */
export type Authenticate = (token: string) => Promise<Proof | Failure<ProofProblem>>;

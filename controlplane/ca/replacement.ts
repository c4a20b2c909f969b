// How another signing certificate takes the place of one in use: no proxy may be left that trusts only what nobody
// signs with any more, or is shown what it does not trust yet.
import { type Failure, failed } from "../model/failure.ts";
import { type SigningIdentity, trusts } from "./signing-identity.ts";

/** What is signed with from now on; `later`: what follows when every proxy has had the time to take up the roots. */
export interface Replacement {
  readonly kind: "replacement";
  readonly now: SigningIdentity;
  readonly later?: SigningIdentity;
}

/** Returns how `next` takes the place of `current`; refused where proxies would be cut off from each other. */
export function planReplacement(current: SigningIdentity, next: SigningIdentity): Replacement | Failure<"cut-off"> {
  if (!trusts(next.rootsPem, current))
    return failed(
      "cut-off",
      "its root-cert.pem is without the root that signs at present, and workloads that have certificates of that one " +
        "would be refused: put both roots into root-cert.pem first; or restart the control planes to go over at once",
    );
  if (trusts(current.rootsPem, next)) return { kind: "replacement", now: next };
  return { kind: "replacement", now: { ...current, rootsPem: next.rootsPem }, later: next };
}

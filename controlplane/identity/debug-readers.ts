// Consumes: tokens that people and programs have for the cluster itself, and the cluster's rules.
// Produces: whether they may read a debug page: who may `get` its path as a nonResourceURL.
// Never does: keep a token.
import { mayGet } from "../kubernetes/access-review.ts";
import type { ApiClient } from "../kubernetes/api-client.ts";
import { reviewToken } from "../kubernetes/token-review.ts";
import { createTurns } from "./turns.ts";

/** `unknown`: nobody can tell at present. */
export type Access = "allowed" | "denied" | "nobody's" | "unknown";

/** Resolves to whether who has this token may read the page at a path. */
export type MayRead = (token: string, path: string) => Promise<Access>;

const TIMEOUT_MS = 5_000;
const AT_ONCE = 4;

/** Returns a MayRead that asks the cluster. */
export function createDebugReaders(api: Pick<ApiClient, "request">): MayRead {
  const inTurn = createTurns(AT_ONCE);
  return (token, path) =>
    inTurn(async () => {
      const user = await reviewToken(api, token, [], TIMEOUT_MS);
      if (user.kind === "failed") return user.code === "unreachable" ? "unknown" : "nobody's";
      const access = await mayGet(api, user, path, TIMEOUT_MS);
      if (access.kind === "failed") return "unknown";
      return access.isAllowed ? "allowed" : "denied";
    });
}

// What may be changed over the admin address, and by whom: only with the token in the state directory, which only this
// user can read.
import { timingSafeEqual } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";

/** A person's request that changes something; returns why it cannot be met, or undefined when it is done. */
export interface AdminChanges {
  /** Where the token is, for those who may read it. */
  readonly tokenFile: string;
  readonly token: string;
  readonly rollout: (plugin: string, verb: "promote" | "abort" | "undo") => string | undefined;
}

export type ChangeAnswer = { readonly status: 200 | 401 | 403 | 404 | 409; readonly message: string };

const ROLLOUT_PATH = /^\/rollouts\/([^/]+)\/([^/]+)\/(promote|abort|undo)$/;

/** Answers a POST. Host was checked before; a page of another site is told by its Origin. */
export function answerChange(
  path: string,
  headers: IncomingHttpHeaders,
  isLocalOrigin: (origin: string) => boolean,
  changes: AdminChanges,
): ChangeAnswer {
  const { origin } = headers;
  if (origin !== undefined && !isLocalOrigin(origin))
    return { status: 403, message: "changes are not taken from other sites' pages" };
  const [, namespace, name, verb] = ROLLOUT_PATH.exec(path) ?? [];
  if (namespace === undefined || name === undefined) return { status: 404, message: "there is nothing to change here" };
  if (!isToken(headers.authorization, changes.token))
    return { status: 401, message: `changes need the token in ${changes.tokenFile}: Authorization: Bearer TOKEN` };
  const refusal = changes.rollout(`${namespace}/${name}`, verb as "promote" | "abort" | "undo");
  return refusal === undefined ? { status: 200, message: "done" } : { status: 409, message: refusal };
}

function isToken(authorization: string | undefined, token: string): boolean {
  const given = Buffer.from(/^Bearer (\S{1,4096})$/.exec(authorization ?? "")?.[1] ?? "");
  const wanted = Buffer.from(token);
  return given.length === wanted.length && timingSafeEqual(given, wanted);
}

import type { ApiAnswer, ApiClient } from "./api-client.ts";

/** Whose the fields are that Scrim writes. */
export const FIELD_MANAGER = "scrim";

export interface ApplyOptions {
  readonly fieldManager?: string;
  /** Takes fields over that others own; true unless given. */
  readonly force?: boolean;
  readonly dryRun?: boolean;
  readonly signal?: AbortSignal;
}

/**
 * Makes the object at `path` say what this one does, of the fields that it names
 * (https://kubernetes.io/docs/reference/using-api/server-side-apply/). Resolves to the object as it is then, or 409
 * where others own a field and it is not forced.
 */
export function applyObject(
  client: Pick<ApiClient, "request">,
  path: string,
  object: unknown,
  { fieldManager = FIELD_MANAGER, force = true, dryRun = false, signal }: ApplyOptions = {},
): Promise<ApiAnswer> {
  return client.request({
    method: "PATCH",
    path,
    query: { fieldManager, force: String(force), ...(dryRun && { dryRun: "All" }) },
    body: object,
    contentType: "application/apply-patch+yaml",
    ...(signal && { signal }),
  });
}

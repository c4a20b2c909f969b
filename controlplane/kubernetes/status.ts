// What an API server says of a call that it did not do: a Status
// (https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/status/).
import { isJsonObject } from "../model/json-object.ts";
import type { Answered } from "./api-client.ts";

/** Whether what was asked for was done. */
export function isDone({ status }: Pick<Answered, "status">): boolean {
  return status >= 200 && status < 300;
}

/** Returns the reason in one word, as in `AlreadyExists`; "" where none is given. */
export function reasonOf({ body }: Pick<Answered, "body">): string {
  return isJsonObject(body) && typeof body["reason"] === "string" ? body["reason"] : "";
}

/** Returns what the server said as a clause for people: `403: pods is forbidden: User …`. */
export function describeAnswer({ status, body }: Pick<Answered, "status" | "body">): string {
  const message = isJsonObject(body) && typeof body["message"] === "string" ? body["message"] : "";
  const text = message || (typeof body === "string" ? (body.split("\n")[0] ?? "").slice(0, 200) : "");
  return text === "" ? `status ${status}` : `${status}: ${text}`;
}

// What an API server asks before it takes an object, and what it is told (admission.k8s.io/v1, AdmissionReview).
import { type Failure, failed } from "../model/failure.ts";
import { isJsonObject } from "../model/json-object.ts";

/** One question. */
export interface AdmissionRequest {
  readonly uid: string;
  readonly operation: string;
  /** Of the request; "" for what is cluster-scoped. */
  readonly namespace: string;
  /** The object as it would be; undefined when it goes, or where what was sent is none. */
  readonly object: Readonly<Record<string, unknown>> | undefined;
}

/** What is answered. Warnings are shown by kubectl, also where the object is taken. */
export interface Admission {
  readonly allowed: boolean;
  /** Why not. */
  readonly message?: string;
  readonly warnings?: readonly string[];
  readonly patch?: readonly PatchOperation[];
}

/** Of a JSON patch (RFC 6902). */
export interface PatchOperation {
  readonly op: "add" | "remove" | "replace";
  readonly path: string;
  readonly value?: unknown;
}

const VERSION = "admission.k8s.io/v1";

/** Returns the question in the body of a request. */
export function parseReview(body: string): AdmissionRequest | Failure<"malformed"> {
  const review = parseJson(body);
  if (!isJsonObject(review) || review["kind"] !== "AdmissionReview" || review["apiVersion"] !== VERSION)
    return failed("malformed", `the body is no AdmissionReview of ${VERSION}`);
  const { request } = review;
  if (!isJsonObject(request) || typeof request["uid"] !== "string")
    return failed("malformed", "the AdmissionReview has no request with a uid");
  const { uid, operation, namespace, object } = request;
  return {
    uid,
    operation: typeof operation === "string" ? operation : "",
    namespace: typeof namespace === "string" ? namespace : "",
    object: isJsonObject(object) ? object : undefined,
  };
}

/** Returns what is said of a request without an object: only what goes has none. */
export function admitNothing({ operation }: AdmissionRequest): Admission {
  if (operation === "DELETE") return { allowed: true };
  return { allowed: false, message: `request.object must be a map: ${operation || "the request"} has no object` };
}

/** Returns the answer as the body of a response. */
export function encodeReview({ uid }: AdmissionRequest, { allowed, message, warnings = [], patch }: Admission): string {
  return JSON.stringify({
    apiVersion: VERSION,
    kind: "AdmissionReview",
    response: {
      ...{ uid, allowed },
      ...(warnings.length > 0 && { warnings }),
      ...(message !== undefined && { status: { code: 400, reason: "BadRequest", message } }),
      ...(patch && { patchType: "JSONPatch", patch: Buffer.from(JSON.stringify(patch)).toString("base64") }),
    },
  });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

import type { HeaderMap } from "./header-map.ts";
import { HeaderMap as Headers } from "./header-map.ts";
import { latin1, toBytes } from "./pairs.ts";

/** A reply made in the proxy instead of upstream. */
export interface LocalReply {
  /** The HTTP status the filter asked for (gRPC requests see 200 and a grpc-status). */
  readonly status: number;
  /** %RESPONSE_CODE_DETAILS%. */
  readonly details: string;
  readonly body: string;
  /** The response's headers as the client gets them. */
  readonly headers: HeaderMap;
  /** True if it stands for a dead VM (503, `wasm_fail_stream`). */
  readonly isFailure: boolean;
}

export interface ReplyRequest {
  readonly status: number;
  readonly details: string;
  readonly body: Uint8Array;
  readonly headers: readonly (readonly [Uint8Array, Uint8Array])[];
  /** -1: derived from the HTTP status. */
  readonly grpcStatus: number;
}

const GRPC_OF_HTTP: Readonly<Record<number, number>> = {
  400: 13,
  401: 16,
  403: 7,
  404: 12,
  429: 14,
  502: 14,
  503: 14,
  504: 14,
};

/**
 * The gRPC status that stands for an HTTP status, as Envoy (and gRPC's own table) has it; 2, unknown, for the others.
 */
export function grpcStatusOf(httpStatus: number): number {
  return GRPC_OF_HTTP[httpStatus] ?? 2;
}

function grpcHeaders(request: ReplyRequest): HeaderMap {
  const status =
    request.grpcStatus >= 0 && request.grpcStatus <= 16 ? request.grpcStatus : grpcStatusOf(request.status);
  const headers = new Headers(
    { ":status": "200", "content-type": "application/grpc", "grpc-status": String(status) },
    "response",
  );
  if (request.body.length > 0)
    headers.add("grpc-message", encodeURIComponent(latin1(request.body)).replaceAll("%20", " "));
  return headers;
}

/** The reply's headers and body as Envoy makes them, before response callbacks see them. */
export function buildReply(
  request: ReplyRequest,
  isGrpc: boolean,
): { readonly headers: HeaderMap; readonly body: Uint8Array } {
  const headers = isGrpc ? grpcHeaders(request) : new Headers({ ":status": String(request.status) }, "response");
  const body = isGrpc ? new Uint8Array() : toBytes(request.body);
  if (body.length > 0) {
    headers.add("content-length", String(body.length));
    headers.add("content-type", "text/plain");
  }
  for (const [name, value] of request.headers) {
    // An extra content-type replaces the default one, as in Envoy's own replies; others are added.
    if (latin1(name).toLowerCase() === "content-type") headers.replace("content-type", value);
    else headers.add(latin1(name), value);
  }
  return { headers, body };
}

import { type AttributeTree, requestAttributes, responseAttributes } from "./attributes.ts";
import type { HeaderMap } from "./header-map.ts";
import { grpcStatusOf } from "./local-reply.ts";

/** What Envoy derives a stream's attributes from. */
export interface StreamFacts {
  readonly id: number;
  readonly requestHeaders: HeaderMap;
  readonly responseHeaders: HeaderMap | undefined;
  readonly responseTrailers: HeaderMap | undefined;
  /** Whether the module can read the request's, or the response's, headers now. */
  readonly hasRequestHeaders: boolean;
  readonly hasResponseHeaders: boolean;
  readonly requestBytes: number;
  readonly responseBytes: number;
  /** Details of a local reply. */
  readonly replyDetails: string | undefined;
  readonly startedWallNs: bigint;
  /** Once the stream has ended. */
  readonly durationNs: bigint | undefined;
  readonly filterState: ReadonlyMap<string, Uint8Array>;
}

/** Envoy derives one from the HTTP status where upstream gives none. */
function grpcStatus(headers: HeaderMap, trailers: HeaderMap | undefined): number {
  const given = trailers?.get("grpc-status") ?? headers.get("grpc-status");
  return given === undefined ? grpcStatusOf(Number(headers.get(":status"))) : Number(given);
}

/** A request's size is the announced one while its headers are there, else what came so far. */
function requestSize({ requestHeaders, hasRequestHeaders, requestBytes }: StreamFacts): number {
  const announced = hasRequestHeaders ? Number(requestHeaders.get("content-length") ?? Number.NaN) : Number.NaN;
  return Number.isInteger(announced) ? announced : requestBytes;
}

/** The trees of what Envoy derives, first the one that wins. */
export function derivedAttributes(facts: StreamFacts): AttributeTree[] {
  const { requestHeaders, responseHeaders, hasRequestHeaders, hasResponseHeaders, replyDetails } = facts;
  const isFromUpstream = responseHeaders !== undefined && replyDetails === undefined;
  return [
    ...(hasRequestHeaders ? [requestAttributes(requestHeaders)] : []),
    ...(responseHeaders && hasResponseHeaders ? [responseAttributes(responseHeaders)] : []),
    {
      request: {
        size: requestSize(facts),
        total_size: facts.requestBytes + (hasRequestHeaders ? requestHeaders.byteSize() : 0),
        protocol: "HTTP/1.1",
        time: facts.startedWallNs,
        ...(facts.durationNs !== undefined && { duration: facts.durationNs }),
      },
      response: {
        ...(responseHeaders && {
          code: Number(responseHeaders.get(":status")),
          code_details: replyDetails ?? "via_upstream",
          grpc_status: grpcStatus(responseHeaders, facts.responseTrailers),
        }),
        ...(isFromUpstream && { backend_latency: 0n }),
        flags: 0,
        size: facts.responseBytes,
        total_size: facts.responseBytes + (hasResponseHeaders ? (responseHeaders?.byteSize() ?? 0) : 0),
      },
      source: { address: "127.0.0.1:50000", port: 50000 },
      destination: { address: "127.0.0.1:10000", port: 10000 },
      connection: { mtls: false, requested_server_name: "", id: facts.id },
      xds: { filter_chain_name: "" },
      ...(isFromUpstream && { upstream: { transport_failure_reason: "" } }),
      connection_id: facts.id,
      filter_state: Object.fromEntries(facts.filterState),
      metadata: { filter_metadata: {} },
    },
  ];
}

import { type AttributeTree, requestAttributes, responseAttributes } from "./attributes.ts";
import type { HeaderMap } from "./header-map.ts";
import { grpcStatusOf } from "./local-reply.ts";
import type { StreamState } from "./stream-access.ts";

/** What Envoy derives a stream's attributes from. */
export interface StreamFacts {
  readonly id: number;
  readonly state: StreamState;
  /** Details of a local reply. */
  readonly replyDetails: string | undefined;
  readonly startedWallNs: bigint;
  /** Once the stream has ended. */
  readonly durationNs: bigint | undefined;
}

/** Envoy derives one from the HTTP status where upstream gives none. */
function grpcStatus(headers: HeaderMap, trailers: HeaderMap | undefined): number {
  const given = trailers?.get("grpc-status") ?? headers.get("grpc-status");
  return given === undefined ? grpcStatusOf(Number(headers.get(":status"))) : Number(given);
}

/** A request's size is the announced one while its headers are there, else what came so far. */
function requestSize({ requestHeaders, request }: StreamState, hasHeaders: boolean): number {
  const announced = hasHeaders ? Number(requestHeaders.get("content-length") ?? Number.NaN) : Number.NaN;
  return Number.isInteger(announced) ? announced : request.body.arrivedBytes;
}

/** The trees of what Envoy derives, first the one that wins. */
export function derivedAttributes(facts: StreamFacts): AttributeTree[] {
  const { state, replyDetails } = facts;
  const { requestHeaders, responseHeaders, request, response } = state;
  // Whether the module can read them now.
  const hasRequestHeaders = request.map !== undefined || state.isLogging;
  const hasResponseHeaders = response.map !== undefined || state.isLogging;
  const responseBytes = response.body.sent.length;
  const isFromUpstream = responseHeaders !== undefined && replyDetails === undefined;
  return [
    ...(hasRequestHeaders ? [requestAttributes(requestHeaders)] : []),
    ...(responseHeaders && hasResponseHeaders ? [responseAttributes(responseHeaders)] : []),
    {
      request: {
        size: requestSize(state, hasRequestHeaders),
        total_size: request.body.arrivedBytes + (hasRequestHeaders ? requestHeaders.byteSize() : 0),
        protocol: "HTTP/1.1",
        time: facts.startedWallNs,
        ...(facts.durationNs !== undefined && { duration: facts.durationNs }),
      },
      response: {
        ...(responseHeaders && {
          code: Number(responseHeaders.get(":status")),
          code_details: replyDetails ?? "via_upstream",
          grpc_status: grpcStatus(responseHeaders, response.sentTrailers),
        }),
        ...(isFromUpstream && { backend_latency: 0n }),
        flags: 0,
        size: responseBytes,
        total_size: responseBytes + (hasResponseHeaders ? (responseHeaders?.byteSize() ?? 0) : 0),
      },
      source: { address: "127.0.0.1:50000", port: 50000 },
      destination: { address: "127.0.0.1:10000", port: 10000 },
      connection: { mtls: false, requested_server_name: "", id: facts.id },
      xds: { filter_chain_name: "" },
      ...(isFromUpstream && { upstream: { transport_failure_reason: "" } }),
      connection_id: facts.id,
      filter_state: Object.fromEntries(state.filterState),
      metadata: { filter_metadata: {} },
    },
  ];
}

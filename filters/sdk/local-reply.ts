import { proxy_send_local_response } from "./abi/imports";
import { note, Status } from "./abi/status";
import { Bytes, EMPTY } from "./bytes";

/**
 * Answers the request from here; carried out when the callback ends, so return `FilterHeadersStatus.StopIteration`
 * after it.
 * @param status HTTP status code
 * @param details shown as %RESPONSE_CODE_DETAILS% (spaces become "_")
 * @param headers pairs from a `PairsWriter`
 * @param grpcStatus for gRPC requests; -1 lets Envoy derive it from `status`
 */
export function sendLocalReply(
  status: u32,
  details: Bytes,
  body: Bytes = EMPTY,
  headers: Bytes = EMPTY,
  grpcStatus: i32 = -1,
): Status {
  return note(
    proxy_send_local_response(
      status,
      details.ptr,
      details.length,
      body.ptr,
      body.length,
      headers.ptr,
      headers.length,
      grpcStatus,
    ),
  );
}

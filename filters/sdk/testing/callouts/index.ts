import "./filter";
export {
  malloc,
  proxy_abi_version_0_2_1,
  proxy_on_configure,
  proxy_on_context_create,
  proxy_on_delete,
  proxy_on_grpc_close,
  proxy_on_grpc_receive,
  proxy_on_grpc_receive_initial_metadata,
  proxy_on_grpc_receive_trailing_metadata,
  proxy_on_queue_ready,
  proxy_on_request_headers,
  proxy_on_request_trailers,
  proxy_on_response_trailers,
} from "as-proxy-wasm-sdk/exports";

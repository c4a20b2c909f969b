// The module of all four functions: which callbacks Envoy may call; those of callouts and timers are for the rate
// limit's global tier. The log is a stream's end.
import { registerRoot } from "as-proxy-wasm-sdk";
import { Mesh } from "./filter";
export {
  malloc,
  proxy_abi_version_0_2_1,
  proxy_on_configure,
  proxy_on_grpc_close,
  proxy_on_grpc_receive,
  proxy_on_http_call_response,
  proxy_on_request_headers,
  proxy_on_response_headers,
  proxy_on_tick,
} from "as-proxy-wasm-sdk/exports";
export { proxy_on_context_create, proxy_on_log } from "as-proxy-wasm-sdk/exports-last";

registerRoot(() => new Mesh());

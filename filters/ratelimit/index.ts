// The rate limit filter's module: which callbacks Envoy may call. The response's headers are a stream's end.
import { registerRoot } from "as-proxy-wasm-sdk";
import { RateLimit } from "./filter";
export {
  malloc,
  proxy_abi_version_0_2_1,
  proxy_on_configure,
  proxy_on_grpc_close,
  proxy_on_grpc_receive,
  proxy_on_request_headers,
} from "as-proxy-wasm-sdk/exports";
export { proxy_on_context_create, proxy_on_response_headers } from "as-proxy-wasm-sdk/exports-last";

registerRoot(() => new RateLimit());

// memory: convenient
import "./filter";
export {
  malloc,
  proxy_abi_version_0_2_1,
  proxy_on_configure,
  proxy_on_context_create,
  proxy_on_delete,
  proxy_on_request_body,
  proxy_on_request_headers,
  proxy_on_request_trailers,
} from "as-proxy-wasm-sdk/exports";

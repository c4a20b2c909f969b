import "./filter";
export {
  malloc,
  proxy_abi_version_0_2_1,
  proxy_on_configure,
  proxy_on_context_create,
  proxy_on_delete,
  proxy_on_downstream_connection_close,
  proxy_on_downstream_data,
  proxy_on_upstream_data,
} from "as-proxy-wasm-sdk/exports";

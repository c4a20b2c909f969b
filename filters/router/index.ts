// The header router's module: which callbacks Envoy may call. It decides and is done with a stream.
import { registerRoot } from "as-proxy-wasm-sdk";
import { Router } from "./filter";
export { malloc, proxy_abi_version_0_2_1, proxy_on_configure } from "as-proxy-wasm-sdk/exports";
export { proxy_on_context_create, proxy_on_request_headers } from "as-proxy-wasm-sdk/exports-once";

registerRoot(() => new Router());

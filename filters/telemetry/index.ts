// The telemetry filter's module: which callbacks Envoy may call.
import { registerRoot } from "as-proxy-wasm-sdk";
import { TelemetryOfBoth } from "./connections";
export {
  malloc, proxy_abi_version_0_2_1, proxy_on_configure, proxy_on_context_create, proxy_on_delete, proxy_on_log, proxy_on_new_connection, proxy_on_request_headers,
  proxy_on_response_headers, proxy_on_tick,
} from "as-proxy-wasm-sdk/exports";

registerRoot(() => new TelemetryOfBoth());

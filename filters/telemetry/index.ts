// The telemetry filter's module: which callbacks Envoy may call. The log is the end of a stream and of a connection.
import { registerRoot } from "as-proxy-wasm-sdk";
import { TelemetryOfBoth } from "./connections";
export {
  malloc,
  proxy_abi_version_0_2_1,
  proxy_on_configure,
  proxy_on_new_connection,
  proxy_on_request_headers,
  proxy_on_response_headers,
  proxy_on_tick,
} from "as-proxy-wasm-sdk/exports";
export { proxy_on_context_create, proxy_on_log } from "as-proxy-wasm-sdk/exports-last";

registerRoot(() => new TelemetryOfBoth());

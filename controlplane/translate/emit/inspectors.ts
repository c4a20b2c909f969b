// What is found out of a connection before anything is decided about it: whether it begins with TLS, with HTTP, or not
// at all.
import type { Filter, Listener, ListenerFilter } from "../../../protos/build/envoy.ts";
import { durationFromMs, packAny } from "../../../protos/codec.ts";
import { meshAlpnOf } from "./cluster-protocol.ts";

/** Finds out whether a connection begins with TLS, and what it offers. */
export const tlsInspector: ListenerFilter = {
  name: "envoy.filters.listener.tls_inspector",
  typedConfig: packAny("TlsInspector", {}),
};

/** Finds out whether a connection in plaintext begins with HTTP; stands behind the TLS inspector. */
export const httpInspector: ListenerFilter = {
  name: "envoy.filters.listener.http_inspector",
  typedConfig: packAny("HttpInspector", {}),
};

/** What the HTTP inspector says of HTTP, as application protocols of a connection. */
export const plainHttp: readonly string[] = ["http/1.0", "http/1.1", "h2c"];

/**
 * Returns how long a listener looks. A client of a protocol in which the server speaks first sends nothing to look at:
 * after a while it counts as plaintext that is not HTTP; with a timeout of 0 never.
 */
export function waitForServerFirst(timeoutMs: number): Listener {
  return { listenerFiltersTimeout: durationFromMs(timeoutMs), continueOnListenerFiltersTimeout: true };
}

/**
 * The network filter of what is no HTTP: the ALPN of a cluster that is known for HTTP tells the peer that HTTP comes,
 * and here it is to tell otherwise.
 */
export const noHttpInside: Filter = {
  name: "envoy.filters.network.set_filter_state",
  typedConfig: packAny("NetworkSetFilterState", {
    onNewConnection: [
      {
        objectKey: "envoy.network.application_protocols",
        formatString: { textFormatSource: { inlineString: meshAlpnOf("tcp").join(",") } },
      },
    ],
  }),
};

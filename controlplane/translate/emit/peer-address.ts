// Who really opened a connection, whatever X-Forwarded-For says later.
import type { Filter } from "../../../protos/build/envoy.ts";
import { packAny } from "../../../protos/codec.ts";

/** Filter state under which the address stands (an IP address in text, without port). */
export const PEER_ADDRESS_STATE = "scrim.peer_address";

/**
 * The network filter that notes the direct peer's address, once a connection, for the authorization filter's `ipBlocks`
 * and limits by IP.
 */
export const peerAddressFilter: Filter = {
  name: "envoy.filters.network.set_filter_state",
  typedConfig: packAny("NetworkSetFilterState", {
    onNewConnection: [
      {
        objectKey: PEER_ADDRESS_STATE,
        factoryKey: "envoy.string",
        formatString: { textFormatSource: { inlineString: "%DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT%" } },
      },
    ],
  }),
};

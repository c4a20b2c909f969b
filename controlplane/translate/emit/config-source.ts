// Where Envoy gets what comes apart from the resource that names it.
import type { ConfigSource, SdsSecretConfig } from "../../../protos/build/envoy.ts";

/** Returns the stream over which everything comes. A resource that is late is waited for, never given up. */
export function adsSource(): ConfigSource {
  return { ads: {}, initialFetchTimeout: { seconds: 0 }, resourceApiVersion: "V3" };
}

/** Returns the reference to a secret by name, e.g. `default` or `ROOTCA`. */
export function secretSource(name: string): SdsSecretConfig {
  return { name, sdsConfig: adsSource() };
}

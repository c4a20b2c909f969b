// Authorization of connections that are not HTTP, by Envoy's own RBAC.
import type { Filter } from "../../../protos/build/envoy.ts";
import { packAny } from "../../../protos/codec.ts";
import type { Authorization } from "../ir/authorization.ts";
import { buildRbac } from "./rbac-rules.ts";

/**
 * Returns the filters before a TCP proxy: AUDIT, then DENY, then ALLOW; none of a kind without policies of it. A
 * policy's rule is named `<namespace>/<name>[<rule>]` in logs.
 */
export function buildNetworkAuthorization(policies: readonly Authorization[]): readonly Filter[] {
  return (["AUDIT", "DENY", "ALLOW"] as const).flatMap((action) => {
    const rbac = buildRbac(action, policies);
    return Object.keys(rbac).length === 0
      ? []
      : [{ name: "envoy.filters.network.rbac", typedConfig: packAny("NetworkRbac", { statPrefix: "tcp.", ...rbac }) }];
  });
}

import { describe, expect, it } from "vitest";
import { buildForwardFilters, guardForwards } from "./dynamic-forward.ts";
import { unpackAny } from "../../../protos/codec.ts";

const isForward = (cluster: string) => cluster === "PassthroughCluster";

describe("the refusal of local addresses", () => {
  it.each([
    ["a route", [{ route: { cluster: "PassthroughCluster" } }]],
    [
      "one of several weighted ones",
      [
        { directResponse: { status: 200 } },
        { route: { weightedClusters: { clusters: [{ name: "a" }, { name: "PassthroughCluster" }] } } },
      ],
    ],
  ])("stands where %s leads to wherever a name resolves", (_, routes) => {
    const guarded = guardForwards({ name: "h", routes }, isForward);
    const config = guarded.typedPerFilterConfig?.["scrim.refuse_local_addresses"];
    expect(config && unpackAny(config)).toMatchObject({
      name: "RBACPerRoute",
      message: { rbac: { rules: { action: "DENY" } } },
    });
    // A configuration by route counts only if the chain has the filter of that name.
    expect(buildForwardFilters().map(({ name }) => name)).toEqual([
      "envoy.filters.http.dynamic_forward_proxy",
      "scrim.refuse_local_addresses",
    ]);
  });

  it("leaves other hosts what they are", () => {
    const host = { name: "h", routes: [{ route: { cluster: "outbound|80||reviews" } }] };
    expect(guardForwards(host, isForward)).toBe(host);
  });
});

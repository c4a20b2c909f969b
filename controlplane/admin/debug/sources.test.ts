import { describe, expect, it } from "vitest";
import { createResourceEncoder } from "../../snapshot/encode.ts";
import { resourceKinds, resourceTypes } from "../../snapshot/type-urls.ts";
import { createCell } from "../../stages/cell.ts";
import { type Reach, REACHES_NOBODY } from "../../xds/reach.ts";
import type { ConnectedProxy } from "../../xds/server.ts";
import type { ControlPlaneView } from "../contract.ts";
import { debugPage } from "./pages.ts";
import { debugSources } from "./sources.ts";

const nodeId = "sidecar~10.0.0.7~till-0.bank~bank.svc.cluster.local";
const view: ControlPlaneView = {
  isReady: () => true,
  world: () => undefined,
  hasUnpublishedChange: () => false,
  proxies: () => [],
  untriedPlugins: () => [],
  heldBack: () => undefined,
  violations: () => [],
};

function status(changes: Partial<ConnectedProxy>): ConnectedProxy {
  const synced = { state: "SYNCED", sentVersion: "1", ackedVersion: "1", ackedAtMs: 0 } as const;
  const types = Object.fromEntries(
    resourceKinds.map((kind) => [resourceTypes[kind].short, synced]),
  ) as ConnectedProxy["types"];
  return {
    nodeId,
    kind: "sidecar",
    pod: "till-0",
    namespace: "bank",
    serviceAccount: "till",
    envoyVersion: "1.40.0",
    metadata: {},
    connectedAtMs: 0,
    connectionId: "1",
    peer: "",
    isProven: true,
    classKey: "",
    revision: 0,
    types,
    rejections: [],
    synced: true,
    ...changes,
  };
}

describe("what the debug pages read", () => {
  it("is in the order of the streams' names, as istiod's is", () => {
    const statuses = ["b", "a", "c"].map((pod) =>
      status({ nodeId: `sidecar~10.0.0.7~${pod}.bank~d`, pod, connectionId: "1" }),
    );
    const sources = debugSources(view, createCell<Reach>({ ...REACHES_NOBODY, status: () => statuses }));
    expect(sources.connections().map(({ pod }) => pod)).toEqual(["a", "b", "c"]);
  });

  it("shows what a proven proxy holds under its own name only, whoever else says to be that node", () => {
    const cluster = createResourceEncoder().encodeResource("clusters", "vault", { name: "vault" });
    const statuses = [
      status({}),
      status({ isProven: false, namespace: "shop", metadata: { NAMESPACE: "shop" }, connectionId: "2" }),
    ];
    const sources = debugSources(
      view,
      createCell<Reach>({
        ...REACHES_NOBODY,
        status: () => statuses,
        held: () => ({ cds: { watched: "*", resources: [cluster], underWay: [] } }),
      }),
    );
    const seen = (namespace: string) =>
      JSON.stringify(
        debugPage("config_dump", new URLSearchParams({ proxyID: nodeId }), { kind: "namespace", namespace }, sources),
      );
    expect(seen("bank")).toContain("vault");
    expect(seen("shop")).not.toContain("vault");
    expect(seen("shop")).toContain('"status":200');
  });
});

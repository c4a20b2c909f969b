import { describe, expect, it } from "vitest";
import { admitNode } from "./node.ts";

const identity = { namespace: "default", serviceAccount: "web", pod: "web-1" };

describe("a node", () => {
  const id = "sidecar~127.10.4.7~web-1.default~default.svc.cluster.local";

  it("is admitted when it is the pod that the credential names", () => {
    const userAgentBuildVersion = { version: { majorNumber: 1, minorNumber: 40, patch: 0 } };
    expect(
      admitNode(identity, {
        id,
        metadata: { NAME: "web-1", NAMESPACE: "default", SERVICE_ACCOUNT: "web" },
        userAgentBuildVersion,
      }),
    ).toMatchObject({
      identity,
      node: { kind: "sidecar", ip: "127.10.4.7", pod: "web-1", namespace: "default", envoyVersion: "1.40.0" },
    });
  });

  it.each([
    ["another pod", "foreign-node", { id: id.replace("web-1", "web-2") }],
    ["another namespace", "foreign-node", { id: id.replace("web-1.default", "web-1.prod") }],
    ["a name in its metadata", "foreign-node", { id, metadata: { NAME: "web-2" } }],
    ["a service account in its metadata", "foreign-node", { id, metadata: { SERVICE_ACCOUNT: "admin" } }],
    ["no node at all", "malformed-node-id", undefined],
    ["an id of another form", "malformed-node-id", { id: "web-1.default" }],
  ])("is refused for claiming %s", (_claim, code, node) => {
    expect(admitNode(identity, node)).toMatchObject({ kind: "failed", code });
  });
});

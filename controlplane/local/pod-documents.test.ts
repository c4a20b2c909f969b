import { describe, expect, it } from "vitest";
import { loadText } from "../store/load.ts";
import { renderIdentities, renderPods } from "./pod-documents.ts";
import { podOf } from "./testing-world.ts";

describe("renderPods", () => {
  const text = renderPods(
    [
      { pod: podOf(), ready: true, deletionTimestamp: undefined, envoyPid: 42 },
      {
        pod: podOf({
          kind: "router",
          name: "gw-0-abcde",
          workload: "gw",
          ports: [{ name: "http", port: 80, bind: { address: "127.0.0.1", port: 8080 } }],
        }),
        ready: false,
        deletionTimestamp: "2026-01-01T00:00:00Z",
        envoyPid: undefined,
      },
    ],
    17,
  );

  it("is accepted by the mesh's own validation", () => {
    expect(loadText(text).violations).toEqual([]);
  });

  it("carries the contract's annotations, the readiness and the revision", () => {
    const { world } = loadText(text);
    const sidecar = world.get("Pod", "default", "reviews-v1-0-x2b9f");
    expect(sidecar?.metadata.annotations).toMatchObject({
      "scrim.mesh/workload": "reviews-v1",
      "scrim.mesh/proxy": "sidecar",
      "scrim.mesh/outbound": "127.10.4.7:15001",
      "scrim.mesh/envoy-admin": "127.10.4.7:15000",
      "scrim.mesh/envoy-pid": "42",
      "scrim.mesh/listen": '[{"port":9080,"address":"127.10.4.7:9080","app":"127.0.0.1:41233","name":"http"}]',
    });
    expect(sidecar?.spec.status).toEqual({
      podIP: "127.10.4.7",
      phase: "Running",
      conditions: [{ type: "Ready", status: "True" }],
    });
    expect(world.get("Pod", "default", "gw-0-abcde")?.metadata.deletionTimestamp).toBe("2026-01-01T00:00:00Z");
    expect(world.get("ConfigMap", "istio-system", "scrim-runtime")?.spec.data).toEqual({ revision: "17" });
  });

  it("never holds a token", () => {
    expect(text).not.toContain("secret-token");
    expect(renderIdentities([podOf()])).not.toContain("secret-token");
  });
});

describe("renderIdentities", () => {
  it("holds the token's hash and whom it proves", () => {
    expect(JSON.parse(renderIdentities([podOf({ token: "abc" })]))).toEqual([
      {
        tokenSha256: "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        namespace: "default",
        serviceAccount: "bookinfo-reviews",
        pod: "reviews-v1-0-x2b9f",
      },
    ]);
  });
});

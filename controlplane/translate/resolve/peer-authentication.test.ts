import { describe, expect, it } from "vitest";
import { resolveMtlsMode } from "./peer-authentication.ts";
import { sidecar, worldOf } from "./testing.ts";

const policy = (namespace: string, name: string, spec: string, created = "2024-01-01T00:00:00Z") =>
  "---\napiVersion: security.istio.io/v1\nkind: PeerAuthentication\n" +
  `metadata: {name: ${name}, namespace: ${namespace}, creationTimestamp: "${created}"}\n` +
  `spec: ${spec}\n`;
const mode = (yaml: string, port = 9080, proxy = sidecar()) => resolveMtlsMode(worldOf(yaml), proxy, port);
const mesh = policy("istio-system", "default", "{mtls: {mode: STRICT}}");
const namespace = policy("default", "default", "{mtls: {mode: DISABLE}}");
const workload = policy(
  "default",
  "reviews",
  "{selector: {matchLabels: {app: reviews}}, mtls: {mode: PERMISSIVE}, " +
    "portLevelMtls: {9081: {mode: STRICT}, 9082: {mode: UNSET}}}",
);

describe("the mTLS mode of a port", () => {
  it("is PERMISSIVE when nobody says anything", () => expect(mode("")).toBe("PERMISSIVE"));
  it("is the mesh's", () => expect(mode(mesh)).toBe("STRICT"));
  it("is the namespace's before the mesh's", () => expect(mode(mesh + namespace)).toBe("DISABLE"));
  it("is the workload's before the namespace's", () => expect(mode(mesh + namespace + workload)).toBe("PERMISSIVE"));
  it("is the port's before the workload's", () => expect(mode(mesh + namespace + workload, 9081)).toBe("STRICT"));
  it("is the workload's where the port's is UNSET", () =>
    expect(mode(mesh + namespace + workload, 9082)).toBe("PERMISSIVE"));

  it("is inherited through levels that are UNSET or say nothing", () => {
    const unset = policy("default", "default", "{mtls: {mode: UNSET}}");
    const portsOnly = policy(
      "default",
      "ports",
      "{selector: {matchLabels: {app: reviews}}, portLevelMtls: {9081: {mode: DISABLE}}}",
    );
    expect(mode(mesh + unset + portsOnly)).toBe("STRICT");
    expect(mode(mesh + unset + portsOnly, 9081)).toBe("DISABLE");
  });

  it("is the oldest policy's within a level", () => {
    const younger = policy("default", "a", "{mtls: {mode: STRICT}}", "2025-01-01T00:00:00Z");
    expect(mode(younger + namespace)).toBe("DISABLE");
  });

  it("is not for workloads that a selector does not select, nor for other namespaces", () => {
    expect(mode(workload, 9081, sidecar({ labels: { app: "ratings" } }))).toBe("PERMISSIVE");
    expect(mode(namespace, 9080, sidecar({ namespace: "other" }))).toBe("PERMISSIVE");
  });

  it("is not that of a selecting policy of the root namespace, which reaches its own workloads only", () => {
    const root = policy("istio-system", "reviews", "{selector: {matchLabels: {app: reviews}}, mtls: {mode: STRICT}}");
    expect(mode(root)).toBe("PERMISSIVE");
    expect(mode(root, 9080, sidecar({ namespace: "istio-system" }))).toBe("STRICT");
  });
});

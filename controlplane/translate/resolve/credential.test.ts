import { describe, expect, it } from "vitest";
import { fileOrigin } from "../../model/origin.ts";
import type { MeshObject } from "../../model/object.ts";
import { credentialOf } from "./credential.ts";

const secret = (spec: MeshObject<"Secret">["spec"]): MeshObject<"Secret"> => ({
  kind: "Secret",
  apiVersion: "v1",
  metadata: { name: "s", namespace: "default", labels: {}, annotations: {} },
  spec,
  origin: fileOrigin("s.yaml"),
});
const base64 = (text: string): string => Buffer.from(text).toString("base64");

describe("credentialOf", () => {
  it("reads Kubernetes' names and those of Istio's generic secrets, encoded or plain", () => {
    expect(credentialOf(secret({ data: { "tls.crt": base64("C"), "tls.key": base64("K") } }))).toEqual({
      certificate: "C",
      key: "K",
    });
    expect(credentialOf(secret({ stringData: { cert: "C", key: "K" } }))).toEqual({ certificate: "C", key: "K" });
  });

  it("has nothing where one of the two is missing", () => {
    expect(credentialOf(undefined)).toBeUndefined();
    expect(credentialOf(secret({ stringData: { "tls.crt": "C", key: "K" } }))).toBeUndefined();
  });
});

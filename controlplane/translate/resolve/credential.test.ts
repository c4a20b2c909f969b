import { describe, expect, it } from "vitest";
import { CERTIFICATE, KEY } from "../../../test/golden/tls-material.ts";
import { authoritiesNamed, credentialNamed } from "./credential.ts";
import { worldOf } from "./testing.ts";

const LIST = "-----BEGIN X509 CRL-----\n";
const base64 = (text: string): string => Buffer.from(text).toString("base64");
const yaml = (name: string, data: Readonly<Record<string, string>>) =>
  `---\napiVersion: v1\nkind: Secret\nmetadata: {name: ${name}}\nstringData: ${JSON.stringify(data)}\n`;

describe("a certificate with its key", () => {
  it("goes by Kubernetes' names and by those of Istio's generic secrets", () => {
    const pair = { certificate: CERTIFICATE, key: KEY };
    const names = [
      ["tls.crt", "tls.key"],
      ["cert", "key"],
    ] as const;
    for (const [certificate, key] of names)
      expect(credentialNamed(worldOf(yaml("s", { [certificate]: CERTIFICATE, [key]: KEY })), "default", "s")).toEqual(
        pair,
      );
    const encoded = yaml("s", { cert: base64(CERTIFICATE), key: base64(KEY) }).replace("stringData", "data");
    expect(credentialNamed(worldOf(encoded), "default", "s")).toEqual(pair);
  });

  it.each([
    ["one of the two missing", { "tls.crt": CERTIFICATE, key: KEY }],
    ["an empty one", { "tls.crt": "", "tls.key": KEY }],
  ])("is none with %s", (_what, stringData) => {
    expect(credentialNamed(worldOf(yaml("s", stringData)), "default", "s")).toMatchObject({
      kind: "failed",
      message: "the Secret s in default has no certificate with its key (tls.crt and tls.key, or cert and key)",
    });
  });

  it("is looked for in one namespace", () => {
    expect(credentialNamed(worldOf(yaml("s", { cert: CERTIFICATE, key: KEY })), "far", "s")).toMatchObject({
      message: "there is no Secret s in far",
    });
  });
});

describe("authorities", () => {
  it("are those of the Secret with -cacert, else in the credential's own", () => {
    const own = yaml("s", { "ca.crt": CERTIFICATE, "ca.crl": LIST });
    const apart = yaml("s-cacert", { cacert: CERTIFICATE });
    expect(authoritiesNamed(worldOf(own), "default", "s")).toEqual({ certificates: CERTIFICATE, revocations: LIST });
    expect(authoritiesNamed(worldOf(own), "default", "s-cacert")).toMatchObject({ revocations: LIST });
    expect(authoritiesNamed(worldOf(own + apart), "default", "s")).toEqual({ certificates: CERTIFICATE });
  });

  it("are none where there is no certificate", () => {
    expect(authoritiesNamed(worldOf(yaml("s", { cert: CERTIFICATE })), "default", "s")).toMatchObject({
      message: "the Secret s in default has no certificates of authorities (ca.crt or cacert)",
    });
  });
});

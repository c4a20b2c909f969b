import { createPrivateKey, createPublicKey, generateKeyPairSync } from "node:crypto";
import { createServer, connect } from "node:tls";
import type { AddressInfo } from "node:net";
import { describe, expect, it } from "vitest";
import { createAuthority } from "./authority.ts";
import { createKey } from "./root.ts";
import { readSigningIdentity, type SigningFiles, type SigningIdentity } from "./signing-identity.ts";
import { filesOf, rootPair, signedBy } from "./testing-certificates.ts";
import { newSigner, signCertificate } from "./x509.ts";

const DAY_MS = 24 * 3_600_000;
const nowMs = Date.now();

const rsaKey = (modulusLength: number): string =>
  generateKeyPairSync("rsa", { modulusLength }).privateKey.export({ type: "pkcs8", format: "pem" }) as string;

const read = (files: SigningFiles) => readSigningIdentity(files, (file) => `cacerts/${file}`, nowMs);

function opened(files: SigningFiles): SigningIdentity {
  const identity = read(files);
  if (identity.kind === "failed") throw new Error(identity.message);
  return identity;
}

/** What a client that has only the roots says of a server with a certificate of this authority. */
async function handshake(identity: SigningIdentity, ca: string): Promise<string> {
  const authority = createAuthority({ trustDomain: "cluster.local", clock: { nowMs: () => nowMs } }, identity);
  const { chainPem, keyPem } = authority.issueServerCertificate({
    dnsNames: ["istiod.istio-system.svc"],
    ipAddresses: [],
  });
  const server = createServer({ cert: chainPem, key: keyPem }).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as AddressInfo;
  const outcome = await new Promise<string>((resolve) => {
    const socket = connect({ port, host: "127.0.0.1", ca, servername: "istiod.istio-system.svc" }, () => {
      socket.destroy();
      resolve("trusted");
    });
    socket.on("error", ({ message }) => resolve(message));
  });
  await new Promise((resolve) => server.close(resolve));
  return outcome;
}

describe("a plugged-in intermediate", () => {
  it.each([
    ["P-256", () => createKey()],
    ["RSA", () => rsaKey(2_048)],
  ])("with a key of %s signs what is trusted by who has only the root", async (_name, key) => {
    const top = rootPair();
    const between = signedBy(top);
    const own = signedBy(between, { key: key() });
    // As Istio's Makefile has it: the chain begins with the certificate itself and ends with the root.
    const identity = opened(filesOf(own, [own, between, top], [top]));
    expect(identity.chainPem.match(/BEGIN/g)).toHaveLength(2);
    expect(await handshake(identity, top.pem)).toBe("trusted");
    expect(await handshake(identity, rootPair().pem)).not.toBe("trusted");
  });

  it("may have several roots beside its own, and nothing it signs outlives what leads to its own", () => {
    const [old, top] = [rootPair("old"), rootPair()];
    const own = signedBy(top, { lifeMs: 5 * DAY_MS, nowMs });
    const identity = opened(filesOf(own, [own], [old, top]));
    const authority = createAuthority(
      { trustDomain: "cluster.local", clock: { nowMs: () => nowMs }, workloadLifetimeMs: 7 * DAY_MS },
      identity,
    );
    expect(authority.rootPem.match(/BEGIN/g)).toHaveLength(2);
    expect(authority.issueServerCertificate({ dnsNames: ["a"], ipAddresses: [] }).expiresAtMs).toBeLessThanOrEqual(
      nowMs + 5 * DAY_MS,
    );
  });

  const top = rootPair();
  const own = signedBy(top);
  it.each<[string, SigningFiles, string]>([
    ["another's key", { ...filesOf(own, [], [top]), "ca-key.pem": createKey() }, "is not the key of"],
    ["no key", { ...filesOf(own, [], [top]), "ca-key.pem": "" }, "not a private key"],
    ["a torn key", { ...filesOf(own, [], [top]), "ca-key.pem": own.key.slice(0, 60) }, "not a private key"],
    ["a weak key", filesOf(signedBy(top, { key: rsaKey(1_024) }), [], [top]), "neither RSA of 2048 bits nor"],
    ["a leaf", filesOf(signedBy(top, { isAuthority: false }), [], [top]), "do not say CA"],
    ["another root", filesOf(own, [own, top], [rootPair()]), "does not lead to"],
    ["a gap in its chain", filesOf(signedBy(own), [], [top]), "does not lead to"],
    ["an end that is past", filesOf(signedBy(top, { lifeMs: -1_000 }), [], [top]), "expired"],
    ["a chain of anything", { ...filesOf(own, [], [top]), "cert-chain.pem": "hello" }, "more than certificates"],
    ["a torn certificate", { ...filesOf(own, [], [top]), "ca-cert.pem": own.pem.slice(0, 99) }, "not a certificate"],
    ["no root", filesOf(own, [], []), "root-cert.pem is not a certificate"],
  ])("with %s is refused", (_name, files, reason) => {
    expect(read(files)).toMatchObject({ kind: "failed", message: expect.stringContaining(reason) });
  });
});

it("a root made elsewhere, under any name, signs as it is", async () => {
  const key = createPrivateKey(createKey());
  const publicKey = createPublicKey(key);
  const signer = newSigner("Some company", publicKey, key);
  const pem = signCertificate(
    {
      ...{ uris: [], dnsNames: [], ipAddresses: [], isAuthority: true },
      ...{ publicKey, commonName: "Some company" },
      ...{ notBeforeMs: nowMs - DAY_MS, notAfterMs: nowMs + DAY_MS },
    },
    signer,
  );
  const own = { pem, key: key.export({ type: "pkcs8", format: "pem" }) as string };
  const identity = opened(filesOf(own, [], [own]));
  expect(identity.chainPem).toBe("");
  expect(await handshake(identity, pem)).toBe("trusted");
});

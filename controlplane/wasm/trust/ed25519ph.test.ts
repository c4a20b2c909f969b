import { createPublicKey, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { describe, expect, it } from "vitest";
import { verifyEd25519ph } from "./ed25519ph.ts";
import { isSignedBy } from "./signature.ts";

/** Made with Go's crypto/ed25519 (Options{Hash: crypto.SHA512}): message, public key, signature. */
const vectors = [
  [
    "message 0",
    "9bd84c4df024d568ccfaff11f0bddb96a4103f9b2964ce05bd530cfb9496a739",
    "869af2c3f57255888fca5881214f68087ca780914200295932c0fb1e7c9b7bb1" +
      "65c8b3797b834fbe61060be662da087c53ee8fab00ccca56853b8304a0b5620a",
  ],
  [
    "message 1",
    "7a7dad5666e6328b3da400fbda8e7c5a0ed3f4249f8a903f8cdaa6e6599e77b3",
    "bc010db70d8f564dad714eab2850e90633be577f866c4c91af022a29c7e224bf" +
      "bfb6bd291529c8670bef828cfc4b4310430a08c88a76473943d976bd28d34c0b",
  ],
  [
    "message 2",
    "5c91fa7b2ed5716ad93ad36f09706b119267ddb44c0904e07d8b8c6e83270106",
    "71aaf1d4cfb93e7a539dc986f7067ddeadc1e4f1a6a25b6f9794cd0970543fcf" +
      "da7cd1be8924614341bb7171eec48a53c42d212b6cc45a5d3e84261805b0e70a",
  ],
] as const;

const keyOf = (hex: string): KeyObject =>
  createPublicKey({
    key: { kty: "OKP", crv: "Ed25519", x: Buffer.from(hex, "hex").toString("base64url") },
    format: "jwk",
  });
const ORDER = 2n ** 252n + 27742317777372353535851937790883648493n;

describe("Ed25519ph", () => {
  it.each(vectors)("holds what Go signed: %s", (message, key, signature) => {
    expect(verifyEd25519ph(Buffer.from(message), keyOf(key), Buffer.from(signature, "hex"))).toBe(true);
    expect(isSignedBy(Buffer.from(message), Buffer.from(signature, "hex").toString("base64"), [keyOf(key)])).toBe(true);
  });

  const [message, key, signature] = vectors[0];
  const changed = (at: number): Buffer => {
    const bytes = Buffer.from(signature, "hex");
    bytes[at] = (bytes[at] ?? 0) ^ 1;
    return bytes;
  };
  it.each([0, 15, 31, 32, 50, 63])("does not hold with a bit of byte %i changed", (at) =>
    expect(verifyEd25519ph(Buffer.from(message), keyOf(key), changed(at))).toBe(false),
  );
  it("does not hold for another message, another key, another length", () => {
    expect(verifyEd25519ph(Buffer.from("message 1"), keyOf(key), Buffer.from(signature, "hex"))).toBe(false);
    expect(verifyEd25519ph(Buffer.from(message), keyOf(vectors[1][1]), Buffer.from(signature, "hex"))).toBe(false);
    for (const length of [0, 32, 63])
      expect(verifyEd25519ph(Buffer.from(message), keyOf(key), Buffer.from(signature, "hex").subarray(0, length))).toBe(
        false,
      );
  });

  it("has one signature for a message: not the same with the order added", () => {
    const bytes = Buffer.from(signature, "hex");
    const s = BigInt(`0x${Buffer.from(bytes.subarray(32)).reverse().toString("hex")}`) + ORDER;
    const other = Buffer.concat([
      bytes.subarray(0, 32),
      Buffer.from(s.toString(16).padStart(64, "0"), "hex").reverse(),
    ]);
    expect(verifyEd25519ph(Buffer.from(message), keyOf(key), other)).toBe(false);
  });

  it("is not plain Ed25519, nor for other keys", () => {
    const pair = generateKeyPairSync("ed25519");
    const plain = sign(null, Buffer.from(message), pair.privateKey);
    expect(verifyEd25519ph(Buffer.from(message), pair.publicKey, plain)).toBe(false);
    expect(isSignedBy(Buffer.from(message), plain.toString("base64"), [pair.publicKey])).toBe(true);
    expect(
      verifyEd25519ph(
        Buffer.from(message),
        generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey,
        Buffer.alloc(64),
      ),
    ).toBe(false);
  });
});

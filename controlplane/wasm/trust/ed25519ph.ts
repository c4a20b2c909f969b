// Ed25519ph (RFC 8032, section 5.1.7, over the SHA-512 of a message), with which cosign signs where a key is Ed25519:
// node:crypto does not know it.
import type { KeyObject } from "node:crypto";
import { ed25519ph } from "@noble/curves/ed25519.js";

const SIGNATURE_BYTES = 64;

/** Returns whether `signature` is the key's over the message; false for keys that are not Ed25519. */
export function verifyEd25519ph(message: Uint8Array, key: KeyObject, signature: Uint8Array): boolean {
  const { x } = key.asymmetricKeyType === "ed25519" ? key.export({ format: "jwk" }) : {};
  if (x === undefined || signature.length !== SIGNATURE_BYTES) return false;
  // As the RFC has it: keys of small order and numbers that could be written shorter are refused.
  return ed25519ph.verify(signature, message, Buffer.from(x, "base64url"), { zip215: false });
}

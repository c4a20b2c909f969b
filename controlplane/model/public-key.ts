// Public keys as people write them: PEM, one or several in a text.
import { createPublicKey, type KeyObject } from "node:crypto";
import { type Failure, failed } from "./failure.ts";

/** The message of a failure goes on where what holds the text was named: `must be public keys in PEM …`. */
export type PublicKeys =
  | { readonly kind: "keys"; readonly keys: readonly KeyObject[] }
  | Failure<"not-pem" | "not-public" | "unsupported-key">;

const BLOCK = /-----BEGIN ([A-Z0-9 ]+)-----[\s\S]*?-----END \1-----/g;

/** Returns the keys of `PUBLIC KEY` blocks: ECDSA (P-256, P-384, P-521), Ed25519 and RSA from 2,048 bits on. */
export function parsePublicKeys(pem: string): PublicKeys {
  const blocks = [...pem.matchAll(BLOCK)];
  if (blocks.length === 0 || pem.replaceAll(BLOCK, "").trim() !== "")
    return failed("not-pem", "must be public keys in PEM (-----BEGIN PUBLIC KEY-----)");
  const keys: KeyObject[] = [];
  for (const [block, label] of blocks) {
    if (label !== "PUBLIC KEY" && label !== "RSA PUBLIC KEY")
      return failed("not-public", `must hold public keys, not a ${label?.toLowerCase()}`);
    const key = readKey(block);
    if (key === undefined)
      return failed("unsupported-key", "holds a block that is no ECDSA, Ed25519 or RSA key (of 2,048 bits or more)");
    keys.push(key);
  }
  return { kind: "keys", keys };
}

function readKey(pem: string): KeyObject | undefined {
  try {
    const key = createPublicKey(pem);
    const { modulusLength = 0, namedCurve = "" } = key.asymmetricKeyDetails ?? {};
    switch (key.asymmetricKeyType) {
      case "ec":
        return ["prime256v1", "secp384r1", "secp521r1"].includes(namedCurve) ? key : undefined;
      case "rsa":
        return modulusLength >= 2_048 ? key : undefined;
      case "ed25519":
        return key;
      default:
        return undefined;
    }
  } catch {
    return undefined;
  }
}

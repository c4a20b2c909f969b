import { Bytes, EMPTY } from "./bytes";
import { callForeign } from "./foreign";
import { literal } from "./literal";
import { beginMessage, bytesField, numberField, putBytesField } from "./messages";

/** How a key is written. */
export const enum KeyForm {
  /** Binary: SubjectPublicKeyInfo of a public key, PKCS#8 of a private one. */
  Der = 0,
  /** Text with `-----BEGIN …`. */
  Pem = 1,
}

let problem: Bytes = EMPTY;

/**
 * What Envoy said of the last `verifySignature` or `sign` that failed, valid until the callback ends; empty if it said
 * nothing.
 */
export function signatureProblem(): Bytes {
  return problem;
}

/**
 * Whether `signature` is the key's over `text`. False also for a key or hash Envoy does not know (`signatureProblem()`
 * says why), and where the host has no such function (`lastStatus()`: NotFound).
 * @param hash name of the hash function: "sha1", "sha224", "sha256", "sha384", "sha512"
 */
export function verifySignature(
  hash: Bytes,
  publicKey: Bytes,
  signature: Bytes,
  text: Bytes,
  form: KeyForm = KeyForm.Der,
): bool {
  const message = beginMessage();
  putBytesField(message, 1, hash);
  putBytesField(message, form == KeyForm.Pem ? 5 : 2, publicKey);
  putBytesField(message, 3, signature);
  putBytesField(message, 4, text);
  problem = EMPTY;
  const result = callForeign(literal("verify_signature"), message.result);
  if (result === null) return false;
  problem = bytesField(result, 2);
  return numberField(result, 1) != 0;
}

/**
 * The private key's signature over `text`, valid until the callback ends; null if there is none (`signatureProblem()`,
 * `lastStatus()`).
 * @param hash as for `verifySignature`
 */
export function sign(hash: Bytes, privateKey: Bytes, text: Bytes, form: KeyForm = KeyForm.Der): Bytes | null {
  const message = beginMessage();
  putBytesField(message, 1, hash);
  putBytesField(message, form == KeyForm.Pem ? 4 : 2, privateKey);
  putBytesField(message, 3, text);
  problem = EMPTY;
  const result = callForeign(literal("sign"), message.result);
  if (result === null) return null;
  problem = bytesField(result, 3);
  return numberField(result, 1) != 0 ? bytesField(result, 2) : null;
}

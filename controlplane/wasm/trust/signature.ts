// Whether somebody signed an image or a file. Pure.
import { type KeyObject, verify } from "node:crypto";
import { verifyEd25519ph } from "./ed25519ph.ts";

/** A signature as it was found beside an image; texts are base64 where they are not said to be otherwise. */
export type Signature =
  /** cosign's first form: the payload names the image. */
  | { readonly form: "simple"; readonly payload: string; readonly signature: string }
  /**
   * A signed statement about the image (DSSE, https://github.com/secure-systems-lab/dsse/blob/master/protocol.md);
   * `payloadType` is plain text.
   */
  | { readonly form: "envelope"; readonly payload: string; readonly payloadType: string; readonly signature: string }
  /** Of a module that is no image: over the module's own bytes. */
  | { readonly form: "detached"; readonly signature: string };

/** What is to be signed: a module by its bytes, or as the image with one of these digests (`sha256:…`). */
export interface SignedThing {
  readonly bytes: Uint8Array;
  readonly imageDigests: readonly string[];
}

const COSIGN_TYPE = "cosign container image signature";
const STATEMENT_TYPE = "application/vnd.in-toto+json";
/** What cosign states when it signs, as against attests something else. */
const SIGN_PREDICATE = "https://sigstore.dev/cosign/sign/v1";

/** Returns whether this is a signature over the thing by one of the keys. */
export function isSignatureBy(
  signature: Signature,
  { bytes, imageDigests }: SignedThing,
  keys: readonly KeyObject[],
): boolean {
  if (signature.form === "detached") return imageDigests.length === 0 && isSignedBy(bytes, signature.signature, keys);
  const payload = Buffer.from(signature.payload, "base64");
  const signed = signature.form === "simple" ? payload : preAuthenticated(signature.payloadType, payload);
  if (!isSignedBy(signed, signature.signature, keys)) return false;
  const named =
    signature.form === "simple"
      ? digestInPayload(payload)
      : signature.payloadType === STATEMENT_TYPE
        ? digestsInStatement(payload)
        : [];
  return named.some((digest) => imageDigests.includes(digest));
}

/**
 * Returns whether `signature` (base64) is one of these keys' over `bytes`. ECDSA and RSA (PKCS #1 v1.5) sign a SHA-256,
 * ECDSA of larger curves also the hash of their size; Ed25519 signs the bytes, or, as cosign does for images, their
 * SHA-512.
 */
export function isSignedBy(bytes: Uint8Array, signature: string, keys: readonly KeyObject[]): boolean {
  const raw = Buffer.from(signature, "base64");
  return keys.some(
    (key) => hashesOf(key).some((hash) => verifies(hash, bytes, key, raw)) || verifyEd25519ph(bytes, key, raw),
  );
}

function hashesOf(key: KeyObject): readonly (string | null)[] {
  if (key.asymmetricKeyType === "ed25519") return [null];
  const curve = key.asymmetricKeyDetails?.namedCurve;
  return curve === "secp384r1" ? ["sha256", "sha384"] : curve === "secp521r1" ? ["sha256", "sha512"] : ["sha256"];
}

function verifies(hash: string | null, bytes: Uint8Array, key: KeyObject, signature: Buffer): boolean {
  try {
    return verify(hash, bytes, key, signature);
  } catch {
    return false;
  }
}

/** DSSE signs the type with the payload: "DSSEv1 <length> <type> <length> <payload>". */
function preAuthenticated(payloadType: string, payload: Buffer): Buffer {
  return Buffer.concat([
    Buffer.from(`DSSEv1 ${Buffer.byteLength(payloadType)} ${payloadType} ${payload.length} `),
    payload,
  ]);
}

function digestInPayload(payload: Buffer): readonly string[] {
  const { critical } = parsed(payload) as {
    critical?: { type?: unknown; image?: { "docker-manifest-digest"?: unknown } };
  };
  const digest = critical?.image?.["docker-manifest-digest"];
  return critical?.type === COSIGN_TYPE && typeof digest === "string" ? [digest] : [];
}

function digestsInStatement(payload: Buffer): readonly string[] {
  const { predicateType, subject } = parsed(payload) as { predicateType?: unknown; subject?: unknown };
  if (predicateType !== SIGN_PREDICATE || !Array.isArray(subject)) return [];
  return (subject as readonly { digest?: { sha256?: unknown } }[]).flatMap((each) =>
    typeof each?.digest?.sha256 === "string" ? [`sha256:${each.digest.sha256}`] : [],
  );
}

function parsed(payload: Buffer): object {
  try {
    const value: unknown = JSON.parse(payload.toString("utf8"));
    return typeof value === "object" && value !== null ? value : {};
  } catch {
    return {};
  }
}

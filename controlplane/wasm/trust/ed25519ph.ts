// Verifies Ed25519ph signatures (RFC 8032, section 5.1.7, over the SHA-512 of a message), which cosign makes with
// Ed25519 keys and node:crypto does not know. Only public values go through here, so nothing depends on how long it
// takes.
import { createHash, type KeyObject } from "node:crypto";

const P = 2n ** 255n - 19n;
const ORDER = 2n ** 252n + 27742317777372353535851937790883648493n;
const D = mod(-121_665n * invert(121_666n));
const SQRT_MINUS_1 = power(2n, (P - 1n) / 4n);
/** "dom2" with the flag for a prehash and no context. */
const DOMAIN = Buffer.concat([Buffer.from("SigEd25519 no Ed25519 collisions"), Buffer.from([1, 0])]);

/** Extended coordinates: x = X/Z, y = Y/Z, T = XY/Z. */
interface Point {
  readonly x: bigint;
  readonly y: bigint;
  readonly z: bigint;
  readonly t: bigint;
}

const ZERO: Point = { x: 0n, y: 1n, z: 1n, t: 0n };
const BASE = pointAt(mod(4n * invert(5n)), 0n);

/** Returns whether `signature` is the key's over the message; false for keys that are not Ed25519. */
export function verifyEd25519ph(message: Uint8Array, key: KeyObject, signature: Uint8Array): boolean {
  const { x } = key.asymmetricKeyType === "ed25519" ? key.export({ format: "jwk" }) : {};
  const publicKey = x === undefined ? undefined : Buffer.from(x, "base64url");
  const point = publicKey === undefined ? undefined : decode(publicKey);
  if (publicKey === undefined || point === undefined || BASE === undefined || signature.length !== 64) return false;
  const [r, s] = [signature.subarray(0, 32), littleEndian(signature.subarray(32))];
  if (s >= ORDER) return false;
  const hash = createHash("sha512")
    .update(DOMAIN)
    .update(r)
    .update(publicKey)
    .update(createHash("sha512").update(message).digest())
    .digest();
  const k = littleEndian(hash) % ORDER;
  // S·B = R + k·A, without the cofactor, as Go verifies.
  const expected = add(multiply(BASE, s), multiply(negate(point), k));
  return encode(expected).equals(r);
}

function mod(value: bigint): bigint {
  const rest = value % P;
  return rest < 0n ? rest + P : rest;
}

function power(base: bigint, exponent: bigint): bigint {
  let [result, square] = [1n, mod(base)];
  for (let left = exponent; left > 0n; left >>= 1n) {
    if ((left & 1n) === 1n) result = (result * square) % P;
    square = (square * square) % P;
  }
  return result;
}

function invert(value: bigint): bigint {
  return power(value, P - 2n);
}

/** -x² + y² = 1 + d·x²·y². Returns the point of this y whose x has this last bit. */
function pointAt(y: bigint, sign: bigint): Point | undefined {
  if (y >= P) return undefined;
  const y2 = (y * y) % P;
  const x2 = mod((y2 - 1n) * invert(D * y2 + 1n));
  let x = power(x2, (P + 3n) / 8n);
  if (mod(x * x - x2) !== 0n) x = (x * SQRT_MINUS_1) % P;
  if (mod(x * x - x2) !== 0n || (x === 0n && sign === 1n)) return undefined;
  if ((x & 1n) !== sign) x = P - x;
  return { x, y, z: 1n, t: mod(x * y) };
}

function decode(bytes: Uint8Array): Point | undefined {
  const value = littleEndian(bytes);
  return bytes.length === 32 ? pointAt(value & (2n ** 255n - 1n), value >> 255n) : undefined;
}

function encode({ x, y, z }: Point): Buffer {
  const inverse = invert(z);
  const value = mod(y * inverse) | ((mod(x * inverse) & 1n) << 255n);
  return Buffer.from(value.toString(16).padStart(64, "0"), "hex").reverse();
}

function littleEndian(bytes: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(bytes).reverse().toString("hex") || "0"}`);
}

function add(a: Point, b: Point): Point {
  const [m, n] = [mod((a.y - a.x) * (b.y - b.x)), mod((a.y + a.x) * (b.y + b.x))];
  const [c, d] = [mod(2n * a.t * b.t * D), mod(2n * a.z * b.z)];
  const [e, f, g, h] = [n - m, d - c, d + c, n + m];
  return { x: mod(e * f), y: mod(g * h), z: mod(f * g), t: mod(e * h) };
}

function negate({ x, y, z, t }: Point): Point {
  return { x: mod(-x), y, z, t: mod(-t) };
}

function multiply(point: Point, scalar: bigint): Point {
  let [result, double] = [ZERO, point];
  for (let left = scalar; left > 0n; left >>= 1n) {
    if ((left & 1n) === 1n) result = add(result, double);
    double = add(double, double);
  }
  return result;
}

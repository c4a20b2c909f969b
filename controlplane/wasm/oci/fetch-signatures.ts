// The signatures that cosign left beside an image, in either of its forms; verified elsewhere.
//   - tag `sha256-<digest>.sig`: a manifest whose layers are payloads, the signature in an annotation
//     (https://github.com/sigstore/cosign/blob/main/specs/SIGNATURE_SPEC.md)
//   - referrers of the image, or tag `sha256-<digest>`: bundles with a signed in-toto statement
//     (https://github.com/sigstore/protobuf-specs, application/vnd.dev.sigstore.bundle.v0.3+json)
import type { Signature } from "../trust/signature.ts";
import type { Descriptor } from "./manifest.ts";
import { type Failure, fetchBlob, fetchManifest } from "./pull-image.ts";
import type { RegistryClient } from "./registry-client.ts";
import { parseManifest } from "./manifest.ts";

export type Signatures = { readonly ok: true; readonly signatures: readonly Signature[] } | Failure;

const SIMPLE_SIGNING = "application/vnd.dev.cosign.simplesigning.v1+json";
const SIGNATURE_ANNOTATION = "dev.cosignproject.cosign/signature";
const BUNDLE = /^application\/vnd\.dev\.sigstore\.bundle\.v0\.\d+\+json$/;
const MAX_PAYLOAD_BYTES = 128 * 1_024;
/** More than anybody signs; what stands first is looked at. */
const MOST_SIGNATURES = 32;

/**
 * Returns the signatures of the image with one of these digests; none is no failure, a registry that does not answer
 * is.
 */
export async function fetchSignatures(client: RegistryClient, digests: readonly string[]): Promise<Signatures> {
  const signatures: Signature[] = [];
  for (const digest of new Set(digests)) {
    for (const fetch of [fetchSimple, fetchBundles]) {
      const found = await fetch(client, digest);
      if (!found.ok && found.missing !== true)
        return { ok: false, message: `its signatures cannot be had: ${found.message}` };
      if (found.ok) signatures.push(...found.signatures);
    }
  }
  return { ok: true, signatures: signatures.slice(0, MOST_SIGNATURES) };
}

async function fetchSimple(client: RegistryClient, digest: string): Promise<Signatures> {
  const found = await fetchManifest(client, `${digest.replace(":", "-")}.sig`);
  if (!found.ok) return found;
  const layers =
    found.value.kind === "manifest" ? found.value.layers.filter(({ mediaType }) => mediaType === SIMPLE_SIGNING) : [];
  const signatures: Signature[] = [];
  for (const layer of layers.slice(0, MOST_SIGNATURES)) {
    const signature = layer.annotations[SIGNATURE_ANNOTATION];
    if (signature === undefined) continue;
    const payload = await fetchBlob(client, layer, MAX_PAYLOAD_BYTES);
    if (!payload.ok) return payload;
    signatures.push({ form: "simple", payload: Buffer.from(payload.bytes).toString("base64"), signature });
  }
  return { ok: true, signatures };
}

async function fetchBundles(client: RegistryClient, digest: string): Promise<Signatures> {
  const entries = await fetchReferrers(client, digest);
  if (!entries.ok) return entries;
  const signatures: Signature[] = [];
  for (const entry of entries.entries.slice(0, MOST_SIGNATURES)) {
    const manifest = await fetchManifest(client, entry.digest);
    if (!manifest.ok) return manifest;
    const layers =
      manifest.value.kind === "manifest" ? manifest.value.layers.filter(({ mediaType }) => BUNDLE.test(mediaType)) : [];
    for (const layer of layers.slice(0, 1)) {
      const bundle = await fetchBlob(client, layer, MAX_PAYLOAD_BYTES);
      if (!bundle.ok) return bundle;
      signatures.push(...envelopesOf(bundle.bytes));
    }
  }
  return { ok: true, signatures };
}

/** By the API where the registry has it, else by the tag that clients keep in its place. */
async function fetchReferrers(
  client: RegistryClient,
  digest: string,
): Promise<{ readonly ok: true; readonly entries: readonly Descriptor[] } | Failure> {
  const answer = await client.request({ path: `/referrers/${digest}`, maxBytes: 4 * 1_024 * 1_024 });
  if (answer.kind === "answer" && answer.status === 200) {
    const parsed = parseManifest(answer.bytes);
    return { ok: true, entries: parsed.ok && parsed.value.kind === "index" ? parsed.value.manifests : [] };
  }
  const tagged = await fetchManifest(client, digest.replace(":", "-"));
  return tagged.ok ? { ok: true, entries: tagged.value.kind === "index" ? tagged.value.manifests : [] } : tagged;
}

function envelopesOf(bundle: Uint8Array): readonly Signature[] {
  try {
    const value = JSON.parse(Buffer.from(bundle).toString("utf8")) as {
      dsseEnvelope?: { payload?: unknown; payloadType?: unknown; signatures?: unknown };
    };
    const { payload, payloadType, signatures } = value.dsseEnvelope ?? {};
    if (typeof payload !== "string" || typeof payloadType !== "string" || !Array.isArray(signatures)) return [];
    return signatures.flatMap((each: unknown): Signature[] => {
      const sig = typeof each === "object" && each !== null && "sig" in each ? each.sig : undefined;
      return typeof sig === "string" ? [{ form: "envelope", payload, payloadType, signature: sig }] : [];
    });
  } catch {
    return [];
  }
}

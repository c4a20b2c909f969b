// The signatures that cosign left beside an image, in either of its forms; verified elsewhere.
//   - tag `sha256-<digest>.sig`: a manifest whose layers are payloads, the signature in an annotation
//     (https://github.com/sigstore/cosign/blob/main/specs/SIGNATURE_SPEC.md)
//   - referrers of the image, or tag `sha256-<digest>`: bundles with a signed in-toto statement
//     (https://github.com/sigstore/protobuf-specs, application/vnd.dev.sigstore.bundle.v0.3+json)
import { type Failure, failed, isFailed } from "../../model/failure.ts";
import type { FoundSignatures } from "../acquired-module.ts";
import type { Signature } from "../trust/signature.ts";
import type { Descriptor } from "./manifest.ts";
import { fetchBlob, fetchManifest, NOT_FOUND } from "./pull-image.ts";
import type { RegistryClient } from "./registry-client.ts";
import { parseManifest } from "./manifest.ts";

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
export async function fetchSignatures(client: RegistryClient, digests: readonly string[]): Promise<FoundSignatures> {
  const signatures: Signature[] = [];
  for (const digest of new Set(digests)) {
    for (const fetch of [fetchSimple, fetchBundles]) {
      const found = await fetch(client, digest);
      if (!isFailed(found)) signatures.push(...found);
      else if (found.code !== NOT_FOUND) return failed(found.code, `its signatures cannot be had: ${found.message}`);
    }
  }
  return signatures.slice(0, MOST_SIGNATURES);
}

async function fetchSimple(client: RegistryClient, digest: string): Promise<FoundSignatures> {
  const found = await fetchManifest(client, `${digest.replace(":", "-")}.sig`);
  if (isFailed(found)) return found;
  const layers =
    found.value.kind === "manifest" ? found.value.layers.filter(({ mediaType }) => mediaType === SIMPLE_SIGNING) : [];
  const signatures: Signature[] = [];
  for (const layer of layers.slice(0, MOST_SIGNATURES)) {
    const signature = layer.annotations[SIGNATURE_ANNOTATION];
    if (signature === undefined) continue;
    const payload = await fetchBlob(client, layer, MAX_PAYLOAD_BYTES);
    if (isFailed(payload)) return payload;
    signatures.push({ form: "simple", payload: Buffer.from(payload).toString("base64"), signature });
  }
  return signatures;
}

async function fetchBundles(client: RegistryClient, digest: string): Promise<FoundSignatures> {
  const entries = await fetchReferrers(client, digest);
  if (isFailed(entries)) return entries;
  const signatures: Signature[] = [];
  for (const entry of entries.slice(0, MOST_SIGNATURES)) {
    const manifest = await fetchManifest(client, entry.digest);
    if (isFailed(manifest)) return manifest;
    const layers =
      manifest.value.kind === "manifest" ? manifest.value.layers.filter(({ mediaType }) => BUNDLE.test(mediaType)) : [];
    for (const layer of layers.slice(0, 1)) {
      const bundle = await fetchBlob(client, layer, MAX_PAYLOAD_BYTES);
      if (isFailed(bundle)) return bundle;
      signatures.push(...envelopesOf(bundle));
    }
  }
  return signatures;
}

/** By the API where the registry has it, else by the tag that clients keep in its place. */
async function fetchReferrers(client: RegistryClient, digest: string): Promise<readonly Descriptor[] | Failure> {
  const answer = await client.request({ path: `/referrers/${digest}`, maxBytes: 4 * 1_024 * 1_024 });
  if (answer.kind === "answer" && answer.status === 200) {
    const parsed = parseManifest(answer.bytes);
    return parsed.kind === "index" ? parsed.manifests : [];
  }
  const tagged = await fetchManifest(client, digest.replace(":", "-"));
  if (isFailed(tagged)) return tagged;
  return tagged.value.kind === "index" ? tagged.value.manifests : [];
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

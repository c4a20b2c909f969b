// consumes: a reference to an image, a client of its registry
// produces: the module in it, with the digests that name it and what its manifest says
// never does: take bytes whose digest is not the one that was asked for
import { createHash } from "node:crypto";
import type { HttpAnswer } from "../fetch/http-client.ts";
import { type ImageLayout, moduleLayer, moduleOfLayer } from "./layouts.ts";
import { chooseEntry, type Descriptor, type ImageManifest, MEDIA_TYPES, parseManifest } from "./manifest.ts";
import type { ImageReference } from "./reference.ts";
import type { RegistryClient } from "./registry-client.ts";

/** An image whose manifest is known. */
export interface ResolvedImage {
  /**
   * What the reference leads to (of an index, the index), and the manifest taken: equal where there is no index. Either
   * names the image.
   */
  readonly digest: string;
  readonly manifestDigest: string;
  readonly manifest: ImageManifest;
}

export interface PulledModule {
  readonly bytes: Uint8Array;
  readonly layout: ImageLayout;
}

export type Resolved = { readonly ok: true; readonly image: ResolvedImage } | Failure;
export type Pulled = { readonly ok: true; readonly module: PulledModule } | Failure;
/** `missing`: the registry answered that there is no such thing. */
export interface Failure {
  readonly ok: false;
  readonly message: string;
  readonly missing?: boolean;
}

const MAX_MANIFEST_BYTES = 4 * 1_024 * 1_024;
const ACCEPTED = Object.values(MEDIA_TYPES).join(", ");

/** Returns the manifest that a reference leads to now. */
export async function resolveImage(client: RegistryClient, reference: ImageReference): Promise<Resolved> {
  const first = await fetchManifest(client, reference.digest ?? reference.tag);
  if (!first.ok) return first;
  if (first.value.kind === "manifest")
    return { ok: true, image: { digest: first.digest, manifestDigest: first.digest, manifest: first.value } };
  const entry = chooseEntry(first.value);
  if (entry === undefined) return { ok: false, message: "the image's index names no image for any platform" };
  const chosen = await fetchManifest(client, entry.digest);
  if (!chosen.ok) return chosen;
  if (chosen.value.kind !== "manifest") return { ok: false, message: "the image's index leads to another index" };
  return { ok: true, image: { digest: first.digest, manifestDigest: entry.digest, manifest: chosen.value } };
}

/** Returns the module of an image. */
export async function pullModule(
  client: RegistryClient,
  { manifest }: ResolvedImage,
  maxBytes: number,
): Promise<Pulled> {
  const found = moduleLayer(manifest);
  if (!found.ok) return found;
  const blob = await fetchBlob(client, found.layer, maxBytes);
  if (!blob.ok) return blob;
  const module = await moduleOfLayer(found.layout, blob.bytes, maxBytes);
  return module.ok ? { ok: true, module: { bytes: module.bytes, layout: found.layout } } : module;
}

export type FetchedManifest =
  | {
      readonly ok: true;
      readonly digest: string;
      readonly value: Extract<ReturnType<typeof parseManifest>, { ok: true }>["value"];
    }
  | Failure;

/** Returns the manifest or index of a tag or digest. */
export async function fetchManifest(client: RegistryClient, tagOrDigest: string): Promise<FetchedManifest> {
  const answer = await client.request({
    path: `/manifests/${tagOrDigest}`,
    headers: { accept: ACCEPTED },
    maxBytes: MAX_MANIFEST_BYTES,
  });
  if (answer.kind === "failed") return { ok: false, message: answer.message };
  if (answer.status !== 200)
    return {
      ok: false,
      message: describeStatus(answer, `the manifest ${tagOrDigest}`),
      missing: answer.status === 404,
    };
  const digest = digestIn(tagOrDigest.includes(":") ? (tagOrDigest.split(":")[0] ?? "") : "sha256", answer.bytes);
  const said = answer.headers["docker-content-digest"];
  if (tagOrDigest.includes(":") && digest !== tagOrDigest)
    return { ok: false, message: `the manifest's digest is ${digest}, not ${tagOrDigest} as was asked for` };
  if (typeof said === "string" && said.startsWith("sha256:") && digest.startsWith("sha256:") && said !== digest)
    return { ok: false, message: `the manifest's digest is ${digest}, not ${said} as the registry says` };
  const parsed = parseManifest(answer.bytes);
  return parsed.ok ? { ok: true, digest, value: parsed.value } : parsed;
}

export type Blob = { readonly ok: true; readonly bytes: Uint8Array } | Failure;

/** Returns the bytes that a descriptor names, of its size and digest. */
export async function fetchBlob(client: RegistryClient, { digest, size }: Descriptor, maxBytes: number): Promise<Blob> {
  if (size > maxBytes) return { ok: false, message: `the layer ${digest} is larger than ${maxBytes} bytes (${size})` };
  const answer = await client.request({ path: `/blobs/${digest}`, maxBytes: size });
  if (answer.kind === "failed") return { ok: false, message: answer.message };
  if (answer.status !== 200)
    return { ok: false, message: describeStatus(answer, `the layer ${digest}`), missing: answer.status === 404 };
  if (answer.bytes.length !== size)
    return {
      ok: false,
      message: `the layer ${digest} has ${answer.bytes.length} bytes, not ${size} as its manifest says`,
    };
  const actual = digestIn(digest.split(":")[0] ?? "", answer.bytes);
  return actual === digest
    ? { ok: true, bytes: answer.bytes }
    : { ok: false, message: `the layer's digest is ${actual}, not ${digest} as its manifest says` };
}

/** Returns the digest of bytes, as in `sha256:…`. */
export function digestIn(algorithm: string, bytes: Uint8Array): string {
  return `${algorithm}:${createHash(algorithm).update(bytes).digest("hex")}`;
}

function describeStatus({ status, url }: HttpAnswer, what: string): string {
  return status === 404
    ? `${new URL(url).host} has no such image (${what} is not there)`
    : `${new URL(url).host} answered ${status} for ${what}`;
}

// consumes: a reference to an image, a client of its registry
// produces: the module in it, with the digests that name it and what its manifest says
// never does: take bytes whose digest is not the one that was asked for
import { createHash } from "node:crypto";
import { type Failure, failed, isFailed } from "../../model/failure.ts";
import type { HttpAnswer } from "../fetch/http-client.ts";
import { type ImageLayout, moduleLayer, moduleOfLayer } from "./layouts.ts";
import {
  chooseEntry,
  type Descriptor,
  type ImageIndex,
  type ImageManifest,
  MEDIA_TYPES,
  parseManifest,
} from "./manifest.ts";
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

/** The code of what the registry answered that it has not. */
export const NOT_FOUND = "not-found";

const MAX_MANIFEST_BYTES = 4 * 1_024 * 1_024;
const ACCEPTED = Object.values(MEDIA_TYPES).join(", ");

/** Returns the manifest that a reference leads to now. */
export async function resolveImage(
  client: RegistryClient,
  reference: ImageReference,
): Promise<ResolvedImage | Failure> {
  const first = await fetchManifest(client, reference.digest ?? reference.tag);
  if (isFailed(first)) return first;
  if (first.value.kind === "manifest")
    return { digest: first.digest, manifestDigest: first.digest, manifest: first.value };
  const entry = chooseEntry(first.value);
  if (entry === undefined) return failed("malformed-manifest", "the image's index names no image for any platform");
  const chosen = await fetchManifest(client, entry.digest);
  if (isFailed(chosen)) return chosen;
  if (chosen.value.kind !== "manifest") return failed("malformed-manifest", "the image's index leads to another index");
  return { digest: first.digest, manifestDigest: entry.digest, manifest: chosen.value };
}

/** Returns the module of an image. */
export async function pullModule(
  client: RegistryClient,
  { manifest }: ResolvedImage,
  maxBytes: number,
): Promise<PulledModule | Failure> {
  const found = moduleLayer(manifest);
  if (isFailed(found)) return found;
  const blob = await fetchBlob(client, found.layer, maxBytes);
  if (isFailed(blob)) return blob;
  const bytes = await moduleOfLayer(found.layout, blob, maxBytes);
  return isFailed(bytes) ? bytes : { bytes, layout: found.layout };
}

export interface FetchedManifest {
  readonly digest: string;
  readonly value: ImageManifest | ImageIndex;
}

/** Returns the manifest or index of a tag or digest. */
export async function fetchManifest(client: RegistryClient, tagOrDigest: string): Promise<FetchedManifest | Failure> {
  const answer = await client.request({
    path: `/manifests/${tagOrDigest}`,
    headers: { accept: ACCEPTED },
    maxBytes: MAX_MANIFEST_BYTES,
  });
  if (answer.kind === "failed") return answer;
  if (answer.status !== 200) return refusal(answer, `the manifest ${tagOrDigest}`);
  const digest = digestIn(tagOrDigest.includes(":") ? (tagOrDigest.split(":")[0] ?? "") : "sha256", answer.bytes);
  const said = answer.headers["docker-content-digest"];
  if (tagOrDigest.includes(":") && digest !== tagOrDigest)
    return failed("digest-mismatch", `the manifest's digest is ${digest}, not ${tagOrDigest} as was asked for`);
  if (typeof said === "string" && said.startsWith("sha256:") && digest.startsWith("sha256:") && said !== digest)
    return failed("digest-mismatch", `the manifest's digest is ${digest}, not ${said} as the registry says`);
  const parsed = parseManifest(answer.bytes);
  return parsed.kind === "failed" ? parsed : { digest, value: parsed };
}

/** Returns the bytes that a descriptor names, of its size and digest. */
export async function fetchBlob(
  client: RegistryClient,
  { digest, size }: Descriptor,
  maxBytes: number,
): Promise<Uint8Array | Failure> {
  if (size > maxBytes) return failed("too-large", `the layer ${digest} is larger than ${maxBytes} bytes (${size})`);
  const answer = await client.request({ path: `/blobs/${digest}`, maxBytes: size });
  if (answer.kind === "failed") return answer;
  if (answer.status !== 200) return refusal(answer, `the layer ${digest}`);
  if (answer.bytes.length !== size)
    return failed(
      "digest-mismatch",
      `the layer ${digest} has ${answer.bytes.length} bytes, not ${size} as its manifest says`,
    );
  const actual = digestIn(digest.split(":")[0] ?? "", answer.bytes);
  return actual === digest
    ? answer.bytes
    : failed("digest-mismatch", `the layer's digest is ${actual}, not ${digest} as its manifest says`);
}

/** Returns the digest of bytes, as in `sha256:…`. */
export function digestIn(algorithm: string, bytes: Uint8Array): string {
  return `${algorithm}:${createHash(algorithm).update(bytes).digest("hex")}`;
}

function refusal({ status, url }: HttpAnswer, what: string): Failure {
  return status === 404
    ? failed(NOT_FOUND, `${new URL(url).host} has no such image (${what} is not there)`)
    : failed("http-status", `${new URL(url).host} answered ${status} for ${what}`);
}

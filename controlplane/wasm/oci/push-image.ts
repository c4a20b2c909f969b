// consumes: a packed image, a client of a registry that may push
// produces: the image in the registry, under a tag
// never does: send a blob that the registry has already
import type { HttpResult } from "../fetch/http-client.ts";
import type { PackedBlob, PackedImage } from "./pack-image.ts";
import type { RegistryClient } from "./registry-client.ts";

export type Pushed = { readonly ok: true } | { readonly ok: false; readonly message: string };

const MAX_ANSWER_BYTES = 1_024 * 1_024;

/** Pushes blobs, then the manifest, so that nobody sees an image that is not whole. */
export async function pushImage(client: RegistryClient, image: PackedImage, tag: string): Promise<Pushed> {
  for (const blob of image.blobs) {
    const pushed = await pushBlob(client, blob);
    if (!pushed.ok) return pushed;
  }
  const answer = await client.request({
    method: "PUT",
    path: `/manifests/${tag}`,
    headers: { "content-type": image.mediaType },
    body: image.manifest,
    maxBytes: MAX_ANSWER_BYTES,
  });
  return expect(answer, 201, "the manifest");
}

async function pushBlob(client: RegistryClient, { digest, bytes }: PackedBlob): Promise<Pushed> {
  const there = await client.request({ method: "HEAD", path: `/blobs/${digest}`, maxBytes: MAX_ANSWER_BYTES });
  if (there.kind === "answer" && there.status === 200) return { ok: true };
  const begun = await client.request({ method: "POST", path: "/blobs/uploads/", maxBytes: MAX_ANSWER_BYTES });
  if (begun.kind === "failed" || begun.status !== 202) return expect(begun, 202, "an upload");
  const { location } = begun.headers;
  if (location === undefined || !URL.canParse(location, begun.url))
    return { ok: false, message: "the registry does not say where to upload to" };
  const target = new URL(location, begun.url);
  target.searchParams.set("digest", digest);
  const sent = await client.request({
    method: "PUT",
    path: target.href,
    headers: { "content-type": "application/octet-stream" },
    body: bytes,
    maxBytes: MAX_ANSWER_BYTES,
  });
  return expect(sent, 201, "a layer");
}

function expect(answer: HttpResult, status: number, what: string): Pushed {
  if (answer.kind === "failed") return { ok: false, message: answer.message };
  if (answer.status === status) return { ok: true };
  return {
    ok: false,
    message: `${new URL(answer.url).host} answered ${answer.status} for ${what}: ${answer.bytes.toString("utf8").trim().slice(0, 200)}`,
  };
}

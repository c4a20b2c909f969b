// consumes: a packed image, a client of a registry that may push
// produces: the image in the registry, under a tag
// never does: send a blob that the registry has already
import { type Failure, failed } from "../../model/failure.ts";
import type { HttpResult } from "../fetch/http-client.ts";
import type { PackedBlob, PackedImage } from "./pack-image.ts";
import type { RegistryClient } from "./registry-client.ts";

const MAX_ANSWER_BYTES = 1_024 * 1_024;

/** Pushes blobs, then the manifest, so that nobody sees an image that is not whole; returns why it could not. */
export async function pushImage(client: RegistryClient, image: PackedImage, tag: string): Promise<Failure | undefined> {
  for (const blob of image.blobs) {
    const failure = await pushBlob(client, blob);
    if (failure !== undefined) return failure;
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

async function pushBlob(client: RegistryClient, { digest, bytes }: PackedBlob): Promise<Failure | undefined> {
  const there = await client.request({ method: "HEAD", path: `/blobs/${digest}`, maxBytes: MAX_ANSWER_BYTES });
  if (there.kind === "answer" && there.status === 200) return undefined;
  const begun = await client.request({ method: "POST", path: "/blobs/uploads/", maxBytes: MAX_ANSWER_BYTES });
  if (begun.kind === "failed" || begun.status !== 202) return expect(begun, 202, "an upload");
  const { location } = begun.headers;
  if (location === undefined || !URL.canParse(location, begun.url))
    return failed("registry-answer", "the registry does not say where to upload to");
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

function expect(answer: HttpResult, status: number, what: string): Failure | undefined {
  if (answer.kind === "failed") return answer;
  if (answer.status === status) return undefined;
  const said = answer.bytes.toString("utf8").trim().slice(0, 200);
  return failed("http-status", `${new URL(answer.url).host} answered ${answer.status} for ${what}: ${said}`);
}

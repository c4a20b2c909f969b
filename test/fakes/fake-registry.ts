// A registry in memory that may lie: what a test says of a path counts more than what is there.
import { createHash } from "node:crypto";
import http from "node:http";
import type { AddressInfo } from "node:net";

export interface FakeRegistry {
  /** As in `127.0.0.1:41233`. */
  readonly host: string;
  /** `METHOD path`, in order, with the Authorization that came. */
  readonly requests: readonly { readonly line: string; readonly authorization: string | undefined }[];
  /** Puts a manifest under a tag and its digest; returns the digest. */
  putManifest(repository: string, tag: string, manifest: object, mediaType?: string): string;
  /** Puts a blob; returns its descriptor. */
  putBlob(
    repository: string,
    mediaType: string,
    bytes: Uint8Array,
  ): { mediaType: string; digest: string; size: number };
  /** Answers for paths itself from now on; returns false to let the registry answer. */
  answer(handler: (request: http.IncomingMessage, response: http.ServerResponse) => boolean | void): void;
  close(): void;
}

const digestOf = (bytes: Uint8Array) => `sha256:${createHash("sha256").update(bytes).digest("hex")}`;

/** Starts it on a free port. */
export async function startFakeRegistry(): Promise<FakeRegistry> {
  const content = new Map<string, { type: string; bytes: Uint8Array }>();
  const requests: { line: string; authorization: string | undefined }[] = [];
  let override: Parameters<FakeRegistry["answer"]>[0] = () => false;
  const server = http.createServer((request, response) => {
    requests.push({ line: `${request.method} ${request.url}`, authorization: request.headers.authorization });
    if (override(request, response) !== false) return;
    const found = content.get(request.url ?? "");
    if (found === undefined)
      return void response
        .writeHead(404, { "content-type": "application/json" })
        .end('{"errors":[{"code":"NOT_FOUND"}]}');
    response
      .writeHead(200, { "content-type": found.type, "docker-content-digest": digestOf(found.bytes) })
      .end(found.bytes);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    putManifest(repository, tag, manifest, mediaType = "application/vnd.oci.image.manifest.v1+json") {
      const bytes = Buffer.from(JSON.stringify(manifest));
      for (const name of [tag, digestOf(bytes)])
        content.set(`/v2/${repository}/manifests/${name}`, { type: mediaType, bytes });
      return digestOf(bytes);
    },
    putBlob(repository, mediaType, bytes) {
      content.set(`/v2/${repository}/blobs/${digestOf(bytes)}`, { type: "application/octet-stream", bytes });
      return { mediaType, digest: digestOf(bytes), size: bytes.length };
    },
    answer: (handler) => void (override = handler),
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}

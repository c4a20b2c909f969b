// consumes: what a plugin asks for (PluginSource)
// produces: the bytes of its module, of the digest asked for, from its file, from the cache or from its server; and
// where its signatures are
// never does: judge whether a module may be trusted or run
import { readFile, stat } from "node:fs/promises";
import { createImageFetcher, type ImageFetcherOptions } from "./acquire-image.ts";
import type { Acquired, FoundSignatures } from "./acquired-module.ts";
import { download } from "./fetch/download.ts";
import { shownUrl } from "./fetch/http-client.ts";
import { digestOf } from "./module-cache.ts";
import type { PluginSource } from "./plugin-source.ts";

export interface ModuleAcquirer {
  /**
   * Returns the module that a source asks for. `fresh`: what was fetched before will not do, whatever the pull policy.
   */
  acquire(source: PluginSource, fresh: boolean): Promise<Acquired>;
}

export type AcquirerOptions = ImageFetcherOptions;

const MAX_SIGNATURE_BYTES = 64 * 1_024;

/** Returns an acquirer; plugins that ask for the same thing at the same time share one fetch. */
export function createModuleAcquirer(options: AcquirerOptions): ModuleAcquirer {
  const images = createImageFetcher(options);
  const downloads = new Map<string, ReturnType<typeof download>>();
  return {
    async acquire(source, fresh) {
      const { location } = source;
      switch (location.kind) {
        case "unsupported":
          return { ok: false, field: location.field, message: location.reason };
        case "file":
          return fromFile(location.path, source, options);
        case "http":
          return fromServer(location.url, source, fresh, options, downloads);
        case "image":
          return images.acquire(location, source, fresh);
      }
    },
  };
}

async function fromFile(path: string, source: PluginSource, { maxBytes }: AcquirerOptions): Promise<Acquired> {
  const read = await readBounded(path, maxBytes);
  return verified(read, source, async () =>
    detached(await readBounded(`${path}.sig`, MAX_SIGNATURE_BYTES), `${path}.sig`),
  );
}

async function fromServer(
  url: string,
  source: PluginSource,
  fresh: boolean,
  options: AcquirerOptions,
  downloads: Map<string, ReturnType<typeof download>>,
): Promise<Acquired> {
  const { cache, http, maxBytes, timeoutMs } = options;
  const signatures = async () =>
    detached(
      await download(http, withSuffix(url, ".sig"), { maxBytes: MAX_SIGNATURE_BYTES, timeoutMs }),
      shownUrl(withSuffix(url, ".sig")),
    );
  // A digest says exactly which bytes are meant: who gave them does not matter.
  const known = source.sha256 === undefined ? undefined : await cache.read(digestKey(source.sha256));
  if (known !== undefined)
    return { ok: true, acquired: { module: known.module, signatures: { known: [], fetch: signatures } } };
  const before = await cache.read(urlKey(url));
  const usable =
    before !== undefined && (source.sha256 === undefined || before.module.sha256 === source.sha256)
      ? before
      : undefined;
  if (usable !== undefined && source.reuse && !fresh)
    return { ok: true, acquired: { module: usable.module, signatures: { known: [], fetch: signatures } } };
  const running =
    downloads.get(url) ?? download(http, url, { maxBytes, timeoutMs }).finally(() => downloads.delete(url));
  downloads.set(url, running);
  const fetched = verified(await running, source, signatures);
  if (fetched.ok)
    await cache.keep([urlKey(url), digestKey(fetched.acquired.module.sha256)], {
      module: fetched.acquired.module,
      signatures: [],
    });
  else if (usable !== undefined)
    return {
      ok: true,
      acquired: { module: usable.module, signatures: { known: [], fetch: signatures }, stale: fetched.message },
    };
  return fetched;
}

/** Keys of what anybody may fetch: images, which may need a credential, have others. */
const urlKey = (url: string) => `url ${url}`;
const digestKey = (sha256: string) => `sha256 ${sha256}`;

function withSuffix(url: string, suffix: string): string {
  const target = new URL(url);
  target.pathname += suffix;
  return target.href;
}

type Read = { readonly ok: true; readonly bytes: Uint8Array } | { readonly ok: false; readonly message: string };

function verified(read: Read, source: PluginSource, fetchSignatures: () => Promise<FoundSignatures>): Acquired {
  if (!read.ok) return { ok: false, field: "spec.url", message: read.message };
  const sha256 = digestOf(read.bytes);
  if (source.sha256 !== undefined && source.sha256 !== sha256) {
    return { ok: false, field: "spec.sha256", message: `the module's SHA-256 is ${sha256}, not ${source.sha256}` };
  }
  return {
    ok: true,
    acquired: { module: { sha256, bytes: read.bytes }, signatures: { known: [], fetch: fetchSignatures } },
  };
}

/** What `cosign sign-blob --output-signature` writes: base64. */
function detached(read: Read, where: string): FoundSignatures {
  if (!read.ok) return { ok: false, message: `its signature is looked for in ${where}: ${read.message}` };
  return { ok: true, signatures: [{ form: "detached", signature: Buffer.from(read.bytes).toString("utf8").trim() }] };
}

async function readBounded(path: string, maxBytes: number): Promise<Read> {
  try {
    const file = await stat(path);
    // A device or a pipe need not have an end.
    if (!file.isFile()) return { ok: false, message: `${path}: this is no regular file` };
    const { size } = file;
    if (size > maxBytes) return { ok: false, message: `${path}: larger than ${maxBytes} bytes` };
    return { ok: true, bytes: await readFile(path) };
  } catch (error) {
    return {
      ok: false,
      message:
        error instanceof Error && "code" in error && error.code === "ENOENT"
          ? `${path}: there is no such file`
          : String(error instanceof Error ? error.message : error),
    };
  }
}

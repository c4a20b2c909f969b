// consumes: what a plugin asks for (PluginSource)
// produces: the bytes of its module, of the digest asked for, from its file, from the cache or from its server; and
// where its signatures are
// never does: judge whether a module may be trusted or run
import { readFile, stat } from "node:fs/promises";
import { type Failure, failed, isFailed } from "../model/failure.ts";
import { createImageFetcher, type ImageFetcherOptions } from "./acquire-image.ts";
import type { Acquired, AcquiredModule, FoundSignatures } from "./acquired-module.ts";
import { download } from "./fetch/download.ts";
import { shownUrl } from "./fetch/http-client.ts";
import { digestOf } from "./module-cache.ts";
import { failedAt } from "./plugin-failure.ts";
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
        case "failed":
          return location;
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
  const signatures = nextTo(async () => detached(await readBounded(`${path}.sig`, MAX_SIGNATURE_BYTES), `${path}.sig`));
  return verified(read, source, signatures);
}

async function fromServer(
  url: string,
  source: PluginSource,
  fresh: boolean,
  options: AcquirerOptions,
  downloads: Map<string, ReturnType<typeof download>>,
): Promise<Acquired> {
  const { cache, http, maxBytes, timeoutMs } = options;
  const signatures = nextTo(async () =>
    detached(
      await download(http, withSuffix(url, ".sig"), { maxBytes: MAX_SIGNATURE_BYTES, timeoutMs }),
      shownUrl(withSuffix(url, ".sig")),
    ),
  );
  // A digest says exactly which bytes are meant: who gave them does not matter.
  const known = source.sha256 === undefined ? undefined : await cache.read(digestKey(source.sha256));
  if (known !== undefined) return { module: known.module, signatures };
  const before = await cache.read(urlKey(url));
  const usable =
    before !== undefined && (source.sha256 === undefined || before.module.sha256 === source.sha256)
      ? before
      : undefined;
  if (usable !== undefined && source.reuse && !fresh) return { module: usable.module, signatures };
  const running =
    downloads.get(url) ?? download(http, url, { maxBytes, timeoutMs }).finally(() => downloads.delete(url));
  downloads.set(url, running);
  const fetched = verified(await running, source, signatures);
  if (isFailed(fetched))
    return usable === undefined ? fetched : { module: usable.module, signatures, stale: fetched.message };
  const { module } = fetched;
  await cache.keep([urlKey(url), digestKey(module.sha256)], { module, signatures: [] });
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

function verified(
  bytes: Uint8Array | Failure,
  source: PluginSource,
  signatures: AcquiredModule["signatures"],
): Acquired {
  if (isFailed(bytes)) return failedAt("spec.url", bytes.code, bytes.message);
  const sha256 = digestOf(bytes);
  if (source.sha256 !== undefined && source.sha256 !== sha256) {
    const message = `the module's SHA-256 is ${sha256}, not ${source.sha256}`;
    return failedAt("spec.sha256", "digest-mismatch", message);
  }
  return { module: { sha256, bytes }, signatures };
}

/** Signatures that are looked for only when somebody asks. */
function nextTo(fetch: () => Promise<FoundSignatures>): AcquiredModule["signatures"] {
  return { known: [], fetch };
}

/** What `cosign sign-blob --output-signature` writes: base64. */
function detached(read: Uint8Array | Failure, where: string): FoundSignatures {
  if (isFailed(read)) return failed(read.code, `its signature is looked for in ${where}: ${read.message}`);
  return [{ form: "detached", signature: Buffer.from(read).toString("utf8").trim() }];
}

async function readBounded(path: string, maxBytes: number): Promise<Uint8Array | Failure> {
  try {
    const file = await stat(path);
    // A device or a pipe need not have an end.
    if (!file.isFile()) return failed("no-file", `${path}: this is no regular file`);
    const { size } = file;
    if (size > maxBytes) return failed("too-large", `${path}: larger than ${maxBytes} bytes`);
    return await readFile(path);
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "ENOENT"
      ? failed("no-file", `${path}: there is no such file`)
      : failed("unreadable", String(error instanceof Error ? error.message : error));
  }
}

// Modules from images: by tag or digest, with the plugin's own credential, through the cache.
import { type Failure, failed, isFailed } from "../model/failure.ts";
import type { HttpClient } from "./fetch/http-client.ts";
import type { Acquired, FoundSignatures } from "./acquired-module.ts";
import { type CachedModule, digestOf, type ModuleCache } from "./module-cache.ts";
import { credentialFingerprint } from "./oci/credentials.ts";
import { fetchSignatures } from "./oci/fetch-signatures.ts";
import { pullModule, resolveImage } from "./oci/pull-image.ts";
import { formatImageReference, type ImageReference } from "./oci/reference.ts";
import { createRegistryClient, type RegistryClient } from "./oci/registry-client.ts";
import { failedAt } from "./plugin-failure.ts";
import type { PluginLocation, PluginSource } from "./plugin-source.ts";

export interface ImageFetcherOptions {
  readonly cache: ModuleCache;
  readonly http: HttpClient;
  readonly maxBytes: number;
  /** For a whole fetch: manifests, module, redirects, tokens. */
  readonly timeoutMs: number;
  /** Registries spoken to without TLS, beside those of this machine. */
  readonly plainRegistries: readonly string[];
}

export type ImageLocation = Extract<PluginLocation, { kind: "image" }>;

interface Fetched {
  readonly entry: CachedModule;
  readonly stale?: string;
}

/** Returns what gets modules out of images; those who ask for the same at the same time share one fetch. */
export function createImageFetcher(options: ImageFetcherOptions): {
  acquire(location: ImageLocation, source: PluginSource, fresh: boolean): Promise<Acquired>;
} {
  const running = new Map<string, Promise<Fetched | Failure>>();
  return {
    async acquire(location, source, fresh) {
      const { reference } = location;
      const digest = reference.digest ?? (source.sha256 === undefined ? undefined : `sha256:${source.sha256}`);
      const mustFetch = fresh || !source.reuse;
      const asked = `${keyOf(reference, location)} ${digest} ${mustFetch}`;
      const fetching =
        running.get(asked) ??
        fromCacheOrRegistry(location, digest, mustFetch, options).finally(() => running.delete(asked));
      running.set(asked, fetching);
      const fetched = await fetching;
      return isFailed(fetched)
        ? failedAt("spec.url", fetched.code, fetched.message)
        : digestChecked(fetched, location, source, options);
    },
  };
}

async function fromCacheOrRegistry(
  location: ImageLocation,
  digest: string | undefined,
  mustFetch: boolean,
  options: ImageFetcherOptions,
): Promise<Fetched | Failure> {
  const { reference } = location;
  // A digest says exactly which bytes are meant; a tag may say something else tomorrow.
  const known = digest === undefined ? undefined : await options.cache.read(keyOf({ ...reference, digest }, location));
  if (known !== undefined) return { entry: known };
  const before = await options.cache.read(keyOf(reference, location));
  if (before !== undefined && !mustFetch) return { entry: before };
  const fetched = await fetchImage(location, options);
  return isFailed(fetched) && before !== undefined ? { entry: before, stale: fetched.message } : fetched;
}

/** What one may fetch depends on who one is: so does where it is kept. */
function keyOf(reference: ImageReference, { credential }: ImageLocation): string {
  return `image ${formatImageReference(reference)} ${credentialFingerprint(credential)}`;
}

function clientOf(
  { reference, credential }: ImageLocation,
  { http, plainRegistries, timeoutMs }: ImageFetcherOptions,
): RegistryClient {
  return createRegistryClient({
    http,
    image: reference,
    credential,
    plainRegistries,
    deadline: AbortSignal.timeout(timeoutMs),
    actions: "pull",
  });
}

async function fetchImage(location: ImageLocation, options: ImageFetcherOptions): Promise<Fetched | Failure> {
  const { reference } = location;
  const client = clientOf(location, options);
  const image = await resolveImage(client, reference);
  if (isFailed(image)) return failed(image.code, `${formatImageReference(reference)}: ${image.message}`);
  const pinned = (digest: string) => keyOf({ ...reference, digest }, location);
  // The tag moved back, or stands where it stood: the module need not travel again.
  const known = await options.cache.read(pinned(image.digest));
  if (known?.image !== undefined) {
    await options.cache.keep([keyOf(reference, location)], known);
    return { entry: known };
  }
  const pulled = await pullModule(client, image, options.maxBytes);
  if (isFailed(pulled)) return failed(pulled.code, `${formatImageReference(reference)}: ${pulled.message}`);
  const { bytes, layout } = pulled;
  const entry: CachedModule = {
    module: { sha256: digestOf(bytes), bytes },
    signatures: [],
    image: {
      digest: image.digest,
      manifestDigest: image.manifestDigest,
      layout,
      annotations: image.manifest.annotations,
    },
  };
  await options.cache.keep(
    [...new Set([keyOf(reference, location), pinned(image.digest), pinned(image.manifestDigest)])],
    entry,
  );
  return { entry };
}

/** For images `sha256` is the digest of the image: what its name leads to, or, under an index, the manifest taken. */
function digestChecked(
  { entry, stale }: Fetched,
  location: ImageLocation,
  source: PluginSource,
  options: ImageFetcherOptions,
): Acquired {
  const { image, module, signatures } = entry;
  const digests = [image?.digest, image?.manifestDigest];
  if (source.sha256 !== undefined && !digests.includes(`sha256:${source.sha256}`)) {
    // What is there instead of an answer of the registry is no answer to the question.
    if (stale !== undefined) return failedAt("spec.url", "not-fetched", stale);
    return failedAt(
      "spec.sha256",
      "digest-mismatch",
      `the image's digest is ${image?.digest ?? "not known"}, not sha256:${source.sha256}`,
    );
  }
  const known = { known: signatures, fetch: () => fetchKept(entry, location, options) };
  return { module, signatures: known, image, stale };
}

/** Signatures are kept with the module, so that a restart can verify without the registry. */
async function fetchKept(
  entry: CachedModule,
  location: ImageLocation,
  options: ImageFetcherOptions,
): Promise<FoundSignatures> {
  const { image } = entry;
  if (image === undefined) return [];
  const found = await fetchSignatures(clientOf(location, options), [image.digest, image.manifestDigest]);
  if (isFailed(found)) return found;
  const keys = [
    location.reference,
    { ...location.reference, digest: image.digest },
    { ...location.reference, digest: image.manifestDigest },
  ].map((reference) => keyOf(reference, location));
  if (found.length > 0) await options.cache.keep([...new Set(keys)], { ...entry, signatures: found });
  return found;
}

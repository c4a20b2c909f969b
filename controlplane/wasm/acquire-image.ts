// Modules from images: by tag or digest, with the plugin's own credential, through the cache.
import type { HttpClient } from "./fetch/http-client.ts";
import type { Acquired, AcquiredModule, FoundSignatures } from "./acquired-module.ts";
import { type CachedModule, digestOf, type ModuleCache } from "./module-cache.ts";
import { credentialFingerprint } from "./oci/credentials.ts";
import { fetchSignatures } from "./oci/fetch-signatures.ts";
import { pullModule, resolveImage } from "./oci/pull-image.ts";
import { formatImageReference, type ImageReference } from "./oci/reference.ts";
import { createRegistryClient, type RegistryClient } from "./oci/registry-client.ts";
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

type Fetched =
  | { readonly ok: true; readonly entry: CachedModule; readonly stale?: string }
  | { readonly ok: false; readonly message: string };

/** Returns what gets modules out of images; those who ask for the same at the same time share one fetch. */
export function createImageFetcher(options: ImageFetcherOptions): {
  acquire(location: ImageLocation, source: PluginSource, fresh: boolean): Promise<Acquired>;
} {
  const running = new Map<string, Promise<Fetched>>();
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
      return fetched.ok
        ? digestChecked(fetched, location, source, options)
        : { ok: false, field: "spec.url", message: fetched.message };
    },
  };
}

async function fromCacheOrRegistry(
  location: ImageLocation,
  digest: string | undefined,
  mustFetch: boolean,
  options: ImageFetcherOptions,
): Promise<Fetched> {
  const { reference } = location;
  // A digest says exactly which bytes are meant; a tag may say something else tomorrow.
  const known = digest === undefined ? undefined : await options.cache.read(keyOf({ ...reference, digest }, location));
  if (known !== undefined) return { ok: true, entry: known };
  const before = await options.cache.read(keyOf(reference, location));
  if (before !== undefined && !mustFetch) return { ok: true, entry: before };
  const fetched = await fetchImage(location, options);
  return fetched.ok || before === undefined ? fetched : { ok: true, entry: before, stale: fetched.message };
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

async function fetchImage(location: ImageLocation, options: ImageFetcherOptions): Promise<Fetched> {
  const { reference } = location;
  const client = clientOf(location, options);
  const resolved = await resolveImage(client, reference);
  if (!resolved.ok) return { ok: false, message: `${formatImageReference(reference)}: ${resolved.message}` };
  const { image } = resolved;
  const pinned = (digest: string) => keyOf({ ...reference, digest }, location);
  // The tag moved back, or stands where it stood: the module need not travel again.
  const known = await options.cache.read(pinned(image.digest));
  if (known?.image !== undefined) {
    await options.cache.keep([keyOf(reference, location)], known);
    return { ok: true, entry: known };
  }
  const pulled = await pullModule(client, image, options.maxBytes);
  if (!pulled.ok) return { ok: false, message: `${formatImageReference(reference)}: ${pulled.message}` };
  const { bytes, layout } = pulled.module;
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
  return { ok: true, entry };
}

/** For images `sha256` is the digest of the image: what its name leads to, or, under an index, the manifest taken. */
function digestChecked(
  { entry, stale }: Extract<Fetched, { ok: true }>,
  location: ImageLocation,
  source: PluginSource,
  options: ImageFetcherOptions,
): Acquired {
  const { image, module, signatures } = entry;
  const digests = [image?.digest, image?.manifestDigest];
  if (source.sha256 !== undefined && !digests.includes(`sha256:${source.sha256}`)) {
    // What is there instead of an answer of the registry is no answer to the question.
    if (stale !== undefined) return { ok: false, field: "spec.url", message: stale };
    return {
      ok: false,
      field: "spec.sha256",
      message: `the image's digest is ${image?.digest ?? "not known"}, not sha256:${source.sha256}`,
    };
  }
  const acquired: AcquiredModule = {
    module,
    signatures: { known: signatures, fetch: () => fetchKept(entry, location, options) },
    ...(image !== undefined && { image }),
    ...(stale !== undefined && { stale }),
  };
  return { ok: true, acquired };
}

/** Signatures are kept with the module, so that a restart can verify without the registry. */
async function fetchKept(
  entry: CachedModule,
  location: ImageLocation,
  options: ImageFetcherOptions,
): Promise<FoundSignatures> {
  const { image } = entry;
  if (image === undefined) return { ok: true, signatures: [] };
  const found = await fetchSignatures(clientOf(location, options), [image.digest, image.manifestDigest]);
  if (!found.ok) return found;
  const keys = [
    location.reference,
    { ...location.reference, digest: image.digest },
    { ...location.reference, digest: image.manifestDigest },
  ].map((reference) => keyOf(reference, location));
  if (found.signatures.length > 0)
    await options.cache.keep([...new Set(keys)], { ...entry, signatures: found.signatures });
  return found;
}

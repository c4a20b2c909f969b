// Names of images: `oci://registry.example.com:5000/team/filter:v1`, `…@sha256:…`.
// Grammar: https://github.com/opencontainers/distribution-spec/blob/v1.1.0/spec.md#pulling-manifests, defaults as
// Docker has them.

export interface ImageReference {
  /**
   * In small letters, with a port where one was that is not the usual: `registry.example.com:5000`; `docker.io` where
   * none was named.
   */
  readonly registry: string;
  /** `team/filter` */
  readonly repository: string;
  /** What a manifest is asked for by where no digest is given; `latest` unless named. */
  readonly tag: string;
  /** `sha256:<64 digits>`: then it alone counts. */
  readonly digest?: string | undefined;
}

const REPOSITORY = /^[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*$/;
const TAG = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/;
const REGISTRY = /^(?:\[[0-9a-fA-F:]+\]|[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?)(?::\d{1,5})?$/;

/** Returns the image that a URL `oci://…`, or a name without scheme, means; undefined when it is none. */
export function parseImageReference(url: string): ImageReference | undefined {
  const name = url.startsWith("oci://") ? url.slice("oci://".length) : url;
  const [path = "", digest, ...more] = name.split("@");
  if (more.length > 0 || (digest !== undefined && !/^sha256:[0-9a-f]{64}$/.test(digest))) return undefined;
  const slash = path.indexOf("/");
  const first = slash < 0 ? "" : path.slice(0, slash);
  // As Docker tells a registry from the first part of a repository.
  const isRegistry = /[.:[]/.test(first) || first === "localhost";
  // One registry has one name: rules of trust are held against it.
  const [rest, registry] = isRegistry ? [path.slice(slash + 1), canonicalRegistry(first)] : [path, "docker.io"];
  const [, repository = "", tag] = /^([^:]*)(?::(.*))?$/.exec(rest) ?? [];
  const whole = registry === "docker.io" && !repository.includes("/") ? `library/${repository}` : repository;
  if (
    registry === undefined ||
    !REGISTRY.test(registry) ||
    !REPOSITORY.test(whole) ||
    whole.length > 255 ||
    (tag !== undefined && !TAG.test(tag))
  )
    return undefined;
  return { registry, repository: whole, tag: tag ?? "latest", digest };
}

/** As a URL has it: in small letters, an address in its usual form however it was written. */
function canonicalRegistry(name: string): string | undefined {
  if (!REGISTRY.test(name) || !URL.canParse(`https://${name}`)) return undefined;
  const { hostname, host } = new URL(`https://${name}`);
  // Registries of this machine are spoken to without TLS: its port does not go without saying there.
  const bare = isLocalRegistry(hostname) && /:0*443$/.test(name) ? `${hostname}:443` : host;
  return ["index.docker.io", "registry-1.docker.io"].includes(bare) ? "docker.io" : bare;
}

/** Returns the reference as text that `parseImageReference` reads. */
export function formatImageReference({ registry, repository, tag, digest }: ImageReference): string {
  return `oci://${registry}/${repository}${digest === undefined ? `:${tag}` : `@${digest}`}`;
}

/**
 * Returns whether the registry is on this machine by its name alone. Such a one is spoken to without TLS, as all
 * clients do.
 */
export function isLocalRegistry(registry: string): boolean {
  const host = registry.replace(/:\d+$/, "").replace(/^\[|\]$/g, "");
  return host === "localhost" || host.endsWith(".localhost") || /^127\.\d+\.\d+\.\d+$/.test(host) || host === "::1";
}

/**
 * Returns where a registry's API is: `https://registry.example.com/v2`. `plain` names registries that are spoken to
 * without TLS.
 */
export function registryApi(registry: string, plain: readonly string[]): string {
  const scheme = isLocalRegistry(registry) || plain.includes(registry) ? "http" : "https";
  return `${scheme}://${registry === "docker.io" ? "registry-1.docker.io" : registry}/v2`;
}

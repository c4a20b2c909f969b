// Manifests and indexes of images, as far as a module needs them. Form:
// https://github.com/opencontainers/image-spec/blob/v1.1.0/manifest.md
import { type Failure, failed } from "../../model/failure.ts";
import { isJsonObject } from "../../model/json-object.ts";

export interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly annotations: Readonly<Record<string, string>>;
}

export interface ImageManifest {
  readonly kind: "manifest";
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
  readonly annotations: Readonly<Record<string, string>>;
}

export interface IndexEntry extends Descriptor {
  readonly os: string;
  readonly architecture: string;
}

export interface ImageIndex {
  readonly kind: "index";
  readonly manifests: readonly IndexEntry[];
}

export const MEDIA_TYPES = {
  ociManifest: "application/vnd.oci.image.manifest.v1+json",
  ociIndex: "application/vnd.oci.image.index.v1+json",
  dockerManifest: "application/vnd.docker.distribution.manifest.v2+json",
  dockerList: "application/vnd.docker.distribution.manifest.list.v2+json",
} as const;

export type ParsedImageManifest = ImageManifest | ImageIndex | Failure<"malformed-manifest">;

const DIGEST = /^(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$/;
const MOST_ENTRIES = 256;

/**
 * Returns the manifest or index in these bytes. What it calls itself counts less than what it holds: `layers` or
 * `manifests`.
 */
export function parseManifest(bytes: Uint8Array): ParsedImageManifest {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(bytes).toString("utf8"));
  } catch {
    return malformed("the manifest is not JSON");
  }
  if (!isJsonObject(value)) return malformed("the manifest is no JSON object");
  if (value["schemaVersion"] !== 2)
    return malformed(
      `the manifest's schema version ${JSON.stringify(value["schemaVersion"])} is not supported: ` +
        "push the image again with a newer tool",
    );
  const { layers, manifests, config } = value;
  // Both at once would be read as one thing by some and as the other by others.
  if (Array.isArray(layers) === Array.isArray(manifests))
    return malformed("the manifest must have either layers or manifests");
  if (Array.isArray(manifests)) {
    const entries = descriptors(manifests)?.map((entry, index) => ({ ...entry, ...platformOf(manifests[index]) }));
    return entries === undefined ? malformed(NO_DESCRIPTOR) : { kind: "index", manifests: entries };
  }
  const [found, own] = [descriptors(layers as unknown[]), descriptors([config])?.[0]];
  return found === undefined || own === undefined
    ? malformed(NO_DESCRIPTOR)
    : { kind: "manifest", config: own, layers: found, annotations: annotationsOf(value) };
}

const NO_DESCRIPTOR = "the manifest has a descriptor without a media type, digest (sha256, sha512) and size";

const malformed = (message: string): ParsedImageManifest => failed("malformed-manifest", message);

function descriptors(values: readonly unknown[]): readonly Descriptor[] | undefined {
  const found = values.slice(0, MOST_ENTRIES + 1).map(descriptorOf);
  return found.length <= MOST_ENTRIES && found.every((each) => each !== undefined) ? found : undefined;
}

function descriptorOf(value: unknown): Descriptor | undefined {
  if (!isJsonObject(value)) return undefined;
  const { mediaType, digest, size } = value;
  if (
    typeof mediaType !== "string" ||
    typeof digest !== "string" ||
    !DIGEST.test(digest) ||
    typeof size !== "number" ||
    !Number.isSafeInteger(size) ||
    size < 0
  )
    return undefined;
  return { mediaType, digest, size, annotations: annotationsOf(value) };
}

function annotationsOf(value: Record<string, unknown>): Readonly<Record<string, string>> {
  const { annotations } = value;
  return isJsonObject(annotations)
    ? Object.fromEntries(
        Object.entries(annotations).filter((entry): entry is [string, string] => typeof entry[1] === "string"),
      )
    : {};
}

function platformOf(value: unknown): Pick<IndexEntry, "os" | "architecture"> {
  const platform = isJsonObject(value) && isJsonObject(value["platform"]) ? value["platform"] : {};
  const { os, architecture } = platform;
  return { os: typeof os === "string" ? os : "", architecture: typeof architecture === "string" ? architecture : "" };
}

/**
 * Returns the entry of an index to take for a module. A module runs anywhere, so any platform's image will do; one that
 * is made for Wasm is preferred, then the platform that Istio takes (linux/amd64), then the first. Attestations
 * (platform unknown) are none.
 */
export function chooseEntry({ manifests }: ImageIndex): IndexEntry | undefined {
  const images = manifests.filter(({ os, architecture }) => os !== "unknown" && architecture !== "unknown");
  const wasm = images.filter(({ architecture }) => architecture.startsWith("wasm"));
  return (
    wasm.find(({ os }) => os === "wasip1" || os === "wasi") ??
    wasm[0] ??
    images.find(({ os, architecture }) => os === "linux" && architecture === "amd64") ??
    images[0]
  );
}

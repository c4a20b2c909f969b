// The ways in which images hold a module, and how the module comes out of each.
import * as zlib from "node:zlib";
import { type Failure, failed, isFailed } from "../../model/failure.ts";
import type { Descriptor, ImageManifest } from "./manifest.ts";
import { findInTar } from "./tar.ts";

/**
 * `compat`: the last layer's tar holds `plugin.wasm`; `artifact`: a layer that is the module
 * (both: https://github.com/solo-io/wasm/blob/master/spec/spec-compat.md, the two forms Istio reads).
 * `cncf`: a layer `application/wasm` (https://tag-runtime.cncf.io/wgs/wasm/deliverables/wasm-oci-artifact/).
 */
export type ImageLayout = "compat" | "artifact" | "cncf";

export const imageLayouts: readonly ImageLayout[] = ["compat", "artifact", "cncf"];

/** The file in a compat layer. */
export const MODULE_FILE = "plugin.wasm";

export const LAYER_TYPES = {
  ociTarGzip: "application/vnd.oci.image.layer.v1.tar+gzip",
  module: "application/vnd.module.wasm.content.layer.v1+wasm",
  cncf: "application/wasm",
  /** As older tools wrote it. */
  olderModule: "application/vnd.wasm.content.layer.v1+wasm",
} as const;

/** Headers and padding of an archive around a small module. */
const ARCHIVE_BYTES = 64 * 1_024;

const TAR_LAYERS: readonly string[] = [
  LAYER_TYPES.ociTarGzip,
  "application/vnd.oci.image.layer.v1.tar",
  "application/vnd.oci.image.layer.v1.tar+zstd",
  "application/vnd.docker.image.rootfs.diff.tar.gzip",
  "application/vnd.docker.image.rootfs.diff.tar.zstd",
];

type Unpack = (
  packed: Uint8Array,
  options: { readonly maxOutputLength: number },
  done: (error: Error | null, bytes: Buffer) => void,
) => void;

/** By the first bytes of what they unpack. Node knows zstd from 22.15 on. */
const PACKINGS: readonly {
  readonly name: string;
  readonly magic: readonly number[];
  readonly unpack: Unpack | undefined;
}[] = [
  { name: "gzip", magic: [0x1f, 0x8b], unpack: zlib.gunzip },
  {
    name: "zstd",
    magic: [0x28, 0xb5, 0x2f, 0xfd],
    unpack: (zlib as { readonly zstdDecompress?: Unpack }).zstdDecompress,
  },
];

export interface ModuleLayer {
  readonly layout: ImageLayout;
  readonly layer: Descriptor;
}

/** Returns the layer that holds the module. */
export function moduleLayer({ layers }: ImageManifest): ModuleLayer | Failure<"no-module"> {
  const raw = layers.filter(({ mediaType }) => layoutOfRaw(mediaType) !== undefined);
  const [only] = raw;
  if (raw.length > 1)
    return failed("no-module", `the image holds ${raw.length} modules, and which one is meant is not said`);
  if (only !== undefined) return { layout: layoutOfRaw(only.mediaType) ?? "artifact", layer: only };
  const last = layers.at(-1);
  if (last !== undefined && TAR_LAYERS.includes(last.mediaType)) return { layout: "compat", layer: last };
  const found = layers.map(({ mediaType }) => mediaType).join(", ") || "none";
  return failed(
    "no-module",
    `the image holds no Wasm module: none of its layers (${found}) is one, ` +
      "and the last is no tar archive, plain, gzip or zstd",
  );
}

function layoutOfRaw(mediaType: string): ImageLayout | undefined {
  if (mediaType === LAYER_TYPES.cncf) return "cncf";
  return mediaType === LAYER_TYPES.module || mediaType === LAYER_TYPES.olderModule ? "artifact" : undefined;
}

export type ModuleBytes = Uint8Array | Failure<"no-module" | "too-large" | "malformed-layer" | "unknown-packing">;

/**
 * Returns the module out of its layer's bytes, of at most `maxBytes`; what a layer unpacks to beside the module is
 * bounded too.
 */
export async function moduleOfLayer(layout: ImageLayout, blob: Uint8Array, maxBytes: number): Promise<ModuleBytes> {
  if (layout !== "compat") return blob.length > maxBytes ? tooLarge(maxBytes) : blob;
  const archive = await unpacked(blob, 2 * maxBytes + ARCHIVE_BYTES);
  if (isFailed(archive)) return archive;
  const file = findInTar(archive, MODULE_FILE);
  if (file === undefined) return failed("no-module", `the image's last layer holds no ${MODULE_FILE}`);
  if (isFailed(file)) return failed("malformed-layer", `the image's last layer ${file.message}`);
  // A copy: the archive around it need not be kept in memory.
  return file.length > maxBytes ? tooLarge(maxBytes) : Uint8Array.from(file);
}

function tooLarge(maxBytes: number): ModuleBytes {
  return failed("too-large", `the module is larger than ${maxBytes} bytes`);
}

function unpacked(blob: Uint8Array, maxBytes: number): Promise<ModuleBytes> {
  const packing = PACKINGS.find(({ magic }) => magic.every((byte, index) => blob[index] === byte));
  if (packing === undefined) return Promise.resolve(blob);
  const { name, unpack } = packing;
  if (unpack === undefined)
    return Promise.resolve(
      failed(
        "unknown-packing",
        `the image's last layer is packed with ${name}, which Node ${process.versions.node} cannot unpack: ` +
          "run Scrim with Node 22.15 or newer, or push the image with gzip",
      ),
    );
  return new Promise((resolve) =>
    unpack(blob, { maxOutputLength: maxBytes }, (error, bytes) => {
      if (error === null) return resolve(bytes);
      const isBomb = "code" in error && error.code === "ERR_BUFFER_TOO_LARGE";
      resolve(
        isBomb
          ? failed("too-large", `the image's last layer unpacks to more than ${maxBytes} bytes`)
          : failed("malformed-layer", `the image's last layer does not unpack (${error.message})`),
      );
    }),
  );
}

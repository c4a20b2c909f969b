// An image of a module: its manifest and blobs, made from the module's bytes alone, so that equal modules give equal
// images.
import { gzipSync } from "node:zlib";
import { MANIFEST_ANNOTATION } from "../module/plugin-manifest.ts";
import { type ImageLayout, LAYER_TYPES, MODULE_FILE } from "./layouts.ts";
import { MEDIA_TYPES } from "./manifest.ts";
import { digestIn } from "./pull-image.ts";
import { tarOfFile } from "./tar.ts";

export interface PackedBlob {
  readonly mediaType: string;
  readonly digest: string;
  readonly bytes: Uint8Array;
}

export interface PackedImage {
  readonly digest: string;
  readonly mediaType: string;
  readonly manifest: Uint8Array;
  readonly blobs: readonly PackedBlob[];
}

export interface PackOptions {
  readonly layout: ImageLayout;
  /** What the author says of the module, as JSON (plugin-manifest.ts); "" for nothing. */
  readonly manifestText?: string;
  readonly title?: string | undefined;
  readonly version?: string | undefined;
}

/** Returns the image. */
export function packImage(module: Uint8Array, { layout, manifestText = "", title, version }: PackOptions): PackedImage {
  const { config, layer } = partsOf(module, layout);
  const annotations = {
    ...(manifestText !== "" && { [MANIFEST_ANNOTATION]: manifestText }),
    ...(title !== undefined && { "org.opencontainers.image.title": title }),
    ...(version !== undefined && { "org.opencontainers.image.version": version }),
  };
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: MEDIA_TYPES.ociManifest,
      config: descriptorOf(config),
      layers: [descriptorOf(layer)],
      ...(Object.keys(annotations).length > 0 && { annotations }),
    }),
  );
  return { digest: digestIn("sha256", manifest), mediaType: MEDIA_TYPES.ociManifest, manifest, blobs: [config, layer] };
}

function partsOf(module: Uint8Array, layout: ImageLayout): { readonly config: PackedBlob; readonly layer: PackedBlob } {
  switch (layout) {
    case "compat": {
      const tar = tarOfFile(MODULE_FILE, module);
      const config = {
        architecture: "amd64",
        os: "linux",
        config: {},
        rootfs: { type: "layers", diff_ids: [digestIn("sha256", tar)] },
      };
      return {
        config: blob("application/vnd.oci.image.config.v1+json", config),
        layer: blobOf(LAYER_TYPES.ociTarGzip, gzipSync(tar, { level: 9 })),
      };
    }
    case "artifact":
      return {
        config: blob("application/vnd.module.wasm.config.v1+json", {}),
        layer: blobOf(LAYER_TYPES.module, module),
      };
    case "cncf": {
      const layer = blobOf(LAYER_TYPES.cncf, module);
      const config = {
        created: "1970-01-01T00:00:00Z",
        architecture: "wasm",
        os: "wasip1",
        layerDigests: [layer.digest],
      };
      return { config: blob("application/vnd.wasm.config.v0+json", config), layer };
    }
  }
}

const blob = (mediaType: string, value: object) => blobOf(mediaType, Buffer.from(JSON.stringify(value)));
const blobOf = (mediaType: string, bytes: Uint8Array): PackedBlob => ({
  mediaType,
  digest: digestIn("sha256", bytes),
  bytes,
});
const descriptorOf = ({ mediaType, digest, bytes }: PackedBlob) => ({ mediaType, digest, size: bytes.length });

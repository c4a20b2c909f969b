import type { Metafile } from "esbuild";

export interface BundleOptions {
  readonly entries: readonly { readonly in: string; readonly out: string }[];
  readonly outdir: string;
  /** Default: a file beside each bundle. */
  readonly sourcemap?: boolean | "inline";
  readonly splitting?: boolean;
}
export function bundle(root: string, options: BundleOptions): Promise<Metafile>;
export function bundleWhenStale(
  context: { readonly root: string; readonly begin: () => void },
  options: Omit<BundleOptions, "sourcemap">,
): Promise<boolean>;

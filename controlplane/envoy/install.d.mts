export interface LocatedEnvoy {
  readonly path: string;
  readonly version: string;
  readonly from: "ENVOY_PATH" | "PATH" | "cache";
}
export interface LocateEnvoyOptions {
  readonly envoyPath: string | undefined;
  readonly searchPath: string | undefined;
  readonly cacheDir: string;
  readonly arch: string;
  readonly report?: (line: string) => void;
  readonly fetch?: boolean;
}
export const PINNED_ENVOY: { readonly version: string; readonly sha256: Readonly<Record<string, string>> };
export const OLDEST_ENVOY: string;
export class EnvoyUnavailable extends Error {
  readonly code: string;
  constructor(code: string, message: string, options?: ErrorOptions);
}
export function parseEnvoyVersion(text: string): string | undefined;
export function isSupportedEnvoy(version: string, oldest?: string): boolean;
export function pinnedEnvoyPath(cacheDir: string): string;
export function locateEnvoy(options: LocateEnvoyOptions): Promise<LocatedEnvoy>;
export function fetchPinnedEnvoy(options: {
  cacheDir: string;
  arch: string;
  report?: (line: string) => void;
}): Promise<void>;
export function versionOf(path: string): Promise<string | undefined>;

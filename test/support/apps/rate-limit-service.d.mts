/** A request as it came: `hits_addend` absent means 1. */
export interface SeenRateLimitRequest {
  readonly domain: string;
  readonly descriptors: readonly { readonly entries?: readonly { readonly key: string; readonly value: string }[] }[];
  readonly hits_addend?: number;
}

export interface RateLimitServiceOptions {
  readonly limit: number;
  readonly unit?: "SECOND" | "MINUTE" | "HOUR";
  readonly host?: string;
  readonly port?: number;
}

/** A rate limit service with fixed windows in memory; `calls` grows with every request. */
export function startRateLimitService(
  options: RateLimitServiceOptions,
): Promise<{ readonly port: number; readonly calls: readonly SeenRateLimitRequest[]; stop(): void }>;

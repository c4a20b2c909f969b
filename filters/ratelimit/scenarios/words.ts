// What tables of limits are written in.
import type { Exchange, Scenario } from "proxy-wasm-host";

/** In milliseconds: longer than any scenario runs. */
export const HOUR = 3_600_000;

/** What is sent. */
export type Request = Omit<Exchange, "expect">;

/** A request that passes. */
export const admitted = (request: Request = {}): Exchange => ({
  ...request,
  expect: { status: 200, details: "via_upstream", headers: { "x-envoy-ratelimited": null } },
});

/** A request that a limit refuses. */
export const refused = (request: Request = {}, limit = "l"): Exchange => ({
  ...request,
  expect: {
    status: 429,
    details: `scrim_rate_limited[${limit}]`,
    body: "local_rate_limited",
    headers: { "retry-after": /^[1-9]\d*$/, "x-envoy-ratelimited": "true" },
    upstream: null,
  },
});

/** A configuration. */
export const limits = (...list: object[]): object => ({ limits: list });

/** The one limit `l` of one request an hour, changed. */
export const one = (more: object = {}): object => ({ name: "l", tokens: 1, intervalMs: HOUR, ...more });

/** A scenario of this filter. */
export const scenario = (
  name: string,
  configuration: object,
  exchanges: readonly Exchange[],
  more: Partial<Scenario> = {},
): Scenario => ({ name, module: "ratelimit", configuration, exchanges, ...more });

/** A request of these users. */
export const user = (...values: string[]): Request => ({ headers: { "x-user": values } });

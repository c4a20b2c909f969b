// From where plugins may be fetched: options of `scrim serve`, `scrim up` and `scrim plugin`.
import { LOOPBACK_RANGES, parseRange } from "../model/address-range.ts";
import { type Failure, failed } from "../model/failure.ts";
import type { OutboundProxies } from "../model/outbound-proxy.ts";

/** As commander gives them. */
export interface FetchOptions {
  readonly allowFetchFrom?: readonly string[];
  readonly plainRegistry?: readonly string[];
}

export interface FetchSettings {
  /** Ranges of addresses that plugins may come from beside public addresses. */
  readonly allowFetchFrom: readonly string[];
  /** Registries that are spoken to without TLS, beside those of this machine. */
  readonly plainRegistries: readonly string[];
  /** Proxies that lead out of this network; undefined: none. */
  readonly proxies?: OutboundProxies;
}

export type FetchSettingsResult = { readonly kind: "settings"; readonly settings: FetchSettings } | Failure<"usage">;

/** Returns what the options mean. `local`: the mesh runs on this machine, whose own addresses are then allowed. */
export function readFetchOptions(
  { allowFetchFrom = [], plainRegistry = [] }: FetchOptions,
  local: boolean,
): FetchSettingsResult {
  const wrong = allowFetchFrom.find((text) => parseRange(text) === undefined);
  if (wrong !== undefined)
    return failed("usage", `--allow-fetch-from ${wrong} is no range of addresses: write one as in 10.0.0.0/8.`);
  const noHost = plainRegistry.find((text) => !/^[A-Za-z0-9.-]+(?::\d{1,5})?$/.test(text));
  if (noHost !== undefined)
    return failed("usage", `--plain-registry ${noHost} is no registry: write HOST or HOST:PORT.`);
  const ranges = allowFetchFrom.map((text) => parseRange(text) ?? text);
  return {
    kind: "settings",
    settings: { allowFetchFrom: [...ranges, ...(local ? LOOPBACK_RANGES : [])], plainRegistries: plainRegistry },
  };
}

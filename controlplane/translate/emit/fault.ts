// Injected faults in Envoy's words.
import type { FractionalPercent, HTTPFault } from "../../../protos/build/envoy.ts";
import { durationFromMs } from "../../../protos/codec.ts";
import type { Fault } from "../ir/routes.ts";

/** The filter whose per-route configuration this is; emit/http-chain.ts places it. */
export const FAULT_FILTER = "envoy.filters.http.fault";

/** Returns the configuration of the fault filter for one route. */
export function buildFault({ delay, abort }: Fault): HTTPFault {
  return {
    ...(delay && { delay: { fixedDelay: durationFromMs(delay.ms), percentage: fractionOf(delay.percent) } }),
    ...(abort && {
      abort: {
        ...(abort.httpStatus !== undefined ? { httpStatus: abort.httpStatus } : { grpcStatus: abort.grpcStatus ?? 0 }),
        percentage: fractionOf(abort.percent),
      },
    }),
  };
}

/** Returns a percentage as a fraction, to a ten-thousandth of a percent. */
export function fractionOf(percent: number): FractionalPercent {
  return Number.isInteger(percent)
    ? { numerator: percent, denominator: "HUNDRED" }
    : { numerator: Math.round(percent * 10_000), denominator: "MILLION" };
}

// What a rate limit service decides, and what happens without its answer, as data.
import type { CalloutAnswer, Exchange, Scenario } from "proxy-wasm-host";
import { HOUR, type Request, admitted, limits, one, refused, scenario, user } from "./words.ts";

const OK = 1,
  OVER = 2;

const varint = (value: number): number[] =>
  value > 127 ? [(value & 127) | 128, ...varint(Math.floor(value / 128))] : [value];

const part = (tag: number, bytes: readonly number[]): number[] => [tag, ...varint(bytes.length), ...bytes];

/** A RateLimitResponse; `left` and `limit` (per hour) as the service's status of the one descriptor. */
export function serviceAnswer(
  code: number,
  status?: { readonly limit: number; readonly left: number; readonly resetSeconds?: number },
): CalloutAnswer & { readonly grpcMessage: Uint8Array } {
  const limit = status && part(0x12, [0x08, ...varint(status.limit), 0x10, 3]);
  const reset = status?.resetSeconds === undefined ? [] : part(0x22, [0x08, ...varint(status.resetSeconds)]);
  const statuses =
    status && limit
      ? part(0x12, [0x08, code, ...limit, ...(status.left > 0 ? [0x18, ...varint(status.left)] : []), ...reset])
      : [];
  return { grpcMessage: Uint8Array.from([0x08, code, ...statuses]) };
}

const PATH = "/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit";
const asked = { cluster: "rls", headers: { ":path": PATH } };

const shared = (failure: string, more: object = {}, global: object = {}): object =>
  limits({
    name: "l",
    key: [{ header: "x-user", as: "user" }],
    global: { cluster: "rls", domain: "shop", timeoutMs: 5000, stalenessMs: HOUR, failure, ...global },
    ...more,
  });

const refusedByService = (request: Request = {}): Exchange => ({
  ...request,
  expect: {
    status: 429,
    details: "scrim_rate_limited[l]",
    body: "rate_limited",
    headers: { "retry-after": /^[1-9]\d*$/, "x-envoy-ratelimited": "true" },
    upstream: null,
  },
});

const asking = (exchange: Exchange, count = 1): Exchange => ({
  ...exchange,
  expect: { ...exchange.expect, callouts: Array.from({ length: count }, () => asked) },
});

export const services: readonly Scenario[] = [
  scenario(
    "service: its refusal is in the limit's own words, and the limit is counted by its name",
    shared("closed", { refusal: { status: 503, headers: { "x-reason": "quota" } } }),
    [
      asking(admitted()),
      asking({
        expect: {
          status: 503,
          details: "scrim_rate_limited[l]",
          headers: { "x-reason": "quota", "retry-after": /^[1-9]\d*$/, "x-envoy-ratelimited": "true" },
          upstream: null,
        },
      }),
    ],
    {
      callouts: { rls: [serviceAnswer(OK, { limit: 10, left: 1 }), serviceAnswer(OVER)] },
      metrics: {
        "scrim_ratelimit_limit_total;limit=l;": 2,
        "scrim_ratelimit_limit_near_total;limit=l;": 1,
        "scrim_ratelimit_limit_over_total;limit=l;": 1,
        "scrim_ratelimit_limit_shadow_total;limit=l;": 0,
      },
    },
  ),
  scenario(
    "service: it decides, and its refusal counts for later requests",
    shared("closed"),
    [asking(admitted()), asking(refusedByService()), asking(refusedByService(), 0)],
    {
      callouts: { rls: [serviceAnswer(OK, { limit: 1, left: 0 }), serviceAnswer(OVER)] },
      metrics: {
        scrim_ratelimit_allowed_total: 1,
        scrim_ratelimit_denied_total: 2,
        scrim_ratelimit_global_calls_total: 2,
        scrim_ratelimit_global_failures_total: 0,
      },
    },
  ),
  scenario(
    "service: tokens are taken ahead, and not every request asks",
    shared("closed"),
    [asking(admitted()), asking(admitted()), ...Array.from({ length: 11 }, () => asking(admitted(), 0))],
    { callouts: { rls: [serviceAnswer(OK, { limit: 100, left: 99 }), serviceAnswer(OK, { limit: 100, left: 0 })] } },
  ),
  scenario(
    "service: each key is asked about",
    shared("open"),
    [
      asking(admitted(user("a"))),
      asking(refusedByService(user("b"))),
      asking(refusedByService(user("b")), 0),
      asking(admitted(user("c"))),
    ],
    { callouts: { rls: [serviceAnswer(OK), serviceAnswer(OVER), serviceAnswer(OK)] } },
  ),
  scenario(
    "service: gRPC requests get RESOURCE_EXHAUSTED",
    shared("open"),
    [
      {
        method: "POST",
        headers: { "content-type": "application/grpc" },
        expect: { status: 200, headers: { "grpc-status": "8" }, upstream: null },
      },
    ],
    { callouts: { rls: [serviceAnswer(OVER)] } },
  ),
  scenario("service: it fails, the mode is open", shared("open"), [asking(admitted()), asking(admitted(), 0)], {
    callouts: { rls: [{ grpcStatus: 14 }] },
    metrics: { scrim_ratelimit_global_failures_total: 1 },
    logged: ["ratelimit: no answer from the rate limit service about l"],
  }),
  scenario(
    "service: it fails, the mode is closed",
    shared("closed"),
    [
      {
        expect: {
          status: 503,
          details: "scrim_rate_limit_service_unavailable",
          body: "rate limit service unavailable",
          upstream: null,
        },
      },
      {
        headers: { "content-type": "application/grpc" },
        method: "POST",
        expect: { status: 200, headers: { "grpc-status": "14" }, upstream: null },
      },
    ],
    { callouts: { rls: [{ grpcStatus: 13 }] } },
  ),
  scenario(
    "service: it fails, the limit's own bucket decides",
    shared("local", { tokens: 2, intervalMs: HOUR }),
    [asking(admitted()), asking(admitted(), 0), refused(), asking(admitted(user("b")))],
    { callouts: { rls: [{ grpcStatus: 14 }] } },
  ),
  scenario("service: an answer that is none is a failure", shared("closed"), [{ expect: { status: 503 } }], {
    callouts: { rls: [{ grpcMessage: Uint8Array.of(0x12, 0x7f, 0x01) }] },
  }),
  scenario(
    "service: own limits come first, and get back what it refuses",
    limits(...(shared("closed") as { limits: object[] }).limits, one({ name: "own", tokens: 2 })),
    [
      asking(refusedByService()),
      asking(refusedByService(), 0),
      admitted(user("b")),
      admitted(user("c")),
      refused(user("d"), "own"),
    ],
    { callouts: { rls: [serviceAnswer(OVER), serviceAnswer(OK)] } },
  ),
  scenario("service: shadow never holds a request", shared("closed", { shadow: true }), [admitted(), admitted()], {
    callouts: { rls: [serviceAnswer(OVER)] },
  }),
  scenario(
    "service: its numbers are told",
    { ...shared("open"), headers: "legacy" },
    [{ expect: { status: 200, headers: { "x-ratelimit-limit": "100", "x-ratelimit-remaining": "41" } } }],
    { callouts: { rls: [serviceAnswer(OK, { limit: 100, left: 41 })] } },
  ),
];

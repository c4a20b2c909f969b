// Which requests a limit is about, and how often it was met: headers, query parameters, addresses, each turned round too.
import type { Exchange, Scenario } from "proxy-wasm-host";
import { admitted, limits, one, type Request, refused, scenario } from "./words.ts";

/** The limit of one request an hour is for these and for no others: what it is for is refused the second time. */
const about = (name: string, match: object, those: readonly Request[], others: readonly Request[]): Scenario =>
  scenario(`match: ${name}`, limits(one({ match, tokens: 1 })), [
    ...others.map(admitted),
    ...others.map(admitted),
    admitted(those[0]),
    ...those.map((request) => refused(request)),
  ]);

const header = (name: string, ...values: string[]): Request => ({ headers: { [name]: values } });
const get = (path: string): Request => ({ path });
const from = (address: string): Request => ({ peer: { address } });
const forwarded = (address: string): Request => ({ headers: { "x-forwarded-for": address } });

const matches: readonly Scenario[] = [
  about(
    "a header has one of some values, however it is sent",
    { headers: [{ name: "X-Tier", values: ["free", "trial-*"] }] },
    [
      header("x-tier", "free"),
      header("x-tier", "trial-2"),
      header("x-tier", "gold", "free"),
      header("x-tier", "gold, free"),
      header("x_tier", "free"),
    ],
    [{}, header("x-tier", "gold"), header("x-tier", ""), header("x-tiers", "free")],
  ),
  about(
    "a header is there, and it is not",
    {
      headers: [
        { name: "x-a", values: ["*"] },
        { name: "x-b", notValues: ["*"] },
      ],
    },
    [header("x-a", "1"), header("x-a", "")],
    [{}, { headers: { "x-a": "1", "x-b": "2" } }, { headers: { "x-a": "1", "x-b": "" } }],
  ),
  about(
    "a header has none of some values: one that does is not enough",
    { headers: [{ name: "x-tier", notValues: ["gold"] }] },
    [{}, header("x-tier", "free"), header("x-tier", "gold", "free")],
    [header("x-tier", "gold"), header("x-tier", "gold", "gold")],
  ),
  about(
    "a query parameter has a value, however it is written",
    { queryParameters: [{ name: "mode", values: ["deep scan", "full*"] }] },
    [
      get("/?mode=deep%20scan"),
      get("/?mode=deep+scan"),
      get("/?a=b&mode=fully"),
      get("/?mode=quick&mode=full"),
      get("/?%6dode=%66ull"),
    ],
    [get("/"), get("/?mode=quick"), get("/?modes=full"), get("/mode=full"), get("/?x=mode=full")],
  ),
  about(
    "a query parameter is there, and has none of some values",
    {
      queryParameters: [
        { name: "q", values: ["*"] },
        { name: "key", notValues: ["paid-*"] },
      ],
    },
    [get("/?q"), get("/?q=1&key=free"), get("/?q=&key=paid-1&key=free")],
    [get("/"), get("/?q=1&key=paid-1"), get("/?q=1&key=%70aid-1")],
  ),
  about(
    "the connection comes from a block, and not from a part of it",
    { ipBlocks: ["127.0.0.0/8", "::1"], notIpBlocks: ["127.0.1.0/24"] },
    [from("127.0.0.1"), from("127.0.2.7")],
    [from("127.0.1.9")],
  ),
  about(
    "the client is in none of some blocks",
    { notRemoteIpBlocks: ["10.0.0.0/8", "2001:db8::/32"] },
    [forwarded("11.0.0.1"), forwarded("2001:db9::1")],
    [forwarded("10.1.2.3"), forwarded("2001:db8::1")],
  ),
  about(
    "the client is in a block",
    { remoteIpBlocks: ["10.0.0.0/8"] },
    [forwarded("10.1.2.3")],
    [forwarded("11.0.0.1")],
  ),
  about(
    "none of some methods, paths and hosts",
    { notMethods: ["OPTIONS"], notPaths: ["/health", "/static/{**}"], notHosts: ["internal.*"] },
    [{}, { method: "POST", path: "/a" }],
    [{ method: "OPTIONS" }, get("/health"), get("/static/a/b"), { headers: { ":authority": "internal.test" } }],
  ),
];

const NAMED: Exchange[] = [admitted(), admitted(), admitted(), admitted(), refused({}, "shop/web/all")];
const stat = (what: string, limit: string): string => `scrim_ratelimit_limit_${what}total;limit=${limit};`;

const counts: readonly Scenario[] = [
  scenario(
    "each limit is counted under its name",
    limits(
      one({ name: "shop/web/all", tokens: 4 }),
      one({ name: "quiet", tokens: 2, shadow: true }),
      one({ name: "other", match: { methods: ["POST"] } }),
      one({ name: "a;b c", tokens: 100 }),
    ),
    NAMED,
    {
      metrics: {
        [stat("", "shop/web/all")]: 5,
        [stat("over_", "shop/web/all")]: 1,
        [stat("near_", "shop/web/all")]: 1,
        [stat("shadow_", "shop/web/all")]: 0,
        [stat("", "quiet")]: 4,
        [stat("over_", "quiet")]: 2,
        [stat("shadow_", "quiet")]: 2,
        [stat("", "other")]: 0,
        [stat("over_", "other")]: 0,
        [stat("", "a_b_c")]: 4,
      },
    },
  ),
  scenario(
    "a bucket of which less than a fifth is left is nearly over",
    limits(one({ tokens: 10 })),
    [...Array.from({ length: 10 }, () => admitted()), refused()],
    { metrics: { [stat("near_", "l")]: 2, [stat("over_", "l")]: 1, [stat("", "l")]: 11 } },
  ),
];

const refusals: readonly Scenario[] = [
  scenario(
    "a refusal has a status and headers of its own",
    limits(one({ refusal: { status: 503, headers: { "X-Reason": "too many of you", "cache-control": "no-store" } } })),
    [
      admitted(),
      {
        expect: {
          status: 503,
          details: "scrim_rate_limited[l]",
          body: "local_rate_limited",
          headers: {
            "x-reason": "too many of you",
            "cache-control": "no-store",
            "retry-after": /^\d+$/,
            "x-envoy-ratelimited": "true",
          },
          upstream: null,
        },
      },
    ],
  ),
  ...(
    [
      [{ match: { headers: [{ name: "a" }] } }, "limits[0].match.headers[0]: expected one of values and notValues"],
      [
        { match: { headers: [{ name: "a", values: ["1"], notValues: ["2"] }] } },
        "limits[0].match.headers[0]: expected one of values and notValues",
      ],
      [{ match: { queryParameters: [{ values: ["1"] }] } }, "limits[0].match.queryParameters[0].name: expected"],
      [{ match: { ipBlocks: ["10.0.0.0/33"] } }, "limits[0].match.ipBlocks[0]: expected an address or a block"],
      [{ match: { cookies: [] } }, "limits[0].match.cookies: unknown field"],
      [{ refusal: { status: 200 } }, "limits[0].refusal.status: expected"],
      [{ refusal: { headers: { "x y": "1" } } }, "refusal.headers.x y: is no name of a header"],
      [{ refusal: { headers: { "Content-Length": "1" } } }, "is not for a refusal to say"],
      [{ refusal: { headers: { x: "a\r\nb: c" } } }, "cannot be a header's value"],
      [{ refusal: { body: "x" } }, "limits[0].refusal.body: unknown field"],
    ] as const
  ).map(([more, reason]) =>
    scenario(`refused: ${JSON.stringify(more)}`, limits(one(more)), [], {
      refused: new RegExp(reason.replaceAll(/[[\].]/g, "\\$&")),
    }),
  ),
];

/** Scenarios of matches, counts and refusals. */
export const requests: readonly Scenario[] = [...matches, ...counts, ...refusals];

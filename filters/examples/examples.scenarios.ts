// What the examples do, as data: run in the Wasm host by examples.test.ts and on a real Envoy by
// test/e2e/filters/scenarios-on-envoy.test.ts.
import type { Scenario } from "proxy-wasm-host";

const AUTHZ = { cluster: "authz", path: "/authorize", header: "x-user" };
const CALLOUT = { cluster: "inventory", service: "test.Echo", method: "Unary", header: "x-answer" };

export const scenarios: readonly Scenario[] = [
  {
    name: "add-header",
    module: "examples/add-header",
    configuration: { name: "x-a", value: "b" },
    exchanges: [
      { expect: { status: 200, headers: { "x-a": "b" } } },
      {
        name: "replaces upstream's",
        upstream: { status: 404, headers: { "x-a": ["1", "2"] }, body: "gone" },
        expect: { status: 404, headers: { "x-a": "b" }, body: "gone" },
      },
    ],
  },
  {
    name: "json-access-log",
    module: "examples/json-access-log",
    configuration: { headers: ["user-agent", "x-absent"] },
    exchanges: [
      { path: '/a"\\b', headers: { "user-agent": "\xff\x80A" }, upstream: { status: 404 }, expect: { status: 404 } },
    ],
    logged: [
      new RegExp(
        String.raw`^\{"method":"GET","path":"/a\\"\\\\b","user-agent":"\\u00ff\\u0080A",` +
          String.raw`"x-absent":null,"status":404,"durationMs":\d+\}$`,
      ),
    ],
  },
  {
    name: "json-access-log names a mistake",
    module: "examples/json-access-log",
    configuration: '{"headers":["a",7]}',
    refused: /configuration refused: headers\[1\]: expected a string/,
    exchanges: [],
  },
  {
    name: "http-authz",
    module: "examples/http-authz",
    configuration: { ...AUTHZ, timeoutMs: 20_000 },
    callouts: { authz: [{ status: 200 }, { status: 401 }, { status: 500 }] },
    exchanges: [
      {
        name: "allowed",
        path: "/orders",
        headers: { "x-user": ["alice", "bob"] },
        expect: {
          status: 200,
          upstream: { headers: { "x-user": "alice,bob" } },
          callouts: [
            {
              cluster: "authz",
              headers: { ":path": "/authorize", "x-user": "alice,bob", "x-original-path": "/orders" },
            },
          ],
        },
      },
      {
        name: "refused",
        expect: {
          status: 403,
          body: "denied\n",
          details: "authz_denied",
          upstream: null,
          callouts: [{ headers: { "x-user": null } }],
        },
      },
      { name: "the service fails", expect: { status: 503, details: "authz_unavailable", upstream: null } },
    ],
  },
  {
    name: "http-authz without its cluster",
    module: "examples/http-authz",
    configuration: { ...AUTHZ, cluster: "no such cluster" },
    exchanges: [{ expect: { status: 503, details: "authz_unavailable", upstream: null, callouts: [] } }],
  },
  {
    name: "mask-digits",
    module: "examples/mask-digits",
    exchanges: [
      { upstream: { body: "answer 42" }, expect: { body: "answer ##" } },
      { name: "piece by piece", upstream: { body: ["card 12", "34: ok"] }, expect: { body: "card ####: ok" } },
      { name: "no body", upstream: { status: 204 }, expect: { status: 204, body: "" } },
    ],
  },
  {
    name: "grpc-callout",
    module: "examples/grpc-callout",
    configuration: { ...CALLOUT, timeoutMs: 20_000 },
    callouts: { inventory: [{ grpcMessage: "yes" }, { grpcStatus: 7, grpcText: "no" }] },
    exchanges: [
      {
        path: "/a",
        expect: {
          status: 200,
          upstream: { headers: { "x-answer": "yes" } },
          callouts: [{ cluster: "inventory", headers: { ":path": "/test.Echo/Unary" }, body: "/a" }],
        },
      },
      { path: "/b", expect: { status: 503, details: "callout_failed", upstream: null } },
    ],
    logged: ["no{via_upstream}"],
  },
  {
    name: "grpc-callout without its cluster",
    module: "examples/grpc-callout",
    configuration: { ...CALLOUT, cluster: "no such cluster" },
    exchanges: [{ expect: { status: 503, upstream: null, callouts: [] } }],
  },
  {
    name: "replace-text",
    module: "examples/replace-text",
    configuration: { find: "Istio", replace: "a longer name" },
    exchanges: [
      {
        upstream: { body: "Istio, Istio" },
        expect: { body: "a longer name, a longer name", headers: { "content-length": null } },
      },
      {
        name: "over pieces",
        upstream: { body: ["say I", "st", "io: Ist", "ill, Is"] },
        expect: { body: "say a longer name: Istill, Is" },
      },
      {
        name: "a piece that is all held",
        upstream: { body: ["Ist", "i", "c Isti", "o"] },
        expect: { body: "Istic a longer name" },
      },
      { name: "nothing to replace", upstream: { body: "\xff\x00plain" }, expect: { body: "\xff\x00plain" } },
      {
        name: "compressed",
        upstream: { headers: { "content-encoding": "gzip" }, body: "Istio" },
        expect: { body: "Istio", headers: { "content-length": "5" } },
      },
      { name: "no body", upstream: { status: 204 }, expect: { status: 204, body: "" } },
    ],
  },
  {
    name: "replace-text by nothing",
    module: "examples/replace-text",
    configuration: { find: "x", replace: "" },
    exchanges: [
      { upstream: { body: "xxaxx" }, expect: { body: "a" } },
      { name: "nothing left", upstream: { body: ["xx", "x"] }, expect: { status: 200, body: "" } },
    ],
  },
  {
    name: "replace-text names a mistake",
    module: "examples/replace-text",
    configuration: { find: "", replace: "a" },
    refused: /configuration refused: find: expected 1 to 256 bytes/,
    exchanges: [],
  },
  {
    name: "header-from-body",
    module: "examples/header-from-body",
    configuration: { field: "model", header: "x-model" },
    allowOnHeadersStopIteration: true,
    exchanges: [
      {
        name: "a body in pieces",
        method: "POST",
        body: ['{"stream": true, "mod', 'el": "large-2"}'],
        expect: {
          status: 200,
          upstream: { headers: { "x-model": "large-2" }, body: '{"stream": true, "model": "large-2"}' },
        },
      },
      {
        name: "a request without a body, which chose the header itself",
        headers: { "x-model": "free" },
        expect: { status: 200, upstream: { headers: { "x-model": null } } },
      },
      ...[
        "no JSON",
        "[1]",
        '{"model": 3}',
        '{"model": ""}',
        '{"model": "a\\r\\nx-admin: 1"}',
        `{"model": "${"a".repeat(257)}"}`,
        "{".repeat(3_000),
      ].map((body) => ({
        name: `a body from which no header can be made: ${body.slice(0, 40)}`,
        method: "POST",
        headers: { "x-model": "free" },
        body,
        expect: { status: 200, upstream: { headers: { "x-model": null, "x-admin": null }, body } },
      })),
      {
        name: "a body whose length says that it is too large",
        method: "POST",
        body: `{"model": "large-2", "text": "${"x".repeat(2_000_000)}"}`,
        expect: { status: 200, upstream: { headers: { "x-model": null } } },
      },
      {
        name: "a body that is too large to be held for this",
        method: "POST",
        body: [
          '{"model": "large-2", "text": "',
          ..."x"
            .repeat(20)
            .split("")
            .map((x) => x.repeat(60_000)),
          '"}',
        ],
        expect: { status: 200, upstream: { headers: { "x-model": null } } },
      },
    ],
  },
];

// Modules written with the Rust SDK, which know nothing of this host: run in it and on a real Envoy.
import { existsSync } from "node:fs";
import type { Scenario } from "proxy-wasm-host";
import { modulePath } from "../../../filters/module-path.ts";

/** Why these scenarios are left out; undefined where the set-up could build the modules. */
export function missing(): string | undefined {
  return existsSync(modulePath("rust/stamp"))
    ? undefined
    : "no Rust toolchain with the target wasm32-wasip1 (see the set-up's message)";
}

export const scenarios: readonly Scenario[] = [
  {
    name: "rust stamp",
    module: "rust/stamp",
    configuration: "x-stamp=from Rust",
    exchanges: [
      {
        path: "/first",
        expect: { status: 200, headers: { "x-stamp": "from Rust" }, upstream: { headers: { "x-stamped": "yes" } } },
      },
      {
        path: "/second",
        upstream: { status: 404, headers: { "x-stamp": ["a", "b"] } },
        expect: { status: 404, headers: { "x-stamp": "from Rust" } },
      },
    ],
    logged: ["stamp: /first", "stamp: /second"],
  },
  {
    name: "rust stamp refuses",
    module: "rust/stamp",
    configuration: "nonsense",
    refused: /stamp: expected name=value/,
    exchanges: [],
  },
  {
    name: "rust gatekeeper",
    module: "rust/gatekeeper",
    configuration: "gate",
    callouts: { gate: [{ status: 200 }, { status: 401, body: "not you" }] },
    exchanges: [
      {
        path: "/a",
        expect: { status: 200, callouts: [{ cluster: "gate", headers: { ":path": "/ask", "x-path": "/a" } }] },
      },
      { path: "/b", expect: { status: 403, body: "not you", headers: { "x-asked": "gate" }, upstream: null } },
    ],
    logged: ["answer: some headers, status 200", "answer: some headers, status 401"],
  },
  {
    name: "rust gatekeeper without its cluster",
    module: "rust/gatekeeper",
    configuration: "no such gate",
    exchanges: [{ expect: { status: 503, body: "nobody to ask\n", callouts: [] } }],
  },
  {
    name: "rust ledger",
    module: "rust/ledger",
    exchanges: [
      {
        method: "POST",
        body: ["he", "llo ", "you"],
        expect: { status: 200, headers: { "x-ledger": "9", "x-letters": "7" }, upstream: { body: "HELLO YOU" } },
      },
      {
        method: "POST",
        body: "more",
        expect: { status: 200, headers: { "x-ledger": "13" }, upstream: { body: "MORE" } },
      },
      { expect: { status: 200, headers: { "x-letters": "0" } } },
    ],
  },
];

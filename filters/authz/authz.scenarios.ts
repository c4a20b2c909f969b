// What policies decide, as data: run in the Wasm host, on a real Envoy, and by Envoy's own RBAC
// (test/e2e/security/engines.test.ts), which must decide alike.
import type { Exchange, Scenario } from "proxy-wasm-host";
import { conditions } from "./scenarios/conditions.ts";
import { operations } from "./scenarios/operations.ts";
import { sources } from "./scenarios/sources.ts";
import type { Field } from "./scenarios/words.ts";

const NONE = /^rbac_access_denied_matched_policy\[none\]/;

function scenarioOf(field: Field, action: "ALLOW" | "DENY"): Scenario {
  const exchanges = field.cases.map(([request, letsIn, keepsOut = letsIn]): Exchange => {
    const allowed = action === "ALLOW" ? letsIn : !keepsOut;
    return {
      ...request,
      expect: allowed
        ? { status: 200 }
        : {
            status: 403,
            body: "RBAC: access denied",
            details: action === "ALLOW" ? NONE : "rbac_access_denied_matched_policy[n/p[0]]",
            upstream: null,
          },
    };
  });
  return {
    name: `${action} ${field.name}${field.wasmOnly === action ? WASM_ONLY : ""}`,
    module: "authz",
    vmId: "authz",
    peerAddressStates: ["scrim.peer_address"],
    exchanges,
    configuration: { policies: [{ name: "n/p", action, rules: [field.rule] }] },
  };
}

/** Ends the names of scenarios that Envoy's own RBAC cannot be asked. */
export const WASM_ONLY = " (Wasm only)";

const several: readonly Scenario[] = [
  {
    name: "DENY before ALLOW, alternatives and conjunctions",
    module: "authz",
    vmId: "authz",
    peerAddressStates: ["scrim.peer_address"],
    configuration: {
      policies: [
        {
          name: "n/allow",
          action: "ALLOW",
          rules: [
            { to: [{ paths: ["/a"] }, { paths: ["/b"], methods: ["PUT"] }] },
            {
              to: [{ paths: ["/c"] }],
              when: [
                { key: "request.headers[x]", values: ["1"] },
                { key: "request.headers[y]", values: ["2"] },
              ],
            },
          ],
        },
        {
          name: "n/deny",
          action: "DENY",
          rules: [
            { to: [{ paths: ["/d"] }] },
            { to: [{ paths: ["/a"] }], when: [{ key: "request.headers[z]", values: ["3"] }] },
          ],
        },
      ],
    },
    exchanges: [
      { path: "/a", expect: { status: 200 } },
      { path: "/b", expect: { status: 403, details: NONE } },
      { path: "/b", method: "PUT", expect: { status: 200 } },
      { path: "/c", headers: { x: "1" }, expect: { status: 403, details: NONE } },
      { path: "/c", headers: { x: "1", y: "2" }, expect: { status: 200 } },
      {
        path: "/a",
        headers: { z: "3" },
        expect: { status: 403, details: "rbac_access_denied_matched_policy[n/deny[1]]" },
      },
      { path: "/d", expect: { status: 403, details: "rbac_access_denied_matched_policy[n/deny[0]]" } },
    ],
  },
  {
    name: "an ALLOW policy without rules",
    module: "authz",
    vmId: "authz",
    configuration: { policies: [{ name: "n/p", action: "ALLOW", rules: [] }] },
    exchanges: [{ expect: { status: 403, details: NONE } }],
  },
  {
    name: "a DENY policy without rules, an empty rule on trial, an AUDIT",
    module: "authz",
    vmId: "authz",
    configuration: {
      policies: [
        { name: "n/d", action: "DENY", rules: [] },
        { name: "n/t", action: "DENY", dryRun: true, rules: [{}] },
        { name: "n/w", action: "AUDIT", rules: [{}] },
      ],
    },
    exchanges: [{ expect: { status: 200 } }],
  },
];

export const scenarios: readonly Scenario[] = [
  ...[...sources, ...operations, ...conditions].flatMap((field) => [
    scenarioOf(field, "ALLOW"),
    scenarioOf(field, "DENY"),
  ]),
  ...several,
];

// WasmPlugin: a filter module of the user's own.
// Field facts: https://istio.io/latest/docs/reference/config/proxy_extensions/wasm-plugin/
import {
  anyText,
  choice,
  fields,
  integer,
  listOf,
  matchLabelsSelector,
  opt,
  policyTargets,
  port,
  type SpecFrom,
  struct,
  text,
} from "../schema.ts";

const environmentVariable = fields({ name: text(), value: opt(anyText()), valueFrom: opt(choice(["INLINE", "HOST"])) });

/**
 * Which traffic passes a plugin: by direction as the workload sees it (CLIENT is outbound, and a gateway's), and by
 * port.
 */
const trafficSelector = fields({
  mode: opt(choice(["UNDEFINED", "CLIENT", "SERVER", "CLIENT_AND_SERVER"])),
  ports: opt(listOf(fields({ number: port() }), 1)),
});

/** The schema of a WasmPlugin's spec. */
export const wasmPluginSchema = fields(
  {
    selector: opt(matchLabelsSelector),
    url: text(),
    sha256: opt(text()),
    imagePullPolicy: opt(choice(["UNSPECIFIED_POLICY", "IfNotPresent", "Always"])),
    imagePullSecret: opt(text()),
    verificationKey: opt(text()),
    match: opt(listOf(trafficSelector)),
    pluginConfig: opt(struct()),
    pluginName: opt(text()),
    phase: opt(choice(["UNSPECIFIED_PHASE", "AUTHN", "AUTHZ", "STATS"])),
    failStrategy: opt(choice(["FAIL_CLOSE", "FAIL_OPEN", "FAIL_RELOAD"])),
    priority: opt(integer(-2_147_483_648, 2_147_483_647)),
    vmConfig: opt(fields({ env: opt(listOf(environmentVariable)) })),
    type: opt(choice(["UNSPECIFIED_PLUGIN_TYPE", "HTTP", "NETWORK"])),
    ...policyTargets,
  },
  { atMostOneOf: ["selector", "targetRefs", "targetRef"] },
);

export type WasmPluginSpec = SpecFrom<typeof wasmPluginSchema>;
export type TrafficSelectorSpec = SpecFrom<typeof trafficSelector>;

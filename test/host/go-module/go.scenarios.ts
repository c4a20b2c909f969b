// A module that Go itself compiled with the Go SDK: run in the host and on a real Envoy.
import { existsSync } from "node:fs";
import type { Scenario } from "proxy-wasm-host";
import { modulePath } from "../../../filters/module-path.ts";

/** Why these scenarios are left out; undefined where the set-up could build the module. */
export function missing(): string | undefined {
  return existsSync(modulePath("go/greeter"))
    ? undefined
    : "no Go, or none that compiles for wasip1 (see the set-up's message)";
}

export const scenarios: readonly Scenario[] = [
  {
    name: "go greeter",
    module: "go/greeter",
    configuration: "hello",
    environmentVariables: { SUFFIX: ", world", OTHER: "x" },
    exchanges: [
      { expect: { status: 200, headers: { "x-go": "hello, world" } } },
      {
        path: "/closed",
        expect: { status: 403, body: "closed\n", headers: { "x-go": "hello, world" }, upstream: null },
      },
    ],
    metrics: { go_requests: 2 },
  },
  {
    name: "go greeter without a configuration",
    module: "go/greeter",
    exchanges: [{ expect: { status: 200, headers: { "x-go": "" } } }],
  },
];

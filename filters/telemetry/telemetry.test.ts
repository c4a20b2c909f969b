import { readFileSync } from "node:fs";
import { createHost } from "proxy-wasm-host";
import { expect, it } from "vitest";
it("x", () => {
  const host = createHost({ module: readFileSync("filters/build/telemetry.wasm"), configuration: JSON.stringify({ reporter: "source" }),
   attributes: { node: { id: "n", metadata: { NAME: "p", NAMESPACE: "default", WORKLOAD_NAME: "w", LABELS: { app: "a" } } }, response: { code: 200 } } });
  host.run({ headers: { ":path": "/" } });
  console.log(host.metrics.names("counter"));
});

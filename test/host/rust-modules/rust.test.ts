import { readFileSync } from "node:fs";
import { createHost, createHostRunner, scenarioProblems, Status } from "proxy-wasm-host";
import { describe, expect, it } from "vitest";
import { modulePath } from "../../../filters/module-path.ts";
import { missing, scenarios } from "./rust.scenarios.ts";

const reason = missing();
const module = (name: string): Uint8Array => readFileSync(modulePath(`rust/${name}`));

describe.skipIf(reason !== undefined)(
  `modules of the Rust SDK${reason === undefined ? "" : `, left out: ${reason}`}`,
  () => {
    const runner = createHostRunner(modulePath);
    it.each(scenarios.map((scenario) => [scenario.name, scenario] as const))("%s", async (_name, scenario) => {
      expect(scenarioProblems(scenario, await runner.run(scenario))).toEqual([]);
    });

    it("tick on virtual time, and share data between workers", () => {
      const host = createHost({ module: module("ledger"), workers: 2 });
      for (const worker of [0, 1]) {
        const stream = host.newStream({ headers: { ":method": "POST" }, worker });
        stream.sendRequestHeaders({ endOfStream: false });
        stream.sendRequestBody("12345");
        stream.sendResponseHeaders();
        expect(stream.responseHeaders?.get("x-ledger")).toBe(String(5 * (worker + 1)));
        stream.end();
      }
      host.advance(1000);
      expect(host.logged("info")).toEqual([
        "ledger: 10 bytes after 1 ticks",
        "ledger: 10 bytes after 1 ticks",
        "ledger: 10 bytes after 2 ticks",
        "ledger: 10 bytes after 2 ticks",
      ]);
      expect(() => host.verify()).not.toThrow();
    });

    it("die with their panic's message on a status that their SDK does not expect", () => {
      const host = createHost({
        module: module("ledger"),
        intercept: (call) => (call.name === "proxy_get_shared_data" ? Status.InternalFailure : undefined),
      });
      expect(host.run().reply).toMatchObject({ status: 503, isFailure: true });
      expect(host.failure()?.callback).toBe("proxy_on_response_headers");
      expect(host.logs.map((entry) => entry.message).join("\n")).toContain("panicked");
    });
  },
);

import http from "node:http";
import { createHost } from "proxy-wasm-host";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { buildFixture } from "../../../filters/sdk/testing/build.ts";
import { type CalloutsEnvoy, startCalloutsEnvoy } from "./callouts-envoy.ts";
import { freePort } from "../../support/ports.ts";

// FAIL_RELOAD: a worker whose VM trapped gets a new one, on a real Envoy and in the Wasm host.

let envoy: CalloutsEnvoy;
let probe: Uint8Array;

beforeAll(async () => {
  probe = await buildFixture("probe");
  const nobody = await freePort();
  envoy = await startCalloutsEnvoy({
    http: probe,
    network: await buildFixture("connection"),
    failurePolicy: "FAIL_RELOAD",
    http2Port: nobody,
    tcpPort: nobody,
  });
});
afterAll(() => envoy?.stop());

function status(mode: string): Promise<number> {
  return new Promise((resolve, reject) => {
    http
      .get({ host: "127.0.0.1", port: envoy.httpPort, headers: { "x-mode": mode }, agent: false }, (response) => {
        response.resume().on("end", () => resolve(response.statusCode ?? 0));
      })
      .on("error", reject);
  });
}

describe("a filter that traps under FAIL_RELOAD", () => {
  it("answers 503 for that request, and serves again with a new VM, each time", async () => {
    const host = createHost({ module: probe, configuration: "{}", failurePolicy: "reload", vmId: "http-vm" });
    for (let round = 0; round < 2; round++) {
      expect(await status("probe")).toBe(418);
      expect(await status("trap")).toBe(503);
      let real = 503;
      for (let i = 0; i < 150 && real === 503; i++) {
        await new Promise((resolve) => setTimeout(resolve, 100));
        real = await status("probe");
      }
      expect(real).toBe(418);

      expect(host.run({ headers: { "x-mode": "probe" } }).reply?.status).toBe(418);
      expect(host.run({ headers: { "x-mode": "trap" } }).reply?.status).toBe(503);
      expect(host.run({ headers: { "x-mode": "probe" } }).reply?.status).toBe(503);
      host.advance(1000);
      expect(host.run({ headers: { "x-mode": "probe" } }).reply?.status).toBe(418);
    }
  });
});

import { expect, it } from "vitest";
import { createApiClient } from "../kubernetes/http-api-client.ts";
import { accessTo, startTestApiServer } from "../kubernetes/testing-api-server.ts";
import { createSystemClock } from "../telemetry/clock.ts";
import { readReport, writeReport } from "./reach-report.ts";

it("what one control plane reports another reads, and it goes with its pod", async () => {
  const server = await startTestApiServer();
  const api = createApiClient({
    access: accessTo(server),
    clock: createSystemClock(),
  });
  const { signal } = new AbortController();
  const deps = { api, namespace: "istio-system" };
  const report = new Map([
    ["shop/web-1", ""],
    ["shop/web-2", "has not acknowledged rds"],
    ["default/api", ""],
  ]);
  expect(await readReport(deps, "istiod-1", signal)).toBeUndefined();
  expect(await writeReport(deps, { name: "istiod-1", uid: "u1" }, report, signal)).toBe(true);
  expect(await readReport(deps, "istiod-1", signal)).toEqual(report);
  const lease = server.stored.get("coordination.k8s.io/v1/leases", "istio-system/istiod-1-reach");
  expect(lease?.metadata["ownerReferences"]).toMatchObject([{ kind: "Pod", name: "istiod-1", uid: "u1" }]);
  const many = new Map(Array.from({ length: 20_000 }, (_, index) => [`shop/web-${index}`, ""]));
  expect(await writeReport(deps, { name: "istiod-1", uid: "u1" }, many, signal)).toBe(false);
  api.close();
  await server.stop();
});

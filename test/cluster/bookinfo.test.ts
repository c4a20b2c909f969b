// The demo as a cluster's users see it: the scenarios of the laptop, and what only a cluster has.
import { beforeAll, describe, expect, it } from "vitest";
import { type Bookinfo, bookinfoScenarios } from "../support/bookinfo-scenarios.ts";
import { startBookinfo } from "./support/bookinfo.ts";
import { inCluster, kubectl } from "./support/kubectl.ts";
import { clusterMissing } from "./support/missing.ts";

const missing = clusterMissing();

describe.skipIf(missing !== undefined)(`bookinfo on a cluster${missing ? ` (left out: ${missing})` : ""}`, () => {
  let mesh: Bookinfo;
  beforeAll(async () => {
    mesh = await startBookinfo();
  });

  bookinfoScenarios(() => mesh);

  it("refuses who comes without a certificate of the mesh", async () => {
    const ip = await kubectl(["get", "pod", "-l", "app=ratings", "-o", "jsonpath={.items[0].status.podIP}"]);
    const { code, stdout } = await inCluster(["curl", "-s", "-m", "5", `http://${ip}:9080/ratings/0`]);
    expect([code === 0, stdout]).toEqual([false, ""]);
  });
});

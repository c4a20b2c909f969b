// `scrim install` on an empty cluster, and what people see of the control plane with kubectl.
import { describe, expect, inject, it } from "vitest";
import { inCluster, kubectl } from "./support/kubectl.ts";
import { runScrim } from "./support/bookinfo.ts";
import { clusterMissing } from "./support/missing.ts";

const missing = clusterMissing();

describe.skipIf(missing !== undefined)(`an installation${missing ? ` (left out: ${missing})` : ""}`, () => {
  it("was made step by step, and is ready", async () => {
    expect(inject("installed")).toContain("Installed, and ready.");
    expect(await runScrim("verify-install")).not.toMatch(/missing|different|not ready/);
  });

  it("removes nothing that Kubernetes made for it", () => {
    expect(inject("installed")).not.toContain("Removed");
  });

  it("has a control plane of few rights: it may read no Secret of applications", async () => {
    const who = "--as=system:serviceaccount:istio-system:istiod";
    const may = async (...what: string[]) =>
      (await inCluster(["kubectl", "auth", "can-i", ...what, who])).stdout.trim();
    expect(await may("list", "virtualservices.networking.istio.io", "-A")).toBe("yes");
    expect(await may("get", "secrets", "-n", "default")).toBe("no");
    expect(await may("create", "pods", "-n", "default")).toBe("no");
  });

  it("refuses an object that is not valid with what is wrong, where", async () => {
    const wrong = {
      ...{
        apiVersion: "networking.istio.io/v1",
        kind: "VirtualService",
        metadata: { name: "wrong", namespace: "default" },
      },
      spec: {
        hosts: ["wrong"],
        http: [
          {
            route: [
              { destination: { host: "a" }, weight: 80 },
              { destination: { host: "b" }, weight: -1 },
            ],
          },
        ],
      },
    };
    const { code, stderr } = await inCluster(["kubectl", "apply", "-f", "-"], JSON.stringify(wrong));
    expect(code).not.toBe(0);
    expect(stderr).toMatch(/weight/);
    expect(await kubectl(["get", "virtualservices", "-A", "-o", "name"])).not.toContain("wrong");
  });
});

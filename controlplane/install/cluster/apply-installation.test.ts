import { describe, expect, it } from "vitest";
import { isFailed } from "../../model/failure.ts";
import type { KubernetesObject } from "../description/render.ts";
import { describeInstallation, type Installation } from "../installation.ts";
import { applyInstallation } from "./apply-installation.ts";
import type { Cluster, LiveObject } from "./cluster.ts";
import { nameOf, pathOf } from "./resource-kinds.ts";

function installation(values = {}): Installation {
  const described = describeInstallation({ profile: "minimal", ...values }, "istio-system");
  if (isFailed(described)) throw new Error(described.message);
  return described;
}

/** A cluster in which what is applied becomes ready when `settle` says so. */
function fakeCluster(settle: (object: KubernetesObject) => object) {
  const objects = new Map<string, LiveObject>();
  const log: string[] = [];
  const cluster: Cluster = {
    get: (path) => Promise.resolve(objects.get(path)),
    list(path) {
      const inside = `/${path.split("/").at(-1)}/`;
      return Promise.resolve([...objects].filter(([at]) => at.includes(inside)).map(([, object]) => object));
    },
    apply(object) {
      log.push(`apply ${nameOf(object)}`);
      const live = { ...object, ...settle(object) } as LiveObject;
      objects.set(pathOf(object), live);
      return Promise.resolve(live);
    },
    remove(path) {
      log.push(`remove ${path}`);
      return Promise.resolve(objects.delete(path));
    },
    ask: () => Promise.resolve({}),
  };
  return { cluster, objects, log };
}

const ready = (object: KubernetesObject): object => {
  if (object.kind === "CustomResourceDefinition")
    return { status: { conditions: [{ type: "Established", status: "True" }] } };
  if (object.kind === "Deployment") return { status: { replicas: 2, updatedReplicas: 2, availableReplicas: 2 } };
  if (object.kind !== "MutatingWebhookConfiguration") return {};
  const webhooks = object["webhooks"] as readonly { clientConfig: object }[];
  return { webhooks: webhooks.map((one) => ({ ...one, clientConfig: { ...one.clientConfig, caBundle: "x" } })) };
};

function clock() {
  let nowMs = 0;
  return { monotonicMs: () => nowMs, sleep: (ms: number) => Promise.resolve(void (nowMs += ms)) };
}

describe("applying an installation", () => {
  it("lets nothing ask a control plane that does not run yet", async () => {
    const { cluster, log } = fakeCluster(ready);
    const lines: string[] = [];
    await applyInstallation(installation(), {
      cluster,
      clock: clock(),
      timeoutMs: 60_000,
      report: (line) => lines.push(line),
    });
    const at = (name: string) => log.indexOf(`apply ${name}`);
    expect(at("Namespace istio-system")).toBe(0);
    expect(at("Deployment istio-system/istiod")).toBeGreaterThan(at("ServiceAccount istio-system/istiod"));
    expect(at("MutatingWebhookConfiguration istio-sidecar-injector")).toBeGreaterThan(
      at("Deployment istio-system/istiod"),
    );
    expect(lines.at(-1)).toBe("Webhooks: 2 objects applied");
  });

  it("says what is waited for, and stops before the webhooks when the time is over", async () => {
    const { cluster, log } = fakeCluster((object) => (object.kind === "Deployment" ? {} : ready(object)));
    const lines: string[] = [];
    const applied = applyInstallation(installation(), {
      ...{ cluster, clock: clock(), timeoutMs: 60_000 },
      report: (line) => lines.push(line),
    });
    await expect(applied).rejects.toThrow(
      "Control plane: not ready in time.\n  Deployment istio-system/istiod has 0 of 2 pods ready",
    );
    expect(lines).toContain("  waiting: Deployment istio-system/istiod has 0 of 2 pods ready");
    expect(log.filter((line) => line.includes("Webhook"))).toEqual([]);
  });

  it("does not wait for a certificate that another cluster's control plane has", async () => {
    const { cluster, log } = fakeCluster((object) =>
      object.kind === "MutatingWebhookConfiguration" ? {} : ready(object),
    );
    const values = { profile: "remote", global: { remotePilotAddress: "192.0.2.1" } };
    const context = { cluster, clock: clock(), timeoutMs: 60_000, report: () => undefined };
    await applyInstallation(installation(values), context);
    expect(log).toContain("apply MutatingWebhookConfiguration istio-sidecar-injector");
  });

  it("leaves what is Helm's alone", async () => {
    const { cluster, objects } = fakeCluster(ready);
    const service = installation()
      .steps.flatMap((step) => step.objects)
      .find(({ kind }) => kind === "Service");
    if (service === undefined) throw new Error("no Service");
    const annotations = { "meta.helm.sh/release-name": "mesh" };
    objects.set(pathOf(service), { ...service, metadata: { ...service.metadata, annotations } });
    const context = { cluster, clock: clock(), timeoutMs: 1, report: () => undefined };
    await expect(applyInstallation(installation(), context)).rejects.toThrow(
      "Service istio-system/istiod belongs to Helm's release mesh",
    );
  });

  it("removes what an older one of the same name made", async () => {
    const { cluster, log } = fakeCluster(ready);
    const context = { cluster, clock: clock(), timeoutMs: 60_000, report: () => undefined };
    await applyInstallation(installation({ networkPolicy: { enabled: true } }), context);
    await applyInstallation(installation({ networkPolicy: { enabled: false } }), context);
    expect(log.filter((line) => line.startsWith("remove"))).toEqual([
      "remove /apis/networking.k8s.io/v1/namespaces/istio-system/networkpolicies/istiod",
    ]);
  });
});

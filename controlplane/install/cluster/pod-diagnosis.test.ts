import { expect, it } from "vitest";
import { diagnosePods } from "./pod-diagnosis.ts";
import { clusterWith } from "./testing-cluster.ts";

const IMAGE = "nowhere/controlplane:1";
const CAUSE = `failed to resolve reference "${IMAGE}": not found`;
const deployment = {
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name: "istiod", namespace: "istio-system" },
  spec: { selector: { matchLabels: { app: "istiod" } } },
};

/** The pod that waits so, and what the kubelet warns of. */
function linesOf(waiting: object, warnings: readonly (readonly [reason: string, message: string])[]) {
  const metadata = { name: "istiod-1", namespace: "istio-system" };
  const pod = { metadata, status: { containerStatuses: [{ name: "discovery", state: { waiting } }] } };
  const events = warnings.map(([reason, message], index) => [
    `/api/v1/namespaces/istio-system/events/${index}`,
    { metadata: { name: String(index) }, involvedObject: { name: "istiod-1" }, reason, message },
  ]);
  const { cluster } = clusterWith({
    "/api/v1/namespaces/istio-system/pods/istiod-1": pod,
    ...Object.fromEntries(events),
  });
  return diagnosePods(cluster, deployment);
}

const OF_IMAGE = [
  ["Failed", `Failed to pull image "${IMAGE}": ${CAUSE}`],
  ["Failed", "Error: ErrImagePull"],
  ["Failed", "Error: ImagePullBackOff"],
  ["BackOff", `Back-off pulling image "${IMAGE}"`],
] as const;

it("tells once, and in the same words for as long as it lasts, that there is no image", async () => {
  const once = [`pod istiod-1, container discovery: ErrImagePull: ${CAUSE}`];
  expect(await linesOf({ reason: "ErrImagePull", message: CAUSE }, OF_IMAGE)).toEqual(once);
  const message = `Back-off pulling image "${IMAGE}": ErrImagePull: ${CAUSE}`;
  expect(await linesOf({ reason: "ImagePullBackOff", message }, OF_IMAGE)).toEqual(once);
});

it("tells the cause by what the kubelet warned of where the pod does not say it", async () => {
  const message = `Back-off pulling image "${IMAGE}"`;
  expect(await linesOf({ reason: "ImagePullBackOff", message }, OF_IMAGE)).toEqual([
    `pod istiod-1, container discovery: ImagePullBackOff: ${message}`,
    `Failed: Failed to pull image "${IMAGE}": ${CAUSE}`,
  ]);
});

it("tells what else is warned of", async () => {
  const mount = ["FailedMount", 'configmap "istio" not found'] as const;
  expect(await linesOf({ reason: "ContainerCreating" }, [mount, mount])).toEqual([
    'FailedMount: configmap "istio" not found',
  ]);
});

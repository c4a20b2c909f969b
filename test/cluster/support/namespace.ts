// Namespaces of tests: with a label that injects, gone with the test.
import { apply, kubectl } from "./kubectl.ts";

/** Makes a namespace whose pods are injected; resolves when pods may be made in it. */
export async function createNamespace(name: string, labels: object = { "istio-injection": "enabled" }): Promise<void> {
  await apply({ apiVersion: "v1", kind: "Namespace", metadata: { name, labels } });
  // Until the controllers have made it no pod is taken.
  await kubectl(["-n", name, "wait", "--for=create", "serviceaccount/default", "--timeout=30s"]);
}

/** Removes it, without waiting for the end of its pods. */
export async function deleteNamespace(name: string): Promise<void> {
  await kubectl(["delete", "namespace", name, "--wait=false"]);
}

/** A container of the image of tools (Node, curl, a shell); with a script for Node, or none: it sleeps. */
export function toolsContainer(name: string, script?: string, rest: object = {}): object {
  return {
    name,
    image: "localhost/tools:1",
    ...(script !== undefined && { command: ["node", "-e", script] }),
    ...rest,
  };
}

/** A pod of these containers. */
export function podOf(namespace: string, name: string, containers: readonly object[], rest: object = {}): object {
  const spec = { terminationGracePeriodSeconds: 2, containers, ...rest };
  return { apiVersion: "v1", kind: "Pod", metadata: { name, namespace, labels: { app: name } }, spec };
}

/** Resolves when a pod is ready. */
export async function untilReady(namespace: string, pod: string): Promise<void> {
  await kubectl(["-n", namespace, "wait", "--for=condition=Ready", `pod/${pod}`, "--timeout=60s"]);
}

// A mesh on a cluster: its control plane's replicas and its proxies' Envoys are asked at their pods' loopback, through
// the API server.
import { openAccess } from "../../kubernetes/access.ts";
import type { Access } from "../../kubernetes/credentials.ts";
import { createApiClient } from "../../kubernetes/http-api-client.ts";
import { forwardTo, type PodPort } from "../../kubernetes/port-forward.ts";
import { resourcePath } from "../../kubernetes/resource-path.ts";
import { type HttpAnswer, httpCall } from "../../local/http-call.ts";
import type { ClusterAccess } from "../../settings/cluster-access.ts";
import { createSystemClock } from "../../telemetry/clock.ts";
import { commandFailure } from "../exit-codes.ts";
import { asList, at } from "../proxy-config/dump.ts";
import type { AdminCall, AskedMesh } from "./asked-mesh.ts";
import { ANSWER_WITHIN_MS } from "./local-mesh.ts";

const ADMIN_PORT = 15_014;
const ENVOY_PORT = 15_000;

export interface ClusterMeshOptions {
  readonly istioNamespace: string;
  readonly revision: string | undefined;
  readonly namespace: string | undefined;
}

/** Returns the mesh whose control plane runs in a namespace of the cluster. Throws CommandFailure where there is none. */
export async function openClusterMesh(
  settings: ClusterAccess,
  { istioNamespace, revision, namespace }: ClusterMeshOptions,
): Promise<AskedMesh> {
  const access = await openAccess(settings);
  if ("kind" in access) throw commandFailure("unreachable", `${access.message}.`);
  const selector = ["app=istiod", ...(revision === undefined ? [] : [`istio.io/rev=${revision}`])].join(",");
  const pods = await runningPods(access, istioNamespace, selector);
  const where = `namespace ${istioNamespace}`;
  if (pods.length === 0)
    throw commandFailure(
      "unreachable",
      `No control plane runs in ${where} (pods with ${selector}): \`scrim install\` puts one there; ` +
        "-i names another namespace.",
    );
  return {
    namespace,
    whenSilent: `the control plane in ${where} does not answer`,
    admin: (call) =>
      Promise.all(pods.map((pod) => ask(access, { namespace: istioNamespace, pod, port: ADMIN_PORT }, call))),
    envoy: (proxy, path) => ask(access, { namespace: proxy.namespace, pod: proxy.name, port: ENVOY_PORT }, { path }),
  };
}

async function runningPods(access: Access, namespace: string, labelSelector: string): Promise<readonly string[]> {
  const client = createApiClient({ access, clock: createSystemClock() });
  const path = resourcePath({ group: "", version: "v1", plural: "pods", namespace });
  const answer = await client.request({
    ...{ method: "GET", path, query: { labelSelector, fieldSelector: "status.phase=Running" } },
    timeoutMs: ANSWER_WITHIN_MS,
  });
  client.close();
  if (answer.kind === "failed") throw commandFailure("unreachable", `${answer.message}.`);
  if (answer.status !== 200)
    throw commandFailure("failed", `The API server answered ${answer.status}: ${String(at(answer.body, "message"))}`);
  return asList(at(answer.body, "items")).map((pod) => String(at(pod, "metadata", "name")));
}

async function ask(access: Access, target: PodPort, { path, method, headers }: AdminCall): Promise<HttpAnswer> {
  const forwarded = await forwardTo(access, target);
  if (forwarded.kind === "failed") return { status: 0, body: "" };
  return httpCall({
    ...{ host: "127.0.0.1", port: target.port, path, timeoutMs: ANSWER_WITHIN_MS, over: forwarded.connection },
    ...(method !== undefined && { method }),
    headers: { host: `127.0.0.1:${target.port}`, ...headers },
  });
}

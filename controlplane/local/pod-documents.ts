// Consumes: the local pods and their state.
// Produces: the text of runtime/pods.yaml and runtime/identities.json, by which the control plane knows them.
// Never does: put a token into either (only its hash).
import { createHash } from "node:crypto";
import { stringify } from "yaml";
import { ENVOY_ADMIN_PORT, OUTBOUND_PORT, type PodRecord } from "./pod-record.ts";

/** A pod and what changes while it lives. */
export interface PodSnapshot {
  readonly pod: PodRecord;
  readonly ready: boolean;
  /** RFC 3339; set when the pod is being drained. */
  readonly deletionTimestamp: string | undefined;
  readonly envoyPid: number | undefined;
}

/** The object in the runtime directory that tells which state of it the control plane has read. */
export const RUNTIME_MARK = { namespace: "istio-system", name: "scrim-runtime" } as const;

/** Returns pods.yaml: one Pod for each, and the ConfigMap that carries the revision. */
export function renderPods(pods: readonly PodSnapshot[], revision: number): string {
  const mark = {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { ...RUNTIME_MARK },
    data: { revision: String(revision) },
  };
  return [...pods.map(podDocument), mark].map((document) => stringify(document, { lineWidth: 0 })).join("---\n");
}

function podDocument({ pod, ready, deletionTimestamp, envoyPid }: PodSnapshot): object {
  const listen = pod.ports.map(({ port, address, app, name }) => ({
    port,
    address,
    ...(app ? { app: `${app.address}:${app.port}` } : {}),
    ...(name === undefined ? {} : { name }),
  }));
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name: pod.name,
      namespace: pod.namespace,
      labels: pod.labels,
      annotations: {
        ...pod.annotations,
        "scrim.mesh/workload": pod.workload,
        "scrim.mesh/proxy": pod.kind,
        "scrim.mesh/listen": JSON.stringify(listen),
        ...(pod.kind === "sidecar" ? { "scrim.mesh/outbound": `${pod.ip}:${OUTBOUND_PORT}` } : {}),
        "scrim.mesh/envoy-admin": `${pod.ip}:${ENVOY_ADMIN_PORT}`,
        ...(envoyPid === undefined ? {} : { "scrim.mesh/envoy-pid": String(envoyPid) }),
        "scrim.mesh/template-hash": pod.templateHash,
      },
      ...(deletionTimestamp === undefined ? {} : { deletionTimestamp }),
    },
    spec: {
      serviceAccountName: pod.serviceAccount,
      containers: [
        {
          name: pod.workload,
          ports: pod.ports.map(({ port, name }) => ({ containerPort: port, ...(name === undefined ? {} : { name }) })),
        },
      ],
    },
    status: { podIP: pod.ip, phase: "Running", conditions: [{ type: "Ready", status: ready ? "True" : "False" }] },
  };
}

/** Returns identities.json: for each pod the hash of its token and the identity that token proves. */
export function renderIdentities(pods: readonly PodRecord[]): string {
  const entries = pods.map((pod) => ({
    tokenSha256: createHash("sha256").update(pod.token).digest("hex"),
    namespace: pod.namespace,
    serviceAccount: pod.serviceAccount,
    pod: pod.name,
  }));
  return `${JSON.stringify(entries, undefined, 2)}\n`;
}

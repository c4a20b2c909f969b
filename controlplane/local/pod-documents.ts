// Consumes: the local pods and their state.
// Produces: the text of runtime/pods.yaml and runtime/identities.json, by which the control plane knows them.
// Never does: put a token into either (only its hash).
import { createHash } from "node:crypto";
import { stringify } from "yaml";
import { formatSocketAddress } from "../model/socket-address.ts";
import { OUTBOUND_PORT } from "../pods/listen-port.ts";
import { podDocument } from "../pods/pod-document.ts";
import { runtimeMark } from "../pods/runtime-mark.ts";
import type { PodRecord } from "./pod-record.ts";

/** A pod and what changes while it lives. */
export interface PodSnapshot {
  readonly pod: PodRecord;
  readonly ready: boolean;
  /** RFC 3339; set when the pod is being drained. */
  readonly deletionTimestamp: string | undefined;
  /** How its workload ended; undefined: it runs. */
  readonly outcome?: "succeeded" | "failed" | undefined;
  readonly envoyPid: number | undefined;
}

/** Returns pods.yaml: one Pod for each, and the ConfigMap that carries the revision. */
export function renderPods(pods: readonly PodSnapshot[], revision: number): string {
  return [...pods.map(describePod), runtimeMark(revision)]
    .map((document) => stringify(document, { lineWidth: 0 }))
    .join("---\n");
}

function describePod({ pod, outcome, ...state }: PodSnapshot): object {
  return podDocument({
    ...pod,
    ...state,
    phase: outcome === undefined ? "Running" : outcome === "succeeded" ? "Succeeded" : "Failed",
    proxy: pod.kind,
    listens: pod.ports,
    containerPorts: pod.ports,
    outbound:
      pod.kind === "sidecar" && pod.capture === undefined ? { address: pod.ip, port: OUTBOUND_PORT } : undefined,
    envoyAdmin: formatSocketAddress(pod.admin),
  });
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

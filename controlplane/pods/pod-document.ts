// From what is known of a pod to the Pod that tells the mesh so.
import type { Labels } from "../model/labels.ts";
import { encodeAnnotations, type WrittenAnnotations } from "./annotations.ts";
import type { PodFacts } from "./pod-facts.ts";

/** What a Pod is made from: the facts that `podFactsOf` reads out of it. */
export interface PodDraft
  extends Pick<
      PodFacts,
      "name" | "namespace" | "labels" | "serviceAccount" | "ip" | "workload" | "proxy" | "containerPorts" | "ready"
    >,
    Omit<WrittenAnnotations, "workload" | "proxy"> {
  /** Addresses beside `ip`. */
  readonly moreIps?: readonly string[] | undefined;
  /** The template's: what users say of the workload. */
  readonly annotations?: Labels | undefined;
  /** RFC 3339; set when the pod is being drained. */
  readonly deletionTimestamp?: string | undefined;
  /** Kubernetes' word; left out: it runs. */
  readonly phase?: "Running" | "Succeeded" | "Failed";
}

/** Returns the Pod as Kubernetes writes it, one container and its ports. */
export function podDocument(draft: PodDraft) {
  const { name, namespace, labels, workload, proxy, ready, deletionTimestamp } = draft;
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name,
      namespace,
      labels,
      annotations: {
        ...draft.annotations,
        ...encodeAnnotations({ ...draft, proxy: proxy === "none" ? undefined : proxy }),
      },
      ...(deletionTimestamp !== undefined && { deletionTimestamp }),
    },
    spec: {
      serviceAccountName: draft.serviceAccount,
      containers: [
        {
          name: workload,
          ports: namedOnce(draft.containerPorts).map(({ port, name }) => ({
            containerPort: port,
            ...(name !== "" && { name }),
          })),
        },
      ],
    },
    status: {
      podIP: draft.ip,
      ...(draft.moreIps && draft.moreIps.length > 0 && { podIPs: [draft.ip, ...draft.moreIps].map((ip) => ({ ip })) }),
      phase: draft.phase ?? "Running",
      conditions: [{ type: "Ready", status: ready ? "True" : "False" }],
    },
  } as const;
}

/**
 * Returns the ports, each name with the first that has it: several Gateways, or Services, may call ports of one pod
 * alike,
 * and a Pod may not.
 */
function namedOnce(ports: PodDraft["containerPorts"]): PodDraft["containerPorts"] {
  const names = new Set<string>();
  return ports.map((port) => {
    const isTaken = names.has(port.name);
    names.add(port.name);
    return isTaken ? { ...port, name: "" } : port;
  });
}

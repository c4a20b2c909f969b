// Whose pod a pod is: what made it says so, and for some kinds one has to know how they name what they make.
import { isJsonObject } from "../model/json-object.ts";
import type { PodMetadata } from "./pod.ts";

/** A CronJob's Jobs end in the minute at which they were due. */
const OF_CRON_JOB = /^(.+)-\d{8,10}$/;
const TEMPLATE_HASHES = ["pod-template-hash", "rollouts-pod-template-hash"];

/** Returns the name of a pod's workload, by what made the pod; "" where nothing tells it. */
export function workloadOf({ name, generateName, ownerReferences, labels }: PodMetadata): string {
  const said = labels["service.istio.io/workload-name"];
  if (said) return said;
  const owners: readonly unknown[] = Array.isArray(ownerReferences) ? ownerReferences : [];
  const owner = owners.filter(isJsonObject).find(({ controller }) => controller === true);
  if (owner === undefined || typeof owner["name"] !== "string") return nameOf(name) || nameOf(generateName);
  const ownerName = owner["name"];
  if (owner["kind"] === "ReplicaSet") {
    const hash = TEMPLATE_HASHES.map((label) => labels[label]).find(
      (value) => value && ownerName.endsWith(`-${value}`),
    );
    return hash === undefined ? ownerName : ownerName.slice(0, -hash.length - 1);
  }
  if (owner["kind"] === "ReplicationController") return labels["deploymentconfig"] || ownerName;
  if (owner["kind"] === "Job") return OF_CRON_JOB.exec(ownerName)?.[1] ?? ownerName;
  return ownerName;
}

function nameOf(text: unknown): string {
  return typeof text === "string" ? text.replace(/-$/, "") : "";
}

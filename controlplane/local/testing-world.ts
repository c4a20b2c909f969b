// For tests of this directory: pods and worlds with little in them.
import { loadText } from "../store/load.ts";
import type { World } from "../world/world.ts";
import type { PodRecord } from "./pod-record.ts";

/** Returns the World of a YAML text, which must be valid. */
export function worldOf(yaml: string): World {
  const { world, violations } = loadText(yaml, { file: "/mesh/input.yaml" });
  const errors = violations.filter(({ severity }) => severity === "error");
  if (errors.length > 0) throw new Error(errors.map(({ field, message }) => `${field}: ${message}`).join("\n"));
  return world;
}

/** Returns a sidecar pod of reviews. */
export function podOf(changes: Partial<PodRecord> = {}): PodRecord {
  return {
    kind: "sidecar",
    name: "reviews-v1-0-x2b9f",
    namespace: "default",
    workload: "reviews-v1",
    ordinal: 0,
    labels: { app: "reviews", version: "v1" },
    serviceAccount: "bookinfo-reviews",
    templateHash: "h1",
    ip: "127.10.4.7",
    admin: { address: "127.10.4.7", port: 15000 },
    token: "secret-token",
    ports: [
      {
        name: "http",
        port: 9080,
        bind: { address: "127.10.4.7", port: 9080 },
        application: { address: "127.0.0.1", port: 41233 },
      },
    ],
    ...changes,
  };
}

/** Returns the YAML of a Deployment with a local command. */
export function deploymentYaml({
  name = "web",
  replicas = 1,
  container = "{ports: [{name: http, containerPort: 8080}]}",
  command = "node web.mjs",
} = {}): string {
  return `apiVersion: apps/v1
kind: Deployment
metadata: {name: ${name}, namespace: default}
spec:
  replicas: ${replicas}
  selector: {matchLabels: {app: ${name}}}
  template:
    metadata:
      labels: {app: ${name}}
      annotations: {scrim.mesh/local-command: "${command}"}
    spec:
      serviceAccountName: ${name}-sa
      containers: [${container}]
`;
}

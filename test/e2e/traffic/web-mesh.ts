// A mesh of two versions of web and a client, with one rule and one set of routes for web.
import { type Mesh, startMesh } from "../../support/mesh.ts";
import { documents, echoDeployment, service } from "../../support/workloads.ts";

/** Starts it. */
export function startWebMesh(...more: readonly string[]): Promise<Mesh> {
  const workloads = documents(
    service("web"),
    echoDeployment({ name: "web-v1", app: "web" }),
    echoDeployment({ name: "web-v2", app: "web", version: "v2" }),
    echoDeployment({ name: "client", app: "client" }),
    ...more,
  );
  return startMesh({ files: { "workloads.yaml": workloads } });
}

/** A DestinationRule with subsets v1 and v2. */
export const rule = (policy: string): string => `apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: web, namespace: default}
spec:
  host: web
  trafficPolicy: ${policy}
  subsets: [{name: v1, labels: {version: v1}}, {name: v2, labels: {version: v2}}]
`;

/** A VirtualService; its routes as a list in YAML, indented by two. */
export const virtualService = (http: string): string => `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: web, namespace: default}
spec:
  hosts: [web]
  http:
${http}`;

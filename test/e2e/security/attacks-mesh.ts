// The rules that attacks.test.ts tries to get around.
import { documents } from "../../support/workloads.ts";

function policy(name: string, app: string, action: string, ...rules: string[]): string {
  return `apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: ${name}, namespace: default}
spec:
  selector: {matchLabels: {app: ${app}}}
  action: ${action}
  rules:
${rules.map((rule) => `  - ${rule}\n`).join("")}`;
}

const limits = `apiVersion: policy.scrim.mesh/v1alpha1
kind: RateLimitPolicy
metadata: {name: few, namespace: default}
spec:
  selector: {matchLabels: {app: web}}
  limits:
  - {name: burst, requests: 20, per: 24h, match: {paths: [/limited]}}
`;

const edge = `apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: edge, namespace: default}
spec:
  selector: {istio: ingressgateway}
  servers:
  - {port: {number: 80, name: http, protocol: HTTP}, hosts: ["*"]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: edge, namespace: default}
spec:
  hosts: ["*"]
  gateways: [edge]
  http: [{route: [{destination: {host: web}}]}]
`;

const twoWorkers = `apiVersion: v1
kind: ConfigMap
metadata: {name: istio, namespace: istio-system}
data: {mesh: "defaultConfig: {concurrency: 2}"}
`;

/** What the mesh has of rules, a gateway and workers. */
export const rules = documents(
  policy(
    "keep-out",
    "web",
    "DENY",
    '{to: [{operation: {paths: ["/admin", "/admin/*", "/a:b"]}}]}',
    "{to: [{operation: {hosts: [secret.example.com]}}]}",
    "{to: [{operation: {methods: [DELETE]}}]}",
    '{when: [{key: "request.headers[x-role]", values: [guest]}]}',
  ),
  policy(
    "let-in",
    "closed",
    "ALLOW",
    '{to: [{operation: {paths: ["/public/*"]}}]}',
    '{when: [{key: "request.headers[x-role]", values: [admin]}]}',
    '{from: [{source: {principals: ["cluster.local/ns/default/sa/web", "cluster.local/ns/default/sa/cli.nt"]}}]}',
    "{from: [{source: {ipBlocks: [10.9.9.9]}}]}",
    '{to: [{operation: {hosts: ["*.example.com"]}}]}',
  ),
  limits,
  edge,
  twoWorkers,
);

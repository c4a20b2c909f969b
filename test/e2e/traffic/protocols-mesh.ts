// The mesh of protocols.test.ts: workloads that speak several protocols on several ports, and rules for them.
import { repository } from "../../support/mesh.ts";
import { documents } from "../../support/workloads.ts";

const workload = (name: string, app: string, version: string, script: string, ports: string): string => `apiVersion: v1
kind: ServiceAccount
metadata: {name: ${app}, namespace: default}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: ${name}, namespace: default}
spec:
  selector: {matchLabels: {app: ${app}, version: ${version}}}
  template:
    metadata:
      labels: {app: ${app}, version: ${version}}
      annotations: {scrim.mesh/local-command: exec node ${repository}test/support/apps/${script}}
    spec:
      serviceAccountName: ${app}
      containers: [{name: app, ports: [${ports}], env: [{name: VERSION, value: ${version}}]}]
`;
const manyPorts =
  "{containerPort: 9080, name: http}, {containerPort: 9082, name: http2}, {containerPort: 9090, name: " +
  "grpc}, {containerPort: 9000, name: tcp}";
export const workloads = documents(
  workload("polyglot-v1", "polyglot", "v1", "polyglot.mjs", manyPorts),
  workload("polyglot-v2", "polyglot", "v2", "polyglot.mjs", manyPorts),
  workload("client", "client", "v1", "grpc-client.mjs", "{containerPort: 8080, name: http}"),
  `apiVersion: v1
kind: Service
metadata: {name: polyglot, namespace: default}
spec:
  selector: {app: polyglot}
  ports:
  - {name: http, port: 80, targetPort: 9080}
  - {name: http2-api, port: 8082, targetPort: 9082}
  - {name: grpc, port: 9090}
  - {name: tcp-greeting, port: 9000, targetPort: tcp}
`,
);

export const subsets = `apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: polyglot, namespace: default}
spec:
  host: polyglot
  subsets: [{name: v1, labels: {version: v1}}, {name: v2, labels: {version: v2}}]
`;

export function weighted(name: string): string {
  return `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: polyglot-${name}, namespace: default}
spec:
  hosts: [polyglot]
  http:
  - match: [{headers: {end-user: {exact: jason}}}]
    route: [{destination: {host: polyglot, subset: v1}}]
  - route:
    - {destination: {host: polyglot, subset: v1}, weight: 20}
    - {destination: {host: polyglot, subset: v2}, weight: 80}
`;
}

export const grpcRules = `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: polyglot, namespace: default}
spec:
  hosts: [polyglot]
  http:
  - match: [{uri: {prefix: /test.Echo/Chat}}, {headers: {end-user: {exact: jason}}}]
    retries: {attempts: 3, retryOn: unavailable}
    route: [{destination: {host: polyglot, subset: v1}}]
  - match: [{headers: {end-user: {exact: once}}}]
    retries: {attempts: 0}
    route: [{destination: {host: polyglot, subset: v1}}]
  - route: [{destination: {host: polyglot, subset: v2}}]
`;

export function serviceEntries(ports: {
  readonly plain: number;
  readonly secure: number;
  readonly foreign: number;
}): string {
  const entry = (
    name: string,
    number: number,
    protocol: string,
    target: number,
  ): string => `apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: ${name}, namespace: default}
spec:
  hosts: [${name}.example.com]
  ports: [{number: ${number}, name: p, protocol: ${protocol}, targetPort: ${target}}]
  resolution: STATIC
  endpoints: [{address: 127.0.0.1}]
`;
  return documents(
    entry("plain", 80, "HTTP", ports.plain),
    entry("secure", 443, "HTTPS", ports.secure),
    entry("foreign", 7000, "TCP", ports.foreign),
  );
}

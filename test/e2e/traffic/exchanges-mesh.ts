// The mesh of exchanges.test.ts: echo workloads, one that speaks TLS itself, and services of what the test serves.
import { repository } from "../../support/mesh.ts";
import { documents, echoDeployment, service } from "../../support/workloads.ts";

export const gateway = `apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: edge, namespace: default}
spec:
  selector: {gateway: edge}
  servers: [{port: {number: 8070, name: http, protocol: HTTP}, hosts: ["*"]}]
`;

export function destinationRule(host: string, trafficPolicy: string): string {
  return (
    "apiVersion: networking.istio.io/v1\nkind: DestinationRule\n" +
    `metadata: {name: ${host.split(".")[0]}, namespace: default}\nspec:\n  host: ${host}\n` +
    `  trafficPolicy: ${trafficPolicy}\n`
  );
}

export function virtualService(host: string, httpRoutes: string): string {
  return (
    "apiVersion: networking.istio.io/v1\nkind: VirtualService\n" +
    `metadata: {name: ${host}, namespace: default}\nspec:\n  hosts: [${host}]\n  http: [${httpRoutes}]\n`
  );
}

/** A Service and a slice for each port of this machine that is behind it. */
export function backed(name: string, ...targets: readonly number[]): string {
  const slices = targets.map(
    (port, index) => `---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: ${name}-${index}, namespace: default, labels: {kubernetes.io/service-name: ${name}}}
addressType: IPv4
ports: [{name: http, port: ${port}}]
endpoints: [{addresses: [127.0.0.1]}]
`,
  );
  return (
    `apiVersion: v1\nkind: Service\nmetadata: {name: ${name}, namespace: default}\n` +
    `spec: {ports: [{name: http, port: 80}]}\n${slices.join("")}`
  );
}

/** Ports of the servers that the test has. */
export type ServerPorts = Readonly<Record<"stream" | "tls" | "dead", number>>;

export function workloads(ports: ServerPorts): string {
  const tlsApp = echoDeployment({ name: "tls-app", app: "tls-app" })
    .replace("apps/echo.mjs", "apps/tls.mjs")
    .replace("name: http", "name: https");
  return documents(
    service("web"),
    service("client"),
    service("tls-app").replace("{name: http, port: 80", "{name: https, port: 443"),
    echoDeployment({ name: "web-v1", app: "web" }),
    echoDeployment({ name: "web-v2", app: "web", version: "v2" }).replace(/^[^-]*---\n/, ""),
    echoDeployment({ name: "client", app: "client" }),
    tlsApp.replace("exec node apps/tls.mjs", `exec node ${repository}test/support/apps/tls.mjs`),
    backed("stream", ports.stream),
    backed("half-dead", ports.stream, ports.dead),
  );
}

export function entries(ports: ServerPorts): string {
  const entry = (
    name: string,
    host: string,
    port: number,
    target: number,
    more = "",
  ): string => `apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: ${name}, namespace: default}
spec:
  hosts: [${host}]
  ports: [{number: ${port}, name: http, protocol: HTTP, targetPort: ${target}}]
  resolution: STATIC
  endpoints: [{address: 127.0.0.1}]
${more}`;
  return documents(
    entry("outside", "outside.example.com", 80, ports.tls),
    entry("virtual", "virtual.example.com", 80, ports.stream, "  addresses: [240.0.0.7]\n"),
    entry("twice-a", "twice.example.com", 80, ports.stream),
    entry("twice-b", "twice.example.com", 8081, ports.stream),
  );
}

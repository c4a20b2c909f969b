// A generated mesh in which much refers to much: for tests of what changes when something does.

const namespaces = ["default", "shop", "istio-system"];

/**
 * Returns the YAML of a mesh of so many services, spread over three namespaces, with every kind of thing that routes,
 * resolves or guards.
 */
export function generatedMesh(services: number): string {
  return Array.from({ length: services }, (_, index) => documentsOf(index, services))
    .flat()
    .join("---\n");
}

function documentsOf(index: number, services: number): readonly string[] {
  const namespace = namespaces[index % namespaces.length] ?? "default";
  const name = `svc-${index}`,
    next = `svc-${(index + 1) % services}.${namespaces[((index + 1) % services) % namespaces.length]}.svc.cluster.local`;
  const head = (apiVersion: string, kind: string, own = name, more = ""): string =>
    `apiVersion: ${apiVersion}\nkind: ${kind}\nmetadata: {name: ${own}, namespace: ${namespace}${more}}\n`;
  const common = [
    `${head("v1", "Service", name, index % 4 === 0 ? ', annotations: {networking.istio.io/exportTo: "., shop"}' : "")}spec: {clusterIP: 10.96.0.${index}, selector: {app: ${name}}, ports: [{name: http, port: ${index % 3 === 0 ? 80 : 8000 + index}, targetPort: 8080}, {name: tcp-raw, port: 9000}]}\n`,
    ...["v1", "v2"].map((version, at) => podOf(head, name, version, `10.1.${index}.${at + 1}`, index)),
    `${head("networking.istio.io/v1", "DestinationRule")}spec: {host: ${name}, ${index % 5 === 0 ? 'exportTo: ["."], ' : ""}trafficPolicy: {loadBalancer: {simple: ROUND_ROBIN}}, subsets: [{name: v1, labels: {version: v1}}, {name: v2, labels: {version: v2}}]}\n`,
    `${head("networking.istio.io/v1", "VirtualService")}spec:\n  hosts: [${index % 6 === 0 ? `"*.${namespace}.svc.cluster.local"` : name}${index % 7 === 0 ? ", made-up.example" : ""}]\n  http:\n  - match: [{headers: {end-user: {exact: jason}}}, {sourceLabels: {version: v2}, uri: {prefix: /v2}}, {sourceNamespace: shop, uri: {exact: /shop}}]\n    route: [{destination: {host: ${name}, subset: v2}}]\n  - route: [{destination: {host: ${name}, subset: v1}, weight: 90}, {destination: {host: ${next}}, weight: 10}]\n`,
  ];
  return [...common, ...rareOf(index, name, next, head)];
}

type Head = (apiVersion: string, kind: string, own?: string, more?: string) => string;

function podOf(head: Head, name: string, version: string, ip: string, index: number): string {
  const listen = JSON.stringify([
    { port: 8080, name: "http", address: `${ip}:8080`, app: `127.0.0.1:${20_000 + index}` },
    { port: 9000, name: "tcp-raw", address: `${ip}:9000`, app: "127.0.0.1:9000" },
  ]);
  return (
    `${head("v1", "Pod", `${name}-${version}`, `, labels: {app: ${name}, version: ${version}}, annotations: {scrim.mesh/workload: ${name}, scrim.mesh/proxy: ${index % 5 === 4 ? "none" : "sidecar"}, "scrim.mesh/outbound": "${ip}:15001", scrim.mesh/listen: '${listen}'}`)}` +
    `spec: {serviceAccountName: ${name}, containers: [{name: app, ports: [{containerPort: 8080, name: http}]}]}\nstatus: {podIP: ${ip}, phase: Running, conditions: [{type: Ready, status: "True"}]}\n`
  );
}

/** One thing more for each service, another for each of eight in a row. */
function rareOf(index: number, name: string, next: string, head: Head): readonly string[] {
  const rare: readonly string[] = [
    `${head("discovery.k8s.io/v1", "EndpointSlice", `${name}-more`, `, labels: {kubernetes.io/service-name: ${name}}`)}addressType: IPv4\nports: [{name: http, port: 8080}]\nendpoints: [{addresses: [10.2.0.${index}]}, {addresses: [10.1.${index}.1]}]\n`,
    `${head("networking.istio.io/v1", "Sidecar")}spec: {workloadSelector: {labels: {app: ${name}}}, egress: [{hosts: ["./*", "*/${next}"]}]}\n`,
    `${head("networking.istio.io/v1", "ServiceEntry")}spec: {hosts: [api-${index}.example, ${next}], location: MESH_EXTERNAL, resolution: DNS, ports: [{number: 443, name: tls, protocol: TLS}, {number: 80, name: http, protocol: HTTP}]}\n`,
    `${head("networking.istio.io/v1", "ServiceEntry")}spec: {hosts: ["*.any-${index}.example"], resolution: NONE, ports: [{number: 80, name: http, protocol: HTTP}]}\n`,
    `${head("security.istio.io/v1", "PeerAuthentication")}spec: {selector: {matchLabels: {app: ${name}}}, mtls: {mode: STRICT}, portLevelMtls: {"8080": {mode: DISABLE}}}\n`,
    `${head("security.istio.io/v1", "AuthorizationPolicy")}spec: {selector: {matchLabels: {app: ${name}}}, action: DENY, rules: [{to: [{operation: {paths: ["/admin"]}}]}]}\n`,
    `${head("v1", "Service", `${name}-alias`)}spec: {type: ExternalName, externalName: ${next}, ports: [{name: http, port: 80}]}\n`,
    `${head("networking.istio.io/v1", "VirtualService", `${name}-rival`)}spec: {hosts: [${next}], http: [{timeout: ${index + 1}s, route: [{destination: {host: ${next}}}]}]}\n`,
  ];
  return rare.slice(index % rare.length, (index % rare.length) + 1);
}

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

type Head = (apiVersion: string, kind: string, own?: string, more?: string) => string;

function documentsOf(index: number, services: number): readonly string[] {
  const name = `svc-${index}`;
  const namespace = namespaceOf(index);
  const after = (index + 1) % services;
  const next = `svc-${after}.${namespaceOf(after)}.svc.cluster.local`;
  const head: Head = (apiVersion, kind, own = name, more = "") =>
    `apiVersion: ${apiVersion}\nkind: ${kind}\nmetadata: {name: ${own}, namespace: ${namespace}${more}}\n`;
  return [
    serviceOf(head, name, index),
    ...["v1", "v2"].map((version, at) => podOf(head, name, version, `10.1.${index}.${at + 1}`, index)),
    `${head("networking.istio.io/v1", "DestinationRule")}spec: {host: ${name}, ` +
      `${index % 5 === 0 ? 'exportTo: ["."], ' : ""}trafficPolicy: {loadBalancer: {simple: ROUND_ROBIN}}, ` +
      "subsets: [{name: v1, labels: {version: v1}}, {name: v2, labels: {version: v2}}]}\n",
    routesOf(head, name, next, namespace, index),
    ...rareOf(index, name, next, head),
  ];
}

function namespaceOf(index: number): string {
  return namespaces[index % namespaces.length] ?? "default";
}

function serviceOf(head: Head, name: string, index: number): string {
  const exported = index % 4 === 0 ? ', annotations: {networking.istio.io/exportTo: "., shop"}' : "";
  const port = index % 3 === 0 ? 80 : 8000 + index;
  return (
    `${head("v1", "Service", name, exported)}spec: {clusterIP: 10.96.0.${index}, selector: {app: ${name}}, ` +
    `ports: [{name: http, port: ${port}, targetPort: 8080}, {name: tcp-raw, port: 9000}]}\n`
  );
}

function routesOf(head: Head, name: string, next: string, namespace: string, index: number): string {
  const host = index % 6 === 0 ? `"*.${namespace}.svc.cluster.local"` : name;
  return (
    `${head("networking.istio.io/v1", "VirtualService")}spec:\n` +
    `  hosts: [${host}${index % 7 === 0 ? ", made-up.example" : ""}]\n` +
    "  http:\n" +
    "  - match: [{headers: {end-user: {exact: jason}}}, {sourceLabels: {version: v2}, uri: {prefix: /v2}}, " +
    "{sourceNamespace: shop, uri: {exact: /shop}}]\n" +
    `    route: [{destination: {host: ${name}, subset: v2}}]\n` +
    `  - route: [{destination: {host: ${name}, subset: v1}, weight: 90}, ` +
    `{destination: {host: ${next}}, weight: 10}]\n`
  );
}

function podOf(head: Head, name: string, version: string, ip: string, index: number): string {
  const listen = JSON.stringify([
    { port: 8080, name: "http", address: `${ip}:8080`, app: `127.0.0.1:${20_000 + index}` },
    { port: 9000, name: "tcp-raw", address: `${ip}:9000`, app: "127.0.0.1:9000" },
  ]);
  const metadata =
    `, labels: {app: ${name}, version: ${version}}, annotations: {scrim.mesh/workload: ${name}, ` +
    `scrim.mesh/proxy: ${index % 5 === 4 ? "none" : "sidecar"}, ` +
    `${index % 5 === 3 ? "scrim.mesh/capture: REDIRECT" : `"scrim.mesh/outbound": "${ip}:15001"`}, ` +
    `scrim.mesh/listen: '${listen}'}`;
  return (
    `${head("v1", "Pod", `${name}-${version}`, metadata)}spec: {serviceAccountName: ${name}, ` +
    "containers: [{name: app, ports: [{containerPort: 8080, name: http}]}]}\n" +
    `status: {podIP: ${ip}, phase: Running, conditions: [{type: Ready, status: "True"}]}\n`
  );
}

/** One thing more for each service, another for each of eight in a row. */
function rareOf(index: number, name: string, next: string, head: Head): readonly string[] {
  const selector = `{matchLabels: {app: ${name}}}`;
  const sliceLabels = `, labels: {kubernetes.io/service-name: ${name}}`;
  const rare: readonly string[] = [
    `${head("discovery.k8s.io/v1", "EndpointSlice", `${name}-more`, sliceLabels)}` +
      "addressType: IPv4\nports: [{name: http, port: 8080}]\n" +
      `endpoints: [{addresses: [10.2.0.${index}]}, {addresses: [10.1.${index}.1]}]\n`,
    `${head("networking.istio.io/v1", "Sidecar")}` +
      `spec: {workloadSelector: {labels: {app: ${name}}}, egress: [{hosts: ["./*", "*/${next}"]}]}\n`,
    `${head("networking.istio.io/v1", "ServiceEntry")}` +
      `spec: {hosts: [api-${index}.example, ${next}], location: MESH_EXTERNAL, resolution: DNS, ` +
      "ports: [{number: 443, name: tls, protocol: TLS}, {number: 80, name: http, protocol: HTTP}]}\n",
    `${head("networking.istio.io/v1", "ServiceEntry")}` +
      `spec: {hosts: ["*.any-${index}.example"], resolution: NONE, ` +
      "ports: [{number: 80, name: http, protocol: HTTP}]}\n",
    `${head("security.istio.io/v1", "PeerAuthentication")}` +
      `spec: {selector: ${selector}, mtls: {mode: STRICT}, portLevelMtls: {"8080": {mode: DISABLE}}}\n`,
    `${head("security.istio.io/v1", "AuthorizationPolicy")}` +
      `spec: {selector: ${selector}, action: DENY, rules: [{to: [{operation: {paths: ["/admin"]}}]}]}\n`,
    `${head("v1", "Service", `${name}-alias`)}` +
      `spec: {type: ExternalName, externalName: ${next}, ports: [{name: http, port: 80}]}\n`,
    `${head("networking.istio.io/v1", "VirtualService", `${name}-rival`)}` +
      `spec: {hosts: [${next}], http: [{timeout: ${index + 1}s, route: [{destination: {host: ${next}}}]}]}\n`,
  ];
  return rare.slice(index % rare.length, (index % rare.length) + 1);
}

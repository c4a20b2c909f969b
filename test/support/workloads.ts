// YAML of echo workloads and what leads to them, for whole-mesh tests and benches.

export interface EchoWorkload {
  readonly name: string;
  readonly app: string;
  readonly version?: string;
  readonly serviceAccount?: string;
  readonly replicas?: number;
}

/** A ServiceAccount and a Deployment that runs `apps/echo.mjs`, one container port 9080. */
export function echoDeployment({
  name,
  app,
  version = "v1",
  serviceAccount = app,
  replicas = 1,
}: EchoWorkload): string {
  return `apiVersion: v1
kind: ServiceAccount
metadata: {name: ${serviceAccount}, namespace: default}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: ${name}, namespace: default}
spec:
  replicas: ${replicas}
  selector: {matchLabels: {app: ${app}, version: ${version}}}
  template:
    metadata:
      labels: {app: ${app}, version: ${version}}
      annotations: {scrim.mesh/local-command: exec node apps/echo.mjs}
    spec:
      serviceAccountName: ${serviceAccount}
      containers:
      - name: echo
        ports: [{containerPort: 9080, name: http}]
        env: [{name: VERSION, value: ${version}}]
`;
}

/** Echo workloads with a Service each, one version of one pod. */
export function echoApps(...apps: readonly string[]): string {
  return documents(...apps.map((app) => service(app)), ...apps.map((app) => echoDeployment({ name: app, app })));
}

/** A Service for an app: port 80 to the containers' 9080, or another. */
export function service(app: string, { targetPort = 9080 }: { readonly targetPort?: number } = {}): string {
  return `apiVersion: v1
kind: Service
metadata: {name: ${app}, namespace: default}
spec:
  selector: {app: ${app}}
  ports: [{name: http, port: 80, targetPort: ${targetPort}}]
`;
}

/** A Service without a selector, port 80, and its one address. */
export function serviceAt(name: string, address: string, port: number): string {
  return `apiVersion: v1
kind: Service
metadata: {name: ${name}, namespace: default}
spec:
  ports: [{name: http, port: 80}]
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: ${name}-1, namespace: default, labels: {kubernetes.io/service-name: ${name}}}
addressType: IPv4
ports: [{name: http, port: ${port}}]
endpoints: [{addresses: [${address}]}]
`;
}

/** A VirtualService that sets a header on the answers of a host. */
export function routeWithHeader(host: string, header: string, value: string): string {
  return `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: ${host}, namespace: default}
spec:
  hosts: [${host}]
  http:
  - route: [{destination: {host: ${host}}}]
    headers: {response: {set: {${header}: "${value}"}}}
`;
}

/** Several documents as one file. */
export function documents(...texts: readonly string[]): string {
  return texts.join("---\n");
}

// The meshes that are compared: the same two pods, the same rules of capture, the same Envoy.
import type { PodPlan } from "../../test/support/captured-mesh.ts";
import { documents } from "../../test/support/workloads.ts";
import { bareClient, bareServer } from "./bare.ts";

/** One kind of mesh to send requests through. */
export interface Case {
  readonly name: string;
  readonly yaml: string;
  readonly pods: readonly PodPlan[];
  /** CPU of both sidecars, and their memory, over those of the bare ones, at most. */
  readonly targets?: { readonly cpu: number; readonly memory: number };
}

export const BARE = "bare Envoys";
/** Where requests go: to the service's address, which only capture makes lead anywhere. */
export const SERVICE = { host: "10.7.200.1", port: 80, path: "/reviews/7" };
export const APPLICATION_PORT = 8080;

const client: PodPlan = { name: "client-0", app: "client", capture: "REDIRECT" };
const server: PodPlan = {
  ...{ name: "reviews-0", app: "reviews", capture: "REDIRECT" },
  declares: { http: APPLICATION_PORT },
};
/** That of the second pod of `startCapturedMesh`. */
const SERVER_ADDRESS = { address: "10.7.1.2", port: APPLICATION_PORT };

const mesh = (more = ""): string => `apiVersion: v1
kind: ConfigMap
metadata: {name: istio, namespace: istio-system}
data:
  mesh: |
    accessLogFile: ""
    ${more}
---
apiVersion: v1
kind: Service
metadata: {name: reviews}
spec:
  selector: {app: reviews}
  clusterIP: ${SERVICE.host}
  ports: [{name: http, port: ${SERVICE.port}, targetPort: ${APPLICATION_PORT}}]
---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: default, namespace: istio-system}
spec: {mtls: {mode: STRICT}}
`;

/** One of each kind, which refuse nothing that is sent here. */
const policies = `apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: reviews}
spec:
  selector: {matchLabels: {app: reviews}}
  rules:
  - from: [{source: {principals: [cluster.local/ns/default/sa/client]}}]
    to: [{operation: {methods: [GET], paths: ["/reviews/*"]}}]
---
apiVersion: policy.scrim.mesh/v1alpha1
kind: RateLimitPolicy
metadata: {name: reviews}
spec:
  selector: {matchLabels: {app: reviews}}
  limits: [{name: all, requests: 1000000, per: 1s}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews}
spec:
  hosts: [reviews]
  http:
  - match: [{headers: {end-user: {exact: jason}}}]
    route: [{destination: {host: reviews}}]
    timeout: 5s
  - route: [{destination: {host: reviews}}]
`;

const withoutMetrics = `apiVersion: telemetry.istio.io/v1
kind: Telemetry
metadata: {name: default, namespace: istio-system}
spec:
  metrics: [{providers: [{name: prometheus}], overrides: [{match: {metric: ALL_METRICS}, disabled: true}]}]
`;

/** All of them; the first is what the others are held against. */
export const CASES: readonly Case[] = [
  {
    name: BARE,
    yaml: mesh(),
    pods: [
      { ...client, bootstrap: (files) => bareClient(files, SERVER_ADDRESS) },
      { ...server, bootstrap: (files) => bareServer(files, APPLICATION_PORT) },
    ],
  },
  { name: "no policies, no metrics", yaml: documents(mesh(), withoutMetrics), pods: [client, server] },
  {
    name: "native, no metrics",
    yaml: documents(mesh("engine: native"), policies, withoutMetrics),
    pods: [client, server],
    targets: { cpu: 1.05, memory: 1.15 },
  },
  {
    name: "native",
    yaml: documents(mesh("engine: native"), policies),
    pods: [client, server],
    targets: { cpu: 1.05, memory: 1.15 },
  },
  {
    name: "four filters",
    yaml: documents(mesh(), policies),
    pods: [client, server],
    targets: { cpu: 1.25, memory: 1.15 },
  },
];

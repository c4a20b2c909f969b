// The mesh of gateways.test.ts: gateways and what is bound to them, and services with one address each.
import { type TestCertificate, tlsSecret } from "../../support/certificate.ts";
import { documents, echoDeployment } from "../../support/workloads.ts";

/** A VirtualService of the sidecars; `then` holds where `match` does. */
export function rule(name: string, namespace: string, hosts: string, then: string, more = "", match = ""): string {
  const routes = match === "" ? `{${then}}` : `{match: [${match}], ${then}}, {${to(hosts)}}`;
  return `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: ${name}, namespace: ${namespace}}
spec:
  hosts: [${hosts}]
  http: [${routes}]
  ${more}
`;
}

function bound(name: string, namespace: string, host: string, gateway: string, httpRoutes: string): string {
  return `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: ${name}, namespace: ${namespace}}
spec:
  hosts: [${host}]
  gateways: [${gateway}]
  http: [${httpRoutes}]
`;
}

const to = (host: string): string => `route: [{destination: {host: ${host}}}]`;
/** Two gateways and their hosts, with the certificates of two. */
export const gateways = (one: TestCertificate, wild: TestCertificate): string =>
  documents(
    `apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: main, namespace: default}
spec:
  selector: {istio: ingressgateway}
  servers:
  - port: {number: 80, name: http, protocol: HTTP}
    hosts: [a.example.com, both.example.com, "*.wild.example.com", "shop/shop.example.com"]
  - {port: {number: 80, name: http-secured, protocol: HTTP}, hosts: [one.example.com], tls: {httpsRedirect: true}}
  - port: {number: 443, name: https-one, protocol: HTTPS}
    hosts: [one.example.com]
    tls: {mode: SIMPLE, credentialName: one}
  - port: {number: 443, name: https-wild, protocol: HTTPS}
    hosts: ["*.wild.example.com"]
    tls: {mode: SIMPLE, credentialName: wild}
  - port: {number: 443, name: https-broken, protocol: HTTPS}
    hosts: [broken.example.com]
    tls: {mode: SIMPLE, credentialName: broken}
`,
    `apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: second, namespace: default}
spec:
  selector: {istio: ingressgateway}
  servers:
  - {port: {number: 80, name: http, protocol: HTTP}, hosts: ["./b.example.com"]}
  - {port: {number: 8090, name: http-more, protocol: HTTP}, hosts: ["*"]}
`,
    bound("a-all", "default", "a.example.com", "main", `{${to("a")}}`),
    bound(
      "a-some",
      "default",
      "a.example.com",
      "main",
      `{match: [{uri: {prefix: /b/}}, {headers: {x-to: {exact: b}}}], ${to("b")}}`,
    ),
    bound("b", "default", "b.example.com", "second", `{${to("b")}}`),
    bound("b-of-strangers", "shop", "b.example.com", "default/second", `{${to("shop")}}`),
    bound("shop", "shop", "shop.example.com", "default/main", `{${to("shop")}}`),
    bound("shop-of-strangers", "default", "shop.example.com", "main", `{match: [{uri: {prefix: /}}], ${to("a")}}`),
    bound("wild", "default", "'*.wild.example.com'", "main", `{match: [{port: 443}], ${to("b")}}, {${to("a")}}`),
    bound("one", "default", "one.example.com", "main", `{${to("a")}}`),
    bound(
      "both",
      "default",
      "both.example.com",
      "main, mesh",
      `{match: [{gateways: [main]}], ${to("b")}}, {match: [{gateways: [mesh]}], ${to("a")}}`,
    ),
    bound("other-port", "default", "other-port.example.com", "second", `{${to("b")}}`),
    tlsSecret("one", "istio-system", one),
    // Istio's generic form; and one that has nothing to show, which must not keep the others from being shown.
    tlsSecret("wild", "istio-system", wild)
      .replace("type: kubernetes.io/tls", "type: Opaque")
      .replace("tls.crt", "cert")
      .replace("tls.key", "key"),
    "apiVersion: v1\nkind: Secret\nmetadata: {name: broken, namespace: istio-system}\nstringData: {token: none}\n",
  );

/** A client, and services and entries for what listens on these ports. */
export function workloads(ports: Readonly<Record<"a" | "b" | "shop", number>>): string {
  const backed = (name: string, namespace: string, port: number, annotations = ""): string => `apiVersion: v1
kind: Service
metadata: {name: ${name}, namespace: ${namespace}, annotations: {${annotations}}}
spec: {ports: [{name: http, port: 80}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: ${name}, namespace: ${namespace}, labels: {kubernetes.io/service-name: ${name}}}
addressType: IPv4
ports: [{name: http, port: ${port}}]
endpoints: [{addresses: [127.0.0.1]}]
`;
  const entry = (
    host: string,
    port: string,
    resolution: string,
    endpoints: string,
  ): string => `apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: ${host.split(".")[0]}, namespace: default}
spec:
  hosts: [${host}]
  ports: [${port}]
  resolution: ${resolution}
  endpoints: [${endpoints}]
`;
  return documents(
    echoDeployment({ name: "client", app: "client" }),
    backed("a", "default", ports.a),
    backed("b", "default", ports.b),
    backed("shop", "shop", ports.shop),
    backed("private", "shop", ports.shop, "networking.istio.io/exportTo: ."),
    entry(
      "static.example.com",
      "{number: 80, name: http, protocol: HTTP}",
      "STATIC",
      `{address: 127.0.0.1, ports: {http: ${ports.a}}}, {address: 127.0.0.1, ports: {http: ${ports.b}}}`,
    ),
    entry(
      "named.example.com",
      "{number: 8085, name: http, protocol: HTTP}",
      "DNS",
      `{address: localhost, ports: {http: ${ports.shop}}}`,
    ),
    entry(
      "localhost.example.com",
      `{number: 80, name: http, protocol: HTTP, targetPort: ${ports.a}}`,
      "DNS",
      "{address: localhost}",
    ),
  );
}

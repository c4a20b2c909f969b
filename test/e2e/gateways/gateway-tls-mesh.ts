// The mesh of gateway-tls.test.ts: one gateway with a server of every TLS mode, and what it leads to.
import { CERTIFICATE, KEY } from "../../golden/tls-material.ts";
import { selfSigned, type TestCertificate, tlsSecret } from "../../support/certificate.ts";
import { documents, echoDeployment, service } from "../../support/workloads.ts";

/** Where what the gateways lead to listens on this machine. */
export interface Backends {
  readonly web: number;
  readonly secure: number;
  /** Asks for the client's certificate. */
  readonly checked: number;
  readonly echo: number;
  readonly other: number;
}

interface Material {
  readonly server: TestCertificate;
  readonly client: TestCertificate;
  /** Paths of files with the server's. */
  readonly files: { readonly certificate: string; readonly key: string };
}

export const gateways = ({ files }: Material): string => `apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: front}
spec:
  selector: {istio: ingressgateway}
  servers:
  - {port: {number: 443, name: https, protocol: HTTPS}, hosts: [simple.example.com], tls: {mode: SIMPLE, credentialName: server}}
  - port: {number: 443, name: https-two, protocol: HTTPS}
    hosts: [golden.example]
    tls: {mode: SIMPLE, credentialNames: [rsa, ecdsa]}
  - port: {number: 443, name: https-new, protocol: HTTPS}
    hosts: [new.example.com]
    tls: {mode: SIMPLE, credentialName: server, minProtocolVersion: TLSV1_3}
  - port: {number: 443, name: https-mutual, protocol: HTTPS}
    hosts: [mutual.example.com]
    tls: {mode: MUTUAL, credentialName: server}
  - port: {number: 443, name: https-named, protocol: HTTPS}
    hosts: [named.example.com]
    tls: {mode: MUTUAL, credentialName: server, subjectAltNames: [nobody.example.com]}
  - port: {number: 443, name: https-optional, protocol: HTTPS}
    hosts: [optional.example.com]
    tls: {mode: OPTIONAL_MUTUAL, credentialName: server}
  - port: {number: 443, name: https-late, protocol: HTTPS}
    hosts: [late.example.com]
    tls: {mode: SIMPLE, credentialName: late}
  - port: {number: 443, name: https-files, protocol: HTTPS}
    hosts: [files.example.com]
    tls: {mode: SIMPLE, serverCertificate: ${files.certificate}, privateKey: ${files.key}}
  - port: {number: 443, name: https-lost, protocol: HTTPS}
    hosts: [lost.example.com]
    tls: {mode: SIMPLE, serverCertificate: /nowhere/c.pem, privateKey: /nowhere/k.pem}
  - port: {number: 443, name: https-later, protocol: HTTPS}
    hosts: [later.example.com]
    tls: {mode: SIMPLE, serverCertificate: ${files.certificate}.later, privateKey: ${files.key}.later}
  - {port: {number: 443, name: tls-echo, protocol: TLS}, hosts: [echo.example.com], tls: {mode: SIMPLE, credentialName: server}}
  - {port: {number: 443, name: tls-passed, protocol: TLS}, hosts: ["*.pass.example.com"], tls: {}}
  - {port: {number: 15443, name: tls, protocol: TLS}, hosts: ["*.local"], tls: {mode: AUTO_PASSTHROUGH}}
  - {port: {number: 9000, name: tcp, protocol: TCP}, hosts: ["*"]}
`;

/** VirtualServices for all of it; connections in plaintext are shared by these weights. */
export const rules = (echo: number, other: number): string =>
  documents(
    `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: requests}
spec: {hosts: ["*.example.com", golden.example], gateways: [front], http: [{route: [{destination: {host: web.example.com, port: {number: 80}}}]}]}
`,
    `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: connections}
spec:
  hosts: ["*"]
  gateways: [front]
  tcp:
  - match: [{port: 9000}]
    route:
    - {destination: {host: echo.example.com, port: {number: 7}}, weight: ${echo}}
    - {destination: {host: other.example.com, port: {number: 7}}, weight: ${other}}
  - {match: [{port: 443}], route: [{destination: {host: echo.example.com, port: {number: 7}}}]}
  tls:
  - match: [{sniHosts: [one.pass.example.com, simple.example.com]}]
    route: [{destination: {host: secure.example.com, port: {number: 443}}}]
`,
  );

/** An egress gateway, to which the sidecars speak mutual TLS, and which speaks TLS to the world outside. */
const egress = `apiVersion: v1
kind: Service
metadata: {name: istio-egressgateway, namespace: istio-system}
spec: {selector: {istio: egressgateway}, ports: [{name: https, port: 443}]}
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: egress}
spec:
  selector: {istio: egressgateway}
  servers:
  - {port: {number: 443, name: https, protocol: HTTPS}, hosts: [outside.example.com], tls: {mode: ISTIO_MUTUAL}}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: to-egress}
spec:
  host: istio-egressgateway.istio-system.svc.cluster.local
  subsets: [{name: outside, trafficPolicy: {tls: {mode: ISTIO_MUTUAL, sni: outside.example.com}}}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: by-egress}
spec:
  hosts: [outside.example.com]
  gateways: [mesh, egress]
  http:
  - match: [{gateways: [mesh], port: 80}]
    route: [{destination: {host: istio-egressgateway.istio-system.svc.cluster.local, subset: outside, port: {number: 443}}}]
  - match: [{gateways: [egress], port: 443}]
    route: [{destination: {host: outside.example.com, port: {number: 443}}}]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: outside}
spec:
  host: outside.example.com
  trafficPolicy:
    portLevelSettings:
    - port: {number: 443}
      tls: {mode: MUTUAL, credentialName: outside, sni: checked.example.com, subjectAltNames: [checked.example.com]}
`;

const entry = (host: string, ports: string, target: number): string => `apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: ${host.split(".")[0]}}
spec: {hosts: [${host}], ports: [${ports}], resolution: STATIC, endpoints: [{address: 127.0.0.1, ports: {p: ${target}}}]}
`;

/** What stands behind the gateways, and a workload of the mesh. */
export function workloads({ web, secure, checked, echo, other }: Backends): string {
  return documents(
    entry("web.example.com", "{number: 80, name: p, protocol: HTTP}", web),
    entry("secure.example.com", "{number: 443, name: p, protocol: TLS}", secure),
    entry("echo.example.com", "{number: 7, name: p, protocol: TCP}", echo),
    entry("other.example.com", "{number: 7, name: p, protocol: TCP}", other),
    `apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: outside}
spec:
  hosts: [outside.example.com]
  ports: [{number: 80, name: http, protocol: HTTP}, {number: 443, name: p, protocol: HTTP}]
  resolution: STATIC
  endpoints: [{address: 127.0.0.1, ports: {p: ${checked}}}]
`,
    service("client"),
    echoDeployment({ name: "client", app: "client" }),
    egress,
  );
}

/**
 * The Secrets of the gateways' namespace: of the servers, with the authority that signed the clients' certificates; and
 * of the egress gateway, which is such a client itself, with the authority of the world outside.
 */
export function secrets({ server, client, backend }: Material & { readonly backend: TestCertificate }): string {
  return documents(
    `apiVersion: v1\nkind: Secret\nmetadata: {name: outside, namespace: istio-system}\nstringData: ` +
      JSON.stringify({ cert: client.certificate, key: client.key, cacert: backend.certificate }) +
      "\n",
    tlsSecret("server", "istio-system", server),
    tlsSecret("rsa", "istio-system", selfSigned(["golden.example"])),
    tlsSecret("ecdsa", "istio-system", { certificate: CERTIFICATE, key: KEY }),
    `apiVersion: v1\nkind: Secret\nmetadata: {name: server-cacert, namespace: istio-system}\n` +
      `stringData: ${JSON.stringify({ cacert: client.certificate })}\n`,
  );
}

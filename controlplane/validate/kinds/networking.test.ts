import { describe } from "vitest";
import { accepts, refuses, warns } from "./testing.ts";

describe("DestinationRule", () => {
  refuses([
    ["DestinationRule", "{}", "host: is required"],
    ["DestinationRule", "{host: a, subsets: [{name: v1}, {name: v1}]}", 'subsets[1].name: subset "v1" is given twice'],
    ["DestinationRule", "{host: a, subsets: [{name: 'a|b'}]}", "subsets[0].name: must be"],
    ["DestinationRule", "{host: a, subsets: [{name: v1, labels: {version: 1}}]}", "labels.version: must be text"],
    [
      "DestinationRule",
      "{host: a, trafficPolicy: {loadBalancer: {simple: ROUND_ROBBIN}}}",
      'did you mean "ROUND_ROBIN"?',
    ],
    [
      "DestinationRule",
      "{host: a, trafficPolicy: {loadBalancer: {simple: RANDOM, consistentHash: {useSourceIp: true}}}}",
      "only one of simple, consistentHash",
    ],
    [
      "DestinationRule",
      "{host: a, trafficPolicy: {loadBalancer: {consistentHash: {}}}}",
      "one of httpHeaderName, httpCookie",
    ],
    [
      "DestinationRule",
      "{host: a, trafficPolicy: {loadBalancer: {consistentHash: {useSourceIp: true, maglev: {tableSize: 100}}}}}",
      "must be a prime number",
    ],
    [
      "DestinationRule",
      "{host: a, trafficPolicy: {tls: {mode: MUTUAL}}}",
      "clientCertificate: is required by mode MUTUAL",
    ],
    [
      "DestinationRule",
      "{host: a, trafficPolicy: {connectionPool: {}}}",
      "connectionPool: must have at least one field",
    ],
    [
      "DestinationRule",
      "{host: a, trafficPolicy: {connectionPool: {http: {h2UpgradePolicy: UPGRADE, useClientProtocol: true}}}}",
      "useClientProtocol: cannot stand beside h2UpgradePolicy UPGRADE",
    ],
    [
      "DestinationRule",
      "{host: a, trafficPolicy: {connectionPool: {tcp: {connectTimeout: 2.000000005s}}}}",
      "connectTimeout: must be whole milliseconds",
    ],
    ...["SIMPLE", "MUTUAL"].map(
      (mode) =>
        [
          "DestinationRule",
          `{host: a, trafficPolicy: {tls: {mode: ${mode}, insecureSkipVerify: true, subjectAltNames: [a]}}}`,
          "subjectAltNames: cannot stand beside insecureSkipVerify",
        ] as const,
    ),
    [
      "DestinationRule",
      "{host: a, trafficPolicy: {tls: {mode: SIMPLE, credentialName: 'configmap://x'}}}",
      "credentialName: of a ConfigMap is not supported yet",
    ],
    [
      "DestinationRule",
      "{host: a, trafficPolicy: {tls: {mode: SIMPLE, credentialName: x, insecureSkipVerify: true}}}",
      "credentialName: cannot stand beside insecureSkipVerify",
    ],
    [
      "DestinationRule",
      "{host: a, trafficPolicy: {tls: {mode: MUTUAL, credentialName: x, caCrl: /crl.pem}}}",
      "caCrl: cannot stand beside credentialName",
    ],
    [
      "DestinationRule",
      "{host: a, trafficPolicy: {outlierDetection: {consecutiveLocalOriginFailures: 2}}}",
      "consecutiveLocalOriginFailures: needs splitExternalLocalOriginErrors",
    ],
    [
      "DestinationRule",
      "{host: a, trafficPolicy: {loadBalancer: {consistentHash: {useSourceIp: true, maglev: {}}}}}",
      "maglev.tableSize: is required",
    ],
    [
      "DestinationRule",
      "{host: a, trafficPolicy: {loadBalancer: {consistentHash: {useSourceIp: true, minimumRingSize: 5, ringHash: {}}}}}",
      "ringHash: cannot stand beside minimumRingSize",
    ],
    ["DestinationRule", "{host: a, trafficPolicy: {proxyProtocol: {version: V3}}}", "version: must be one of V1, V2"],
    ["DestinationRule", "{host: a, workloadSelector: {labels: {a: b}}}", 'unknown field "labels"'],
    [
      "DestinationRule",
      "{host: a, trafficPolicy: {tunnel: {targetHost: a, targetPort: 1}}}",
      "tunnel: is not supported",
    ],
    [
      "DestinationRule",
      "{host: a, trafficPolicy: {portLevelSettings: [{port: {number: 80}}, {port: {number: 80}}]}}",
      "port 80 is given twice",
    ],
    ["DestinationRule", "{host: a, trafficPolicy: {portLevelSettings: [{}]}}", "port: is required"],
    [
      "DestinationRule",
      "{host: a, trafficPolicy: {outlierDetection: {maxEjectionPercent: 101}}}",
      "must be between 0 and 100",
    ],
    [
      "DestinationRule",
      "{host: a, trafficPolicy: {connectionPool: {tcp: {connectTimeout: 0s}}}}",
      "connectTimeout: must be at least 1ms",
    ],
  ]);
  const locality = (setting: string) => `{host: a, trafficPolicy: {loadBalancer: {localityLbSetting: ${setting}}}}`;
  refuses([
    ["DestinationRule", locality("{distribute: [{from: a/b, to: {a/b: 95}}]}"), "must be 100 together, not 95"],
    ["DestinationRule", locality("{distribute: [{from: a, to: {a: 50, a/b: 50}}]}"), "overlaps with a locality"],
    ["DestinationRule", locality("{failover: [{from: a, to: a}]}"), "must be another region"],
    ["DestinationRule", locality("{failover: [{from: a/b, to: c}]}"), "from: must be a region"],
    ["DestinationRule", locality("{enabled: perhaps}"), "enabled: must be true or false"],
    [
      "DestinationRule",
      "{host: a, trafficPolicy: {loadBalancer: {warmup: {minimumPercent: 5}}}}",
      "duration: is required",
    ],
    [
      "DestinationRule",
      "{host: a, trafficPolicy: {loadBalancer: {warmup: {duration: 1s, minimumPercent: 150}}}}",
      "minimumPercent: must be between 0 and 100",
    ],
    [
      "DestinationRule",
      "{host: a, trafficPolicy: {connectionPool: {http: {http2KeepAlive: {timeout: 1s}}}}}",
      "interval: is required",
    ],
  ]);
  warns([
    [
      "DestinationRule",
      locality("{failoverPriority: [topology.kubernetes.io/region]}"),
      "failoverPriority: needs outlierDetection beside it",
    ],
    [
      "DestinationRule",
      "{host: a, trafficPolicy: {loadBalancer: {simple: RANDOM, warmup: {duration: 1s}}}}",
      "warmup: has no effect but on ROUND_ROBIN and LEAST_REQUEST",
    ],
    [
      "DestinationRule",
      "{host: a, subsets: [{name: b, trafficPolicy: {portLevelSettings: [{port: {number: 1}, tls: {mode: SIMPLE, credentialName: x}}]}}]}",
      "subsets[0].trafficPolicy.portLevelSettings[0].tls.credentialName: is for every client here",
    ],
    [
      "DestinationRule",
      "{host: a, trafficPolicy: {loadBalancer: {simple: PASSTHROUGH}}}",
      "simple: has no original address",
    ],
  ]);
  accepts([
    ["DestinationRule", "{host: '*.svc.cluster.local', trafficPolicy: {tls: {mode: ISTIO_MUTUAL}}}"],
    ["DestinationRule", "{host: a, trafficPolicy: {tls: {mode: ISTIO_MUTUAL, caCertificates: x}}}"],
    [
      "DestinationRule",
      "{host: a, trafficPolicy: {tls: {mode: SIMPLE, clientCertificate: /c.pem, privateKey: /k.pem}}}",
    ],
    ["DestinationRule", "{host: a, trafficPolicy: {loadBalancer: {zoneAwareLbSetting: {}}}}"],
    ["DestinationRule", "{host: a, trafficPolicy: {loadBalancer: {warmupDurationSecs: 300s}}, workloadSelector: {}}"],
    ["DestinationRule", "{host: a, trafficPolicy: {retryBudget: {percent: 30, minRetryConcurrency: 5}}}"],
    ["DestinationRule", locality("{distribute: [{from: a/*, to: {a/*: 80, b: 20}}]}")],
    [
      "DestinationRule",
      "{host: a, trafficPolicy: {connectionPool: {http: {http2KeepAlive: {interval: 15s, timeout: 5s}}}}}",
    ],
    [
      "DestinationRule",
      "{host: a, subsets: [{name: v1}, {name: V2_x}], trafficPolicy: {loadBalancer: {consistentHash: " +
        "{httpCookie: {name: user, ttl: 0s}, maglev: {tableSize: 65537}}}}}",
    ],
  ]);
});

describe("Gateway", () => {
  const server = (fields: string) => `{selector: {istio: gw}, servers: [{hosts: ["*"], ${fields}}]}`;
  const https = "port: {number: 443, name: https, protocol: HTTPS}";
  refuses([
    ["Gateway", "{}", "servers: is required"],
    [
      "Gateway",
      server("port: {number: 80, name: http, protocol: SPDY}"),
      "protocol: must be one of HTTP, HTTPS, HTTP2, GRPC",
    ],
    ["Gateway", server("port: {number: 70000, name: http, protocol: HTTP}"), "number: must be between 1 and 65535"],
    ["Gateway", server(https), "tls: is required by protocol HTTPS"],
    [
      "Gateway",
      server(
        `${https}, tls: {mode: SIMPLE, credentialName: c, minProtocolVersion: TLSV1_3, maxProtocolVersion: TLSV1_2}`,
      ),
      "minProtocolVersion: is above maxProtocolVersion",
    ],
    ["Gateway", server(`${https}, tls: {mode: SIMPLE}`), "credentialName: is required by mode SIMPLE"],
    [
      "Gateway",
      server(`${https}, tls: {mode: MUTUAL, serverCertificate: /c, privateKey: /k}`),
      "caCertificates: is required",
    ],
    ["Gateway", server(`${https}, tls: {mode: ISTIO_MUTUAL, credentialName: c}`), "credentialName: cannot be given"],
    ["Gateway", server(`${https}, tls: {mode: SIMPLE, serverCertificate: /c}`), "tls.privateKey: is required"],
    [
      "Gateway",
      server(`${https}, tls: {mode: SIMPLE, credentialName: a, credentialNames: [b]}`),
      "credentialNames: cannot stand beside credentialName",
    ],
    ["Gateway", server(`${https}, tls: {mode: ISTIO_MUTUAL, caCrl: /crl}`), "caCrl: cannot be given"],
    [
      "Gateway",
      server(`${https}, tls: {mode: MUTUAL, credentialName: c, caCrl: /crl}`),
      "caCrl: cannot stand beside credentialName",
    ],
    [
      "Gateway",
      server(
        `${https}, tls: {mode: MUTUAL, credentialName: c, verifyCertificateSpki: [x], verifyCertificateHash: [y]}`,
      ),
      "verifyCertificateSpki[0]: must be a SHA-256 in base64",
    ],
    ["Gateway", server("port: {number: 80, name: tcp, protocol: TCP}, tls: {}"), "tls: cannot be given: protocol TCP"],
    [
      "Gateway",
      server("port: {number: 80, name: http, protocol: HTTP}, tls: {mode: SIMPLE}"),
      "tls.mode: needs protocol HTTPS or TLS",
    ],
    [
      "Gateway",
      "{selector: {a: b}, servers: [{hosts: [a/b/c], port: {number: 80, name: http, protocol: HTTP}}]}",
      "hosts[0]: must be a host",
    ],
    [
      "Gateway",
      "{selector: {a: b}, servers: [{hosts: [a], port: {number: 80, name: http, protocol: HTTP}}, {hosts: [b], " +
        "port: {number: 81, name: http, protocol: HTTP}}]}",
      'port name "http" is given twice',
    ],
    [
      "Gateway",
      "{selector: {a: b}, servers: [{hosts: [a], port: {number: 80, name: http, protocol: HTTP}}, {hosts: [b], " +
        "port: {number: 80, name: b, protocol: HTTPS}, tls: {mode: SIMPLE, credentialName: c}}]}",
      "port 80 is both TLS and plaintext",
    ],
  ]);
  warns([
    [
      "Gateway",
      server("port: {number: 80, name: dns, protocol: UDP}"),
      "protocol: UDP is not supported yet: this server",
    ],
    ["Gateway", server(`${https}, tls: {credentialName: c}`), "credentialName: is not used by mode PASSTHROUGH"],
    [
      "Gateway",
      server(`${https}, tls: {mode: SIMPLE, credentialName: c, subjectAltNames: [a]}`),
      "subjectAltNames: is not asked for by mode SIMPLE",
    ],
    [
      "Gateway",
      server(`${https}, tls: {mode: MUTUAL, credentialName: c, insecureSkipVerify: true}`),
      "insecureSkipVerify: has no effect: whoever shows a certificate is checked by it",
    ],
    [
      "Gateway",
      server(`${https}, tls: {mode: SIMPLE, credentialName: c, minProtocolVersion: TLSV1_1}`),
      "allows versions for which no cipher suite is allowed",
    ],
    ["Gateway", server(`${https}, tls: {mode: SIMPLE, credentialName: c, ecdhCurves: [x]}`), "Envoy knows no curve"],
    [
      "Gateway",
      server("port: {number: 80, name: http, protocol: HTTP}, tls: {credentialName: c}"),
      "credentialName: has no effect: protocol HTTP is plaintext",
    ],
    ["Gateway", server(`${https}, tls: {mode: SIMPLE, credentialName: c, cipherSuites: [a]}`), "is not opened"],
  ]);
  accepts([
    ["Gateway", server(`${https}, tls: {mode: SIMPLE, credentialName: A_B}`)],
    [
      "Gateway",
      server(
        `${https}, tls: {mode: SIMPLE, credentialName: c, minProtocolVersion: TLSV1_2, cipherSuites: [AES128-SHA, a]}`,
      ),
    ],
    ["Gateway", server("port: {number: 5432, name: db, protocol: tcp}")],
    ["Gateway", server(`${https}, tls: {mode: OPTIONAL_MUTUAL, credentialNames: [a, b], caCertCredentialName: c}`)],
    ["Gateway", server("port: {number: 443, name: tls, protocol: TLS}, tls: {}")],
    [
      "Gateway",
      server(
        `${https}, tls: {mode: MUTUAL, credentialName: c, verifyCertificateHash: [${"AB:".repeat(31)}ab], ` +
          `verifyCertificateSpki: ["${"a".repeat(43)}="]}`,
      ),
    ],
    ["Gateway", "{servers: [{hosts: ['*'], port: {number: 80, name: http, protocol: HTTP}}]}"],
    [
      "Gateway",
      "{selector: {a: b}, servers: [{hosts: [./a.com, ns/*.b.com, '*/c.com'], port: {number: 80, name: http, " +
        "protocol: http2}, tls: {httpsRedirect: true}}]}",
    ],
  ]);
});

describe("ServiceEntry", () => {
  const port = "ports: [{number: 80, name: http, protocol: HTTP}]";
  refuses([
    ["ServiceEntry", `{hosts: [], ${port}}`, "hosts: must not be empty"],
    ["ServiceEntry", `{hosts: [a.com], ${port}, exportTo: ["~", ns1]}`, "exportTo: cannot be nobody (~) and somebody"],
    ["ServiceEntry", `{hosts: [a.com], ${port}, exportTo: [".", default]}`, 'namespace "default" is given twice'],
    ["ServiceEntry", `{hosts: ["*"], ${port}}`, "hosts[0]: must not be *"],
    ["ServiceEntry", `{hosts: ["*.a.com"], ${port}, resolution: DNS}`, "a wildcard cannot be looked up"],
    ["ServiceEntry", `{hosts: [a.com], ${port}, resolution: STATIC}`, "endpoints: is required by resolution STATIC"],
    [
      "ServiceEntry",
      `{hosts: [a.com], ${port}, endpoints: [{address: 1.2.3.4}]}`,
      "cannot be given with resolution NONE",
    ],
    [
      "ServiceEntry",
      `{hosts: [a.com], ${port}, resolution: STATIC, endpoints: [{address: b.com}]}`,
      "must be an IP address with resolution STATIC",
    ],
    [
      "ServiceEntry",
      `{hosts: [a.com], ${port}, resolution: DNS, endpoints: [{address: b.com, ports: {grpc: 1}}]}`,
      "is no port of this ServiceEntry",
    ],
    ["ServiceEntry", `{hosts: [a.com], ${port}, addresses: [1.2.3.4/33]}`, "addresses[0]: has no valid prefix length"],
    ["ServiceEntry", `{hosts: [a.com], ${port}, addresses: [x]}`, "addresses[0]: is not an IP address"],
    ["ServiceEntry", `{hosts: [a.com], ${port}, resolution: DYNAMIC_DNS}`, "hosts[0]: must be a wildcard"],
    [
      "ServiceEntry",
      "{hosts: ['*.a.com'], ports: [{number: 80, name: a, protocol: TCP}], resolution: DYNAMIC_DNS}",
      "ports[0].protocol: must be one of HTTP, HTTP2, GRPC, TLS",
    ],
    [
      "ServiceEntry",
      "{hosts: ['*.a.com'], addresses: [1.2.3.4], ports: [{number: 80, name: a, protocol: HTTP}], resolution: DYNAMIC_DNS}",
      "addresses: cannot be given with resolution DYNAMIC_DNS",
    ],
    [
      "ServiceEntry",
      `{hosts: [a.com], ${port}, resolution: DNS, endpoints: [{address: 'unix:///a'}]}`,
      "needs resolution STATIC",
    ],
    [
      "ServiceEntry",
      "{hosts: [a.com], ports: [{number: 80, name: a}, {number: 80, name: b}]}",
      "port 80 is given twice",
    ],
  ]);
  accepts([
    ["ServiceEntry", "{hosts: [a.com]}"],
    ["ServiceEntry", "{hosts: ['*.a.com'], ports: [{number: 443, name: a, protocol: TLS}], resolution: DYNAMIC_DNS}"],
    ["ServiceEntry", "{hosts: [a.com], ports: [{number: 7070, name: a, protocol: ''}], resolution: DNS}"],
    ["ServiceEntry", `{hosts: [a.com], ${port}, resolution: STATIC, endpoints: [{network: n1}]}`],
    [
      "ServiceEntry",
      `{hosts: [a.com], ${port}, resolution: STATIC, location: MESH_INTERNAL, endpoints: [{address: 127.0.0.1, ` +
        "ports: {http: '8080'}, weight: 5}]}",
    ],
  ]);
});

describe("ProxyConfig", () => {
  refuses([
    ["ProxyConfig", "{concurrency: -1}", "concurrency: must be between 0 and 1024"],
    ["ProxyConfig", "{environmentVariables: {A: 1}}", "environmentVariables.A: must be text"],
    ["ProxyConfig", "{proxyMetadata: {}}", 'unknown field "proxyMetadata"'],
  ]);
  warns([["ProxyConfig", "{image: {imageType: debug}}", "image: has no effect: whoever starts Envoy says it"]]);
  accepts([["ProxyConfig", "{selector: {matchLabels: {a: b}}, concurrency: 0, environmentVariables: {A: b}}"]]);
});

describe("WorkloadEntry and WorkloadGroup", () => {
  const group = (probe: string) => `{template: {}, probe: ${probe}}`;
  refuses([
    ["WorkloadEntry", "{}", "address: is required"],
    ["WorkloadEntry", "{address: a_b}", "address: is not a host name"],
    ["WorkloadEntry", "{address: 'unix://a/b'}", "must be unix:// and the absolute path of a socket"],
    ["WorkloadEntry", "{address: 'unix:///a/'}", "must be unix:// and the absolute path of a socket"],
    ["WorkloadEntry", "{address: 'unix:///a', ports: {http: 80}}", "ports: cannot be given"],
    ["WorkloadEntry", "{address: 1.2.3.4, ports: {'@': 80}}", "is not the name of a port"],
    ["WorkloadEntry", "{address: 1.2.3.4, ports: {http: 0}}", "must be between 1 and 65535"],
    ["WorkloadEntry", "{address: 1.2.3.4, serviceAccount: a/b}", "serviceAccount: must be"],
    ["WorkloadGroup", "{}", "template: is required"],
    ["WorkloadGroup", "{template: {address: 'unix://a'}}", "template.address: must be unix://"],
    ["WorkloadGroup", group("{}"), "probe: must have one of httpGet, tcpSocket, exec, grpc"],
    ["WorkloadGroup", group("{httpGet: {port: 80}, tcpSocket: {port: 80}}"), "tcpSocket"],
    [
      "WorkloadGroup",
      group("{httpGet: {port: 80, httpHeaders: [{name: '**'}]}}"),
      "httpHeaders[0].name: must be letters",
    ],
    ["WorkloadGroup", group("{httpGet: {port: 80, scheme: ftp}}"), "scheme: must be one of HTTP, HTTPS"],
    ["WorkloadGroup", group("{exec: {command: []}}"), "command: must not be empty"],
  ]);
  warns([
    ["WorkloadEntry", "{network: n}", "has no address, and so no traffic"],
    ["WorkloadGroup", "{template: {}}", "template: has no effect: workloads do not register themselves"],
  ]);
  accepts([
    ["WorkloadEntry", "{address: a.com, ports: {HTTP: 80}, weight: 2, locality: a/b/c}"],
    ["WorkloadEntry", "{address: 'unix://@a'}"],
  ]);
});

describe("Sidecar and PeerAuthentication", () => {
  const ingress = (fields: string) => `{ingress: [{port: {number: 80, protocol: HTTP, name: http}, ${fields}}]}`;
  warns([["Sidecar", ingress("bind: 10.0.0.1"), "ingress[0].bind: has no effect without captureMode NONE"]]);
  accepts([
    ["Sidecar", ingress("bind: 10.0.0.1, captureMode: NONE")],
    ["Sidecar", ingress("tls: {mode: SIMPLE, serverCertificate: /c, privateKey: /k}").replace("HTTP", "HTTPS")],
    ["Sidecar", "{egress: [{port: {number: 80, protocol: HTTP}, bind: 127.0.0.1, captureMode: NONE, hosts: ['*/*']}]}"],
    ["Sidecar", "{outboundTrafficPolicy: {mode: ALLOW_ANY, egressProxy: {host: a.com, port: {number: 3128}}}}"],
  ]);
  refuses([
    ["Sidecar", "{}", "must have egress or outboundTrafficPolicy"],
    ["PeerAuthentication", "{selector: {matchLabels: {a: b}}, portLevelMtls: {}}", "must have at least one port"],
    ["Sidecar", "{egress: [{hosts: [a.com]}]}", "must be namespace/host"],
    ["Sidecar", "{egress: [{hosts: []}]}", "hosts: must not be empty"],
    ["Sidecar", "{egress: [{hosts: ['!/a']}]}", "hosts[0]: must be"],
    ["Sidecar", ingress("defaultEndpoint: '10.0.0.1:80'"), "defaultEndpoint: must be 127.0.0.1:PORT"],
    ["Sidecar", ingress("defaultEndpoint: 'unix://a'"), "defaultEndpoint: must be unix://"],
    ["Sidecar", ingress("tls: {mode: SIMPLE, credentialName: a}"), "tls: needs protocol HTTPS"],
    ["Sidecar", ingress("connectionPool: {}"), "connectionPool: must have at least one field"],
    [
      "Sidecar",
      "{egress: [{hosts: ['*/*']}, {port: {number: 80, protocol: HTTP}, hosts: ['*/*']}]}",
      "it must be the last",
    ],
    [
      "Sidecar",
      "{outboundTrafficPolicy: {mode: REGISTRY_ONLY, egressProxy: {host: a}}}",
      "egressProxy: needs mode ALLOW_ANY",
    ],
    ["Sidecar", "{workloadSelector: {labels: {a: b}}}", "must have egress or outboundTrafficPolicy"],
    ["PeerAuthentication", "{mtls: {mode: strict}}", 'did you mean "STRICT"?'],
    ["PeerAuthentication", "{portLevelMtls: {'80': {mode: STRICT}}}", "portLevelMtls: needs a selector"],
    ["PeerAuthentication", "{selector: {matchLabels: {a: b}}, portLevelMtls: {http: {mode: STRICT}}}", "is no port"],
  ]);
  accepts([
    [
      "Sidecar",
      "{egress: [{hosts: ['./*', '*/a.com', '~/*', ns/*.b.com]}], outboundTrafficPolicy: {mode: REGISTRY_ONLY}}",
    ],
    ["Sidecar", "{workloadSelector: {}, egress: [{hosts: ['*/*', '~ns1/*']}]}"],
    ["PeerAuthentication", "{}"],
    ["PeerAuthentication", "{selector: {matchLabels: {a: b}}, portLevelMtls: {8080: {mode: DISABLE}}}"],
  ]);
});

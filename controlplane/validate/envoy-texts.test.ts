// What Envoy would refuse, open or leave out is said before it is asked.
import { describe, expect, it } from "vitest";
import { accepts, faults, refuses, warns } from "./kinds/testing.ts";

const RELATIVE = "is looked for where the proxy was started: write a path from /";
const client = (tls: string) => `{host: a, trafficPolicy: {tls: {${tls}}}}`;
const server = (tls: string) =>
  `{servers: [{port: {number: 443, name: https, protocol: HTTPS}, hosts: [a.com], tls: {${tls}}}]}`;
const ingress = (port: string, more: string) => `{ingress: [{port: {${port}}, ${more}}]}`;

describe("names and files of TLS", () => {
  refuses([
    ["DestinationRule", client(`mode: SIMPLE, sni: ${"x".repeat(256)}`), "tls.sni: must be at most 255 bytes"],
    ["DestinationRule", client(`mode: ISTIO_MUTUAL, sni: ${"é".repeat(128)}`), "tls.sni: must be at most 255 bytes"],
    ["DestinationRule", client("mode: SIMPLE, caCertificates: ''"), "caCertificates: must not be empty"],
    ["DestinationRule", client("mode: SIMPLE, caCertificates: ' '"), "caCertificates: must name a file"],
    ["DestinationRule", client('mode: SIMPLE, caCrl: "/a\\nb"'), "caCrl: must name a file: no path has a line break"],
    ["Gateway", server("mode: SIMPLE, serverCertificate: ' ', privateKey: /k"), "serverCertificate: must name a file"],
    [
      "Gateway",
      server("mode: SIMPLE, tlsCertificates: [{serverCertificate: /c, privateKey: ' '}]"),
      "tlsCertificates[0].privateKey: must name a file",
    ],
  ]);
  warns([
    ["DestinationRule", client("mode: SIMPLE, caCertificates: ca.pem"), `caCertificates: ${RELATIVE}`],
    ["DestinationRule", client("mode: MUTUAL, clientCertificate: c, privateKey: /k"), `clientCertificate: ${RELATIVE}`],
    ["DestinationRule", client("mode: SIMPLE, caCrl: system"), `caCrl: ${RELATIVE}`],
    ["Gateway", server("mode: SIMPLE, serverCertificate: c.pem, privateKey: /k"), `serverCertificate: ${RELATIVE}`],
    [
      "Gateway",
      server("mode: MUTUAL, serverCertificate: /c, privateKey: /k, caCertificates: ca"),
      `caCertificates: ${RELATIVE}`,
    ],
    [
      "Sidecar",
      ingress("number: 80, protocol: HTTPS", "tls: {mode: SIMPLE, serverCertificate: c, privateKey: /k}"),
      `tls.serverCertificate: ${RELATIVE}`,
    ],
  ]);
  it("are taken where they are good", () => {
    expect(
      faults(
        "DestinationRule",
        `spec: ${client(`mode: SIMPLE, caCertificates: system, sni: ${"x".repeat(255)}`)}`,
        "warning",
      ),
    ).toEqual([]);
  });
});

describe("a list of conditions to try again", () => {
  const retried = (on: string) =>
    `{hosts: [a], http: [{route: [{destination: {host: b}}], retries: {attempts: 1, retryOn: ${on}}}]}`;
  refuses([
    ["VirtualService", retried('"5xx,\\nreset"'), "retryOn: must not contain a line break"],
    ["VirtualService", retried('"5xx\\n"'), "retryOn: must not contain a line break"],
  ]);
});

describe("the value of a metric's label", () => {
  const tag = (value: string) => `{metrics: [{overrides: [{tagOverrides: {request_host: {value: ${value}}}}]}]}`;
  refuses([
    ["Telemetry", tag('"request.("'), "request_host.value: "],
    ["Telemetry", tag('"request.host |"'), "request_host.value: "],
    ["Telemetry", tag('".."'), "request_host.value: "],
  ]);
  accepts([["Telemetry", tag("\"request.headers['x-a']\"")]]);
});

describe("the mesh's trust domains", () => {
  const said = (mesh: string) =>
    faults("ConfigMap", `data: {mesh: '${mesh}'}`, "error", "istio", "istio-system").join();
  it("are domains, aliases too", () => {
    expect(said("trustDomainAliases: [old.example, A_B]")).toContain(
      "trustDomainAliases[1]: must be a domain in lower case, without port",
    );
    expect(said('trustDomainAliases: ["old.example\\n"]')).toContain("trustDomainAliases[0]: must be a domain");
    expect(said("trustDomainAliases: [old.example., a-b]")).toBe("");
  });
});

describe("what the application's side of a pool does not obey", () => {
  const noUpgrade = "http.h2UpgradePolicy: has no effect on what comes in";
  warns([
    ["Sidecar", "{inboundConnectionPool: {http: {h2UpgradePolicy: UPGRADE}}}", `inboundConnectionPool.${noUpgrade}`],
    [
      "Sidecar",
      ingress("number: 80, protocol: HTTP", "connectionPool: {http: {h2UpgradePolicy: UPGRADE}}"),
      `ingress[0].connectionPool.${noUpgrade}`,
    ],
    [
      "Sidecar",
      ingress("number: 80, protocol: tcp", "connectionPool: {http: {idleTimeout: 3s}}"),
      "ingress[0].connectionPool.http: has no effect on a port of TCP",
    ],
  ]);
  refuses([
    [
      "Sidecar",
      "{inboundConnectionPool: {http: {h2UpgradePolicy: UPGRADE, useClientProtocol: true}}}",
      "useClientProtocol: cannot stand beside h2UpgradePolicy UPGRADE",
    ],
  ]);
});

describe("an ExternalName that is an address", () => {
  warns([
    ["Service", "{type: ExternalName, externalName: 10.0.0.1}", "externalName: is an address"],
    ["Service", "{type: ExternalName, externalName: '::1'}", "externalName: is an address"],
  ]);
});

import { generateKeyPairSync } from "node:crypto";
import forge from "node-forge";
import { describe, expect, it } from "vitest";
import { faults, refuses, warns } from "./testing.ts";

describe("Kubernetes kinds", () => {
  refuses([
    ["Service", "{ports: [{port: 80}, {port: 81}]}", "ports[0].name: is required when a Service has several ports"],
    ["Service", "{ports: [{port: 80, name: a}, {port: 80, name: b}]}", "is given twice"],
    ["Service", "{ports: [{port: 80, targetPort: 0}]}", "targetPort: must be between 1 and 65535"],
    ["Service", "{selector: {app: 1}}", "selector.app: must be text"],
    ["Deployment", "{}", "template: is required"],
    ["Deployment", "{replicas: -1, template: {}}", "replicas: must be between 0 and 100000"],
    [
      "Deployment",
      "{selector: {matchLabels: {app: a}}, template: {metadata: {labels: {app: b}}}}",
      "does not match the labels of the pod template",
    ],
    ["Deployment", "{template: {metadata: {annotations: {scrim.mesh/local-command: ' '}}}}", "must not be empty"],
    [
      "Deployment",
      "{template: {metadata: {annotations: {proxy.istio.io/config: 'concurrency: many'}}}}",
      "concurrency: must be a whole number",
    ],
    [
      "Deployment",
      "{template: {metadata: {annotations: {scrim.mesh/engine: nativ}}}}",
      'must be wasm or native, not "nativ"',
    ],
    ["Deployment", "{template: {spec: {containers: [{env: [{name: A, value: 1}]}]}}}", "env[0].value: must be text"],
    [
      "Deployment",
      "{template: {spec: {containers: [{ports: [{containerPort: 80}, {containerPort: 80}]}]}}}",
      "is given twice",
    ],
  ]);
  it("EndpointSlice addresses are IP addresses", () => {
    expect(faults("EndpointSlice", "addressType: IPv4, endpoints: [{addresses: [localhost]}]").join()).toContain(
      'is not an IP address: "localhost"',
    );
  });
});

describe("Jobs", () => {
  refuses([
    ["Job", "{}", "template: is required"],
    ["Job", "{template: {metadata: {annotations: {scrim.mesh/local-command: ' '}}}}", "must not be empty"],
  ]);
  warns([
    [
      "Job",
      "{completions: 3, template: {}}",
      "parallelism: has no effect where the Job is run: its 3 pods run at once",
    ],
  ]);
});

describe("Secrets", () => {
  const keys = forge.pki.rsa.generateKeyPair(2_048);
  const certificate = forge.pki.createCertificate();
  certificate.publicKey = keys.publicKey;
  certificate.serialNumber = "01";
  certificate.validity.notBefore = new Date(0);
  certificate.validity.notAfter = new Date(4e12);
  certificate.setSubject([{ name: "commonName", value: "a" }]);
  certificate.setIssuer([{ name: "commonName", value: "a" }]);
  certificate.sign(keys.privateKey, forge.md.sha256.create());
  const certificatePem = JSON.stringify(forge.pki.certificateToPem(certificate));
  const keyPem = JSON.stringify(forge.pki.privateKeyToPem(keys.privateKey));
  const otherPem = JSON.stringify(
    generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.export({ type: "pkcs8", format: "pem" }),
  );

  it("of type tls hold a certificate and its key", () => {
    expect(
      faults("Secret", `type: kubernetes.io/tls, stringData: {tls.crt: ${certificatePem}, tls.key: ${keyPem}}`),
    ).toEqual([]);
    expect(
      faults("Secret", `stringData: {cert: ${certificatePem}, key: ${keyPem}, cacert: ${certificatePem}}`),
    ).toEqual([]);
  });

  it("are refused otherwise, and messages never show their content", () => {
    expect(faults("Secret", "type: kubernetes.io/tls")).toEqual([
      'data["tls.crt"]: is required by type kubernetes.io/tls',
      'data["tls.key"]: is required by type kubernetes.io/tls',
    ]);
    expect(faults("Secret", `stringData: {tls.crt: ${certificatePem}, tls.key: ${otherPem}}`)).toEqual([
      'stringData["tls.key"]: is not the key of tls.crt',
    ]);
    expect(faults("Secret", "data: {tls.crt: aGlkZGVu, tls.key: aGlkZGVu}")).toEqual([
      'data["tls.crt"]: is not a PEM certificate',
      'data["tls.key"]: is not a PEM private key',
    ]);
    expect(faults("Secret", "data: {password: 'hidden!'}")).toEqual(["data.password: is not base64"]);
    expect(faults("Secret", "data: {password: {deep: hidden}}").join()).not.toContain("hidden");
  });
});

describe("MeshConfig", () => {
  const config = (text: string, severity?: string) =>
    faults("ConfigMap", `data: {mesh: ${JSON.stringify(text)}}`, severity, "istio", "istio-system");
  it("is checked inside its ConfigMap", () => {
    expect(config("trustDomain: a.b\naccessLogFile: /dev/stdout\ndefaultConfig: {concurrency: 1}\n")).toEqual([]);
    expect(config("trustDomian: a.b")).toEqual([
      'data.mesh: trustDomian: unknown field "trustDomian"; did you mean "trustDomain"?',
    ]);
    expect(config("trustDomain: A:80")).toEqual([
      "data.mesh: trustDomain: must be a domain in lower case, without port",
    ]);
    expect(config("a: [")[0]).toContain("data.mesh: Flow sequence");
    expect(config(`# ${"x".repeat(70_000)}\ntrustDomain: a.b`)).toEqual([
      "data.mesh: is larger than 64 KiB: nothing that it may say takes so much",
    ]);
    expect(config("enableTracing: true", "warning")).toEqual([
      "data.mesh: enableTracing: is not supported yet and has no effect",
    ]);
  });
  it("has formats of access logs in JSON, in objects and lists, too", () => {
    const format = (json: unknown) =>
      config(JSON.stringify({ accessLogEncoding: "JSON", accessLogFormat: JSON.stringify(json) }));
    expect(format({ a: "%PROTOCOL%", b: [1, { c: "%REQ(:METHOD)%", d: null }] })).toEqual([]);
    expect(format({ a: [1, { b: "%FOO%" }] })).toEqual([
      'data.mesh: accessLogFormat: field "a.1.b" uses %FOO%, which is no operator of Envoy; write %% for a percent sign',
    ]);
    expect(format(["%PROTOCOL%"])[0]).toContain("must be a JSON object");
  });
  it("is not looked for elsewhere", () => {
    expect(faults("ConfigMap", "data: {mesh: 'trustDomian: x'}")).toEqual([]);
  });
});

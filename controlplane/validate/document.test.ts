import { describe, expect, it } from "vitest";
import { fileOrigin } from "../model/origin.ts";
import { validateDocument } from "./document.ts";
import { lines, networking, placeOf, validate } from "./testing.ts";

describe("violations", () => {
  it("carry file, line and column of the field, and come all at once", () => {
    const result = validate(
      networking(
        "VirtualService",
        [
          "hosts: [a/b]",
          "http:",
          "- route:",
          "  - destination: {host: reviews}",
          "    wieght: 3",
          "  - destination: {hostname: b}",
          "    weight: -1",
          "  timeout: fast",
          "  fault: {abort: {http2Error: x}}",
        ].join("\n"),
      ),
    );
    expect(result.kind).toBe("refused");
    expect(result.violations[0]).toMatchObject({ origin: { path: "f.yaml" }, object: "VirtualService/default/x" });
    expect(lines(result.violations)).toEqual([
      '9:7 error spec.http[0].route[0].wieght: unknown field "wieght"; did you mean "weight"?',
      '10:21 error spec.http[0].route[1].destination.hostname: unknown field "hostname"; did you mean "host"?',
      "10:7 error spec.http[0].route[1].destination.host: is required",
      "11:7 error spec.http[0].route[1].weight: must be at least 0, not -1",
      '12:5 error spec.http[0].timeout: is not a duration: write it like "2s", "0.5s" or "1m30s", not "fast"',
      "13:21 error spec.http[0].fault.abort.http2Error: is not supported yet: the object is refused",
      '5:11 error spec.hosts[0]: must be a host without a namespace or path, not "a/b"',
    ]);
  });

  it("warn of what has no effect without refusing the object", () => {
    const result = validate(networking("WorkloadGroup", "template:\n    serviceAccount: a"));
    expect(result.kind).toBe("accepted");
    expect(lines(result.violations)).toEqual([
      "5:3 warning spec.template: has no effect: workloads do not register themselves: write a WorkloadEntry for each",
    ]);
  });

  it("say which rules are never reached", () => {
    const result = validate(
      networking(
        "VirtualService",
        "hosts: [a.com]\nhttp:\n- route: [{destination: {host: a}}]\n- match: [{uri: {prefix: /b}}]\n" +
          "  route: [{destination: {host: b}}]",
      ),
    );
    expect(result.kind).toBe("accepted");
    expect(lines(result.violations)).toEqual([
      "8:5 warning spec.http[1]: is never reached: http[0] takes every request",
    ]);
  });
});

describe("accepted objects", () => {
  it("are frozen, normalized and placed", () => {
    const result = validate(
      networking(
        "Gateway",
        'selector: {istio: ingressgateway}\nservers:\n- port: {number: "80", name: http, protocol: http}\n' +
          '  hosts: ["*"]\n  tls: {httpsRedirect: yes}\n  bind: null',
      ),
    );
    if (result.kind !== "accepted") throw new Error(JSON.stringify(result));
    expect(result.object).toMatchObject({
      kind: "Gateway",
      apiVersion: "networking.istio.io/v1",
      metadata: { name: "x", namespace: "default", labels: {}, annotations: {} },
      origin: fileOrigin("f.yaml"),
    });
    expect(result.object.spec).toEqual({
      selector: { istio: "ingressgateway" },
      servers: [{ port: { number: 80, name: "http", protocol: "HTTP" }, hosts: ["*"], tls: { httpsRedirect: true } }],
    });
    expect(Object.isFrozen((result.object.spec as { servers: unknown[] }).servers[0])).toBe(true);
  });

  it("of Kubernetes keep only what is read", () => {
    const result = validate(
      "apiVersion: v1\nkind: Service\nmetadata: {name: a, uid: u, managedFields: [{}]}\nspec:\n" +
        "  sessionAffinity: None\n  ports: [{port: 80, targetPort: '9080', nodePort: 30000}]\n" +
        "status: {loadBalancer: {}}\n",
    );
    expect(result.kind === "accepted" && result.object.spec).toEqual({ ports: [{ port: 80, targetPort: 9_080 }] });
  });

  it("hold payloads that are not under spec, and a Pod's status beside its spec", () => {
    const slice = validate(
      "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\n" +
        "metadata: {name: a, labels: {kubernetes.io/service-name: a}}\naddressType: IPv4\n" +
        "endpoints: [{addresses: [10.0.0.1]}]\nports: [{port: 80}]\n",
    );
    expect(slice.kind === "accepted" && slice.object.spec).toEqual({
      addressType: "IPv4",
      endpoints: [{ addresses: ["10.0.0.1"] }],
      ports: [{ port: 80 }],
    });
    const pod = validate(
      "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {serviceAccountName: sa, nodeName: n}\n" +
        "status: {podIP: 127.1.2.3, phase: Running, hostIP: x}\n",
    );
    expect(pod.kind === "accepted" && pod.object.spec).toEqual({
      serviceAccountName: "sa",
      status: { podIP: "127.1.2.3", phase: "Running" },
    });
    const namespace = validate("apiVersion: v1\nkind: Namespace\nmetadata: {name: a, namespace: ignored}\n");
    expect(namespace.kind === "accepted" && namespace.object.metadata.namespace).toBe("");
  });
});

describe("kinds", () => {
  it.each<[string, string, string, string]>([
    [
      "apiVersion: networking.istio.io/v1alpha3\nkind: EnvoyFilter\nmetadata: {name: a}",
      "ignored",
      "error",
      "2:1 kind EnvoyFilter (networking.istio.io/v1alpha3) is not supported yet",
    ],
    [
      "apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {name: a}",
      "ignored",
      "error",
      "2:1 kind Gateway (gateway.networking.k8s.io/v1) is not supported yet",
    ],
    [
      "apiVersion: batch/v1\nkind: CronJob\nmetadata: {name: a}",
      "ignored",
      "warning",
      "2:1 kind CronJob (batch/v1) is not supported yet and has no effect: of workloads only Deployments, StatefulSets, DaemonSets, Jobs and Pods are known",
    ],
    [
      "apiVersion: networking.istio.io/v1\nkind: VirtualServce\nmetadata: {name: a}",
      "refused",
      "error",
      '2:1 unknown kind "VirtualServce" (networking.istio.io/v1); did you mean "VirtualService"?',
    ],
    [
      "apiVersion: networking.istio.io/v2\nkind: Gateway\nmetadata: {name: a}",
      "refused",
      "error",
      '1:1 "networking.istio.io/v2" is no version of Gateway: ' +
        "write networking.istio.io/v1 or networking.istio.io/v1beta1 or networking.istio.io/v1alpha3",
    ],
    [
      "apiVersion: istio.io/v1\nkind: Gateway\nmetadata: {name: a}",
      "refused",
      "error",
      '1:1 kind Gateway of "istio.io/v1" is not known: ' +
        "write networking.istio.io/v1 or networking.istio.io/v1beta1 or networking.istio.io/v1alpha3",
    ],
    ["apiVersion: v1\nmetadata: {name: a}", "refused", "error", "1:1 is required"],
    ["kind: Service\nmetadata: {name: a}", "refused", "error", "1:1 is required"],
    ["- 1", "refused", "error", "1:1 must be a map with apiVersion, kind and metadata"],
    ["just text", "refused", "error", "1:1 must be a map with apiVersion, kind and metadata"],
  ])("%j is %s", (text, outcome, severity, message) => {
    const result = validate(text);
    expect(result.kind).toBe(outcome);
    expect(result.violations.map((violation) => `${placeOf(violation.origin)} ${violation.message}`)).toEqual([
      message,
    ]);
    expect(result.violations[0]?.severity).toBe(severity);
  });

  it("JSON of another program is ignored, with a warning", () => {
    for (const value of [{ name: "x" }, [1], "text"]) {
      const result = validateDocument({ value, locate: () => fileOrigin("data.json") }, { strict: true });
      expect(result).toMatchObject({ kind: "ignored", violations: [{ severity: "warning", origin: { line: 1 } }] });
    }
  });

  it.each(["networking.istio.io/v1alpha3", "config.istio.io/v1alpha2"])("QuotaSpec is accepted as %s", (apiVersion) => {
    expect(
      validate(
        `apiVersion: ${apiVersion}\nkind: QuotaSpec\nmetadata: {name: a}\n` +
          "spec: {rules: [{quotas: [{name: q, maxAmount: 1, interval: 1s}]}]}",
      ).kind,
    ).toBe("accepted");
  });
});

describe("metadata", () => {
  it.each<[string, string]>([
    ["metadata: {}", "3:1 metadata.name: is required"],
    [
      "metadata: {name: A_b}",
      '3:12 metadata.name: must be at most 253 lower case letters, digits, dashes and dots, not "A_b"',
    ],
    [
      "metadata: {name: a, namespace: b.c}",
      '3:21 metadata.namespace: must be at most 63 lower case letters, digits and dashes, not "b.c"',
    ],
    [
      "metadata: {name: a, labels: {version: 1}}",
      '3:30 metadata.labels.version: must be text, not the number 1: write it in quotes, "1"',
    ],
    [
      "metadata: {name: a, labels: {app: true}}",
      '3:30 metadata.labels.app: must be text, not the boolean true: write it in quotes, "true"',
    ],
    [
      "metadata: {name: a, labels: {app: 'a b'}}",
      "3:30 metadata.labels.app: must be at most 63 letters, digits, dashes, dots and underscores, " +
        'beginning and ending with a letter or digit, not "a b"',
    ],
    ["metadata: {name: a, labels: {__proto__: x}}", "3:30 metadata.labels.__proto__: is no name that can be used here"],
    ["metadata: {name: a, lables: {}}", '3:21 metadata.lables: unknown field "lables"; did you mean "labels"?'],
    [
      "metadata: {name: a, creationTimestamp: yesterday}",
      "3:21 metadata.creationTimestamp: must be a time like 2024-05-01T12:00:00Z",
    ],
    ["metadata: [a]", "3:1 metadata: must be a map of fields, not a list"],
    ["metadata: {name: 1}", '3:12 metadata.name: must be text, not the number 1: write it in quotes, "1"'],
  ])("%s", (metadata, message) => {
    const result = validate(`apiVersion: v1\nkind: ServiceAccount\n${metadata}\n`);
    expect(result.kind).toBe("refused");
    expect(
      result.violations.map(({ origin, field, message: text }) => `${placeOf(origin)} ${field}: ${text}`),
    ).toContain(message);
  });
});

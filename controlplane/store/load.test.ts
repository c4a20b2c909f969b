import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { describeOrigin } from "../model/origin.ts";
import { formatViolation } from "../validate/violation.ts";
import { loadFiles, loadText } from "./load.ts";

/** The documents users were shown, word for word. */
const USER_DOCUMENTS = `
apiVersion: networking.istio.io/v1alpha3
kind: VirtualService
metadata: {name: abc-vs}
spec:
  hosts: [abc.xyz.com]
  http:
  - match:
    - headers:
        end-user: {exact: /api}
    route:
    - destination: {host: abc}
---
apiVersion: networking.istio.io/v1alpha3
kind: VirtualService
metadata: {name: checkout-retries}
spec:
  hosts: [checkout.default.svc.cluster.local]
  http:
  - route:
    - destination: {host: payment.default.svc.cluster.local}
    retries: {attempts: 3, retryOn: "500,502,503,504", perTryTimeout: 2s}
---
apiVersion: networking.istio.io/v1alpha3
kind: Sidecar
metadata: {name: default, namespace: abc-eu2}
spec:
  egress:
  - hosts: ["abc-eu2/*", "abc-apis/*", "istio-system/*"]
---
apiVersion: networking.istio.io/v1alpha3
kind: ServiceEntry
metadata: {name: external-api}
spec:
  hosts: [api.example.com]
  ports:
  - {number: 80, name: http, protocol: HTTP}
  resolution: DNS
---
apiVersion: security.istio.io/v1beta1
kind: AuthorizationPolicy
metadata: {name: paymentservice-authz, namespace: default}
spec:
  selector: {matchLabels: {app: paymentservice}}
  action: ALLOW
  rules:
  - from:
    - source:
        principals: ["cluster.local/ns/default/sa/orderservice-sa", "cluster.local/ns/default/user/admin"]
    to:
    - operation: {methods: ["GET", "POST"]}
---
apiVersion: networking.istio.io/v1alpha3
kind: QuotaSpec
metadata: {name: productservice-ratelimit, namespace: default}
spec:
  rules:
  - match:
    - destination: {labels: {app: productservice}}
    quotas:
    - name: request-count
      maxAmount: 100
      interval: 60s
      overrides:
      - dimensions: {source: orderservice}
        maxAmount: 200
        interval: 60s
---
apiVersion: networking.istio.io/v1alpha3
kind: QuotaSpecBinding
metadata: {name: productservice-ratelimit-binding, namespace: default}
spec:
  services:
  - {name: productservice, namespace: default}
  quotaSpecs:
  - {name: productservice-ratelimit}
---
apiVersion: policy.scrim.mesh/v1alpha1
kind: RateLimitPolicy
metadata: {name: reviews-per-user, namespace: default}
spec:
  selector: {matchLabels: {app: reviews}}
  limits:
  - name: per-user
    match: {methods: [GET], paths: ["/reviews/{*}"]}
    key: [{header: x-user}]
    requests: 10
    per: 1s
    burst: 20
  - name: everyone
    key: [{source: principal}]
    requests: 1000
    per: 1m
`;

describe("loadText", () => {
  it("loads what users were shown without a word", () => {
    const { world, violations } = loadText(USER_DOCUMENTS);
    expect(violations.map(formatViolation)).toEqual([]);
    expect(world.list("VirtualService").map(({ metadata }) => metadata.name)).toEqual(["abc-vs", "checkout-retries"]);
    for (const kind of [
      "Sidecar",
      "ServiceEntry",
      "AuthorizationPolicy",
      "QuotaSpec",
      "QuotaSpecBinding",
      "RateLimitPolicy",
    ] as const)
      expect(world.list(kind)).toHaveLength(1);
  });

  it("never throws, whatever the text", () => {
    fc.assert(
      fc.property(fc.string(), (text) => void loadText(text)),
      { numRuns: 500 },
    );
    const mutated = fc.tuple(fc.nat(USER_DOCUMENTS.length), fc.nat(40), fc.string({ maxLength: 8 }));
    fc.assert(
      fc.property(mutated, ([at, cut, put]) => {
        for (const { origin } of loadText(USER_DOCUMENTS.slice(0, at) + put + USER_DOCUMENTS.slice(at + cut))
          .violations)
          expect(describeOrigin(origin)).toMatch(/^input\.yaml:[1-9]\d*:[1-9]\d*$/);
      }),
      { numRuns: 300 },
    );
  });
});

describe("loadFiles", () => {
  it("reads files and directories, and reports what it cannot read", async () => {
    const directory = await mkdtemp(join(tmpdir(), "load-"));
    await writeFile(
      join(directory, "a.yaml"),
      "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Namespace, metadata: {name: a}}\n" +
        "- {apiVersion: v1, kind: Namespace, metadata: {name: B}}\n",
    );
    const { world, violations } = await loadFiles([directory, join(directory, "missing.yaml")]);
    expect(world.list("Namespace").map(({ metadata }) => metadata.name)).toEqual(["a"]);
    expect(violations.map(({ origin, field }) => [describeOrigin(origin), field])).toEqual([
      [`${join(directory, "a.yaml")}:5:48`, "metadata.name"],
      [`${join(directory, "missing.yaml")}:1:1`, ""],
    ]);
    await rm(directory, { recursive: true });
  });
});

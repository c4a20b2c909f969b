import { describe, expect, it } from "vitest";
import type { Authorization } from "../ir/authorization.ts";
import { resolveAuthorization, withoutHttp } from "./authorization-policy.ts";
import { sidecar, worldOf } from "./testing.ts";

const policy = (namespace: string, name: string, spec: string) =>
  "---\napiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\n" +
  `metadata: {name: ${name}, namespace: ${namespace}}\nspec: ${spec}\n`;
const rule = '{from: [{source: {principals: ["*"]}}]}';

describe("policies before a workload", () => {
  it("are the mesh's, the namespace's and those that select it, DENY first", () => {
    const world = worldOf(
      policy("default", "allow", `{rules: [${rule}]}`) +
        policy("default", "other", `{selector: {matchLabels: {app: ratings}}, rules: [${rule}]}`) +
        policy("elsewhere", "foreign", `{rules: [${rule}]}`) +
        policy("istio-system", "mesh", `{action: DENY, rules: [${rule}]}`) +
        policy("default", "selected", `{selector: {matchLabels: {app: reviews}}, action: DENY, rules: [${rule}]}`),
    );
    expect(resolveAuthorization(world, sidecar()).map(({ name, action }) => `${action} ${name}`)).toEqual([
      "DENY istio-system/mesh",
      "DENY default/selected",
      "ALLOW default/allow",
    ]);
  });

  it("keep what they mean when they say little: no rules, an empty rule", () => {
    const world = worldOf(policy("default", "nothing", "{}") + policy("default", "everything", "{rules: [{}]}"));
    expect(resolveAuthorization(world, sidecar())).toEqual([
      { name: "default/everything", action: "ALLOW", rules: [{}] },
      { name: "default/nothing", action: "ALLOW", rules: [] },
    ]);
  });

  it("are on trial where Istio's annotation says so; AUDIT comes first and is never on trial", () => {
    const annotated = (name: string, value: string, spec: string) =>
      policy("default", name, spec).replace(
        `name: ${name},`,
        `name: ${name}, annotations: {istio.io/dry-run: "${value}"},`,
      );
    const world = worldOf(
      annotated("a", "true", `{rules: [${rule}]}`) +
        annotated("b", "false", `{rules: [${rule}]}`) +
        annotated("c", "TRUE", `{action: DENY, rules: [${rule}]}`) +
        annotated("d", "true", `{action: AUDIT, rules: [${rule}]}`),
    );
    expect(
      resolveAuthorization(world, sidecar()).map(({ name, action, dryRun = false }) => `${action} ${name} ${dryRun}`),
    ).toEqual(["AUDIT default/d false", "DENY default/c true", "ALLOW default/a true", "ALLOW default/b false"]);
  });

  it("mean the mesh's trust domain by each of its names, and by `cluster.local`", () => {
    const settings = (mesh: string) =>
      `---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: istio, namespace: istio-system}\ndata: {mesh: '${mesh}'}\n`;
    const meant = (mesh: string, ...principals: readonly string[]) => {
      const list = JSON.stringify(principals);
      const spec = `{rules: [{from: [{source: {notPrincipals: ${list}}}], when: [{key: source.principal, values: ${list}}]}]}`;
      const world = worldOf(policy("default", "p", spec) + settings(mesh));
      const [found] = resolveAuthorization(world, sidecar());
      const [from, when] = [found?.rules[0]?.from?.[0]?.notPrincipals, found?.rules[0]?.when?.[0]?.values];
      expect(from).toEqual(when);
      return when;
    };
    const mesh = `{"trustDomain": "new-td", "trustDomainAliases": ["old-td", "other"]}`;
    expect(meant(mesh, "cluster.local/ns/a/sa/b")).toEqual(["new-td/ns/a/sa/b", "old-td/ns/a/sa/b", "other/ns/a/sa/b"]);
    expect(meant(mesh, "old-td/ns/a/sa/b")).toEqual(["new-td/ns/a/sa/b", "old-td/ns/a/sa/b", "other/ns/a/sa/b"]);
    expect(meant(mesh, "*-td/ns/a/sa/b")).toEqual(["*-td/ns/a/sa/b", "other/ns/a/sa/b"]);
    for (const kept of ["*", "*/ns/a/sa/b", "foreign/ns/a/sa/b", "sa/b", "new-td/*"])
      expect(meant(mesh, kept)).toEqual([kept]);
    expect(meant("{}", "cluster.local/ns/a/sa/b")).toEqual(["cluster.local/ns/a/sa/b"]);
  });

  it("keep tokens, claims and metadata of filters as they are written", () => {
    const whole =
      '{from: [{source: {requestPrincipals: ["https://a/*"], notRequestPrincipals: ["*/b"]}}], ' +
      'when: [{key: "request.auth.claims[a][b]", values: [c]}, ' +
      '{key: "experimental.envoy.filters.http.x[y]", notValues: ["[z]"]}]}';
    const [only] = resolveAuthorization(worldOf(policy("default", "p", `{rules: [${whole}]}`)), sidecar());
    expect(only?.rules).toEqual([
      {
        from: [{ requestPrincipals: ["https://a/*"], notRequestPrincipals: ["*/b"] }],
        when: [
          { key: "request.auth.claims[a][b]", values: ["c"] },
          { key: "experimental.envoy.filters.http.x[y]", notValues: ["[z]"] },
        ],
      },
    ]);
  });

  it("complete service accounts by the policy's namespace", () => {
    const world = worldOf(
      policy("default", "p", "{rules: [{from: [{source: {serviceAccounts: [orders, pay/clerk]}}]}]}"),
    );
    expect(resolveAuthorization(world, sidecar())[0]?.rules[0]?.from).toEqual([
      { serviceAccounts: ["default/orders", "pay/clerk"] },
    ]);
  });

  it("also mean the port at which the proxy opened a port", () => {
    const gateway = sidecar({
      kind: "router",
      ports: [{ port: 80, name: "http", boundPort: 8080, isServed: false }],
    });
    const world = worldOf(
      policy(
        "default",
        "p",
        '{rules: [{to: [{operation: {ports: ["80"]}}], when: [{key: destination.port, notValues: ["80", "90"]}]}]}',
      ),
    );
    expect(resolveAuthorization(world, gateway)[0]?.rules).toEqual([
      { to: [{ ports: ["80", "8080"] }], when: [{ key: "destination.port", notValues: ["80", "90", "8080"] }] },
    ]);
  });
});

describe("policies before a port that is not HTTP", () => {
  const rules = [
    { to: [{ methods: ["GET"], ports: ["3306"] }] },
    {
      from: [{ principals: ["*"] }],
      when: [
        { key: "request.headers[x]", values: ["y"] },
        { key: "source.ip", values: ["10.0.0.1"] },
      ],
    },
    { from: [{ namespaces: ["default"] }], to: [{ ports: ["3306"] }] },
    {
      from: [{ namespaces: ["default"], requestPrincipals: ["*"] }],
      when: [
        { key: "request.auth.claims[a]", values: ["b"] },
        { key: "experimental.envoy.filters.network.x[y]", values: ["z"] },
      ],
    },
  ];
  const policies = (action: Authorization["action"]): readonly Authorization[] => [
    { name: "default/p", action, rules },
  ];

  it("lose ALLOW rules that HTTP alone can check", () => {
    expect(withoutHttp(policies("ALLOW"))[0]?.rules).toEqual([rules[2]]);
  });

  it("keep DENY rules without what HTTP alone can check", () => {
    expect(withoutHttp(policies("DENY"))[0]?.rules).toEqual([
      { to: [{ ports: ["3306"] }] },
      { from: [{ principals: ["*"] }], when: [{ key: "source.ip", values: ["10.0.0.1"] }] },
      rules[2],
      {
        from: [{ namespaces: ["default"] }],
        when: [{ key: "experimental.envoy.filters.network.x[y]", values: ["z"] }],
      },
    ]);
  });
});

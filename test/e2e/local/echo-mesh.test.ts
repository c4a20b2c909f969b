// What a platform engineer sees: YAML is edited, sidecars obey.
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { startLoad } from "../../support/load.ts";
import { type Mesh, request, startMesh } from "../../support/mesh.ts";
import { object } from "../../support/objects.ts";
import { eventually } from "../../support/until.ts";
import { documents, echoDeployment, service } from "../../support/workloads.ts";

let mesh: Mesh;

beforeAll(async () => {
  mesh = await startMesh({
    files: {
      "workloads.yaml": documents(
        service("web"),
        service("client"),
        service("intruder"),
        echoDeployment({ name: "web-v1", app: "web" }),
        echoDeployment({ name: "web-v2", app: "web", version: "v2" }),
        echoDeployment({ name: "client", app: "client" }),
        echoDeployment({ name: "intruder", app: "intruder" }),
      ),
    },
  });
});

afterAll(async () => {
  await mesh?.stop();
});

const subsets = `apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: web, namespace: default}
spec:
  host: web
  subsets:
  - {name: v1, labels: {version: v1}}
  - {name: v2, labels: {version: v2}}
`;

function virtualService(http: string): string {
  return `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: web, namespace: default}
spec:
  hosts: [web]
  http:
${http}`;
}

const applied = (file: string, ...texts: readonly string[]): Promise<void> => mesh.apply(file, ...texts);

async function settled(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 700));
  await mesh.synced();
}

async function versions(count: number, headers: Record<string, string> = {}): Promise<Record<string, number>> {
  const seen: Record<string, number> = {};
  for (let i = 0; i < count; i++) {
    const answer = await mesh.from("client", "http://web/", { headers });
    const version = answer.status === 200 ? String(answer.headers["x-version"]) : String(answer.status);
    seen[version] = (seen[version] ?? 0) + 1;
  }
  return seen;
}

describe("traffic", () => {
  it("reaches a service by every name a pod may use, through its sidecar", async () => {
    for (const host of ["web", "web.default", "web.default.svc", "web.default.svc.cluster.local", "WEB", "web:80"]) {
      const answer = await mesh.from("client", `http://${host}/hello?x=1`);
      expect(answer.status, host).toBe(200);
      expect(JSON.parse(answer.body).path).toBe("/hello?x=1");
    }
  });

  it("sends everything to the subset that is named", async () => {
    await applied("traffic.yaml", subsets, virtualService("  - route: [{destination: {host: web, subset: v2}}]\n"));
    expect(await versions(20)).toEqual({ v2: 20 });
  });

  it("divides by weight", async () => {
    await applied(
      "traffic.yaml",
      subsets,
      virtualService(
        "  - route:\n    - {destination: {host: web, subset: v1}, weight: 80}\n" +
          "    - {destination: {host: web, subset: v2}, weight: 20}\n",
      ),
    );
    const seen = await versions(1000);
    expect(seen["v1"]).toBeGreaterThan(740);
    expect(seen["v1"]).toBeLessThan(860);
    expect((seen["v1"] ?? 0) + (seen["v2"] ?? 0)).toBe(1000);
  });

  it("routes by header and cookie in the router filter, first match first; no client can fake the choice", async () => {
    await applied(
      "traffic.yaml",
      subsets,
      virtualService(`  - match:
    - {headers: {end-user: {exact: jason}}}
    - {headers: {cookie: {regex: "^(.*?;)?\\\\s*(group=beta)(;.*)?$"}}}
    route: [{destination: {host: web, subset: v2}}]
  - route: [{destination: {host: web, subset: v1}}]
`),
    );
    expect(await versions(10, { "end-user": "jason" })).toEqual({ v2: 10 });
    expect(await versions(10, { cookie: "a=b; group=beta; c=d" })).toEqual({ v2: 10 });
    expect(await versions(10, { cookie: "a=b; group=gamma" })).toEqual({ v1: 10 });
    expect(await versions(10, { "scrim.route": "0.0", "wasm.scrim.route": "0.0", "x-scrim-route": "0.0" })).toEqual({
      v1: 10,
    });
    const answer = await mesh.from("client", "http://web/", { headers: { "end-user": "jason" } });
    expect(
      Object.keys(JSON.parse(answer.body).headers).filter(
        (name) => name.includes("scrim") || name.includes("peer-metadata"),
      ),
    ).toEqual([]);
  });

  it("redirects, rewrites, answers directly, delays, aborts and changes headers", async () => {
    await applied(
      "traffic.yaml",
      subsets,
      virtualService(`  - match: [{uri: {prefix: /old}}]
    redirect: {uri: /new, redirectCode: 302}
  - match: [{uri: {prefix: /api/}}]
    rewrite: {uri: /v1/}
    headers: {request: {set: {x-added: "yes"}, remove: [x-secret]}, response: {set: {x-answered: mesh}}}
    route: [{destination: {host: web}}]
  - match: [{uri: {exact: /direct}}]
    directResponse: {status: 418, body: {string: teapot}}
  - match: [{uri: {exact: /broken}}]
    fault: {abort: {percentage: {value: 100}, httpStatus: 503}}
    route: [{destination: {host: web}}]
  - match: [{uri: {prefix: /delay/}}]
    timeout: 0.2s
    route: [{destination: {host: web}}]
  - route: [{destination: {host: web}}]
`),
    );
    const redirected = await mesh.from("client", "http://web/old");
    expect([redirected.status, redirected.headers["location"]]).toEqual([302, "http://web/new"]);
    const rewritten = await mesh.from("client", "http://web/api/x", { headers: { "x-secret": "s" } });
    const seen = JSON.parse(rewritten.body);
    expect([seen.path, seen.headers["x-added"], seen.headers["x-secret"], rewritten.headers["x-answered"]]).toEqual([
      "/v1/x",
      "yes",
      undefined,
      "mesh",
    ]);
    const direct = await mesh.from("client", "http://web/direct");
    expect([direct.status, direct.body]).toEqual([418, "teapot"]);
    expect((await mesh.from("client", "http://web/broken")).status).toBe(503);
    expect((await mesh.from("client", "http://web/delay/2000")).status).toBe(504);
    expect((await mesh.from("client", "http://web/delay/1")).status).toBe(200);
  });
});

describe("security", () => {
  it("takes plaintext while PERMISSIVE and refuses it when STRICT", async () => {
    const web = await mesh.proxy("web-v1");
    const address = web.ports[0]?.address;
    expect((await request(`http://${address}/`)).status).toBe(200);
    await applied("security.yaml", object("PeerAuthentication", "default", "{mtls: {mode: STRICT}}", "istio-system"));
    await eventually("plaintext refused", async () =>
      request(`http://${address}/`).then(
        () => undefined,
        () => true,
      ),
    );
    expect((await mesh.from("client", "http://web/")).status).toBe(200);
  });

  it("admits the principals that are named and tells the log, not the caller, which policy denied", async () => {
    await applied(
      "authorization.yaml",
      `apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: web-clients, namespace: default}
spec:
  selector: {matchLabels: {app: web}}
  action: ALLOW
  rules:
  - from: [{source: {principals: ["cluster.local/ns/default/sa/client"]}}]
    to: [{operation: {methods: [GET], paths: ["/public/*", "/"]}}]
`,
      `apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: no-secrets, namespace: default}
spec:
  selector: {matchLabels: {app: web}}
  action: DENY
  rules:
  - to: [{operation: {paths: ["/public/secret*"]}}]
`,
    );
    expect((await mesh.from("client", "http://web/public/a")).status).toBe(200);
    expect((await mesh.from("client", "http://web/admin")).status).toBe(403);
    expect((await mesh.from("client", "http://web/public/a", { method: "POST" })).status).toBe(403);
    const denied = await mesh.from("client", "http://web/public/secret");
    expect([denied.status, denied.body]).toEqual([403, "RBAC: access denied"]);
    for (const path of ["/public/%73ecret", "/public//secret", "/public/x/../secret", "/public%2Fsecret"]) {
      expect((await mesh.from("client", `http://web${path}`)).status, path).not.toBe(200);
    }
    expect(
      (
        await mesh.from("intruder", "http://web/public/a", {
          headers: { "x-forwarded-client-cert": "URI=spiffe://cluster.local/ns/default/sa/client" },
        })
      ).status,
    ).toBe(403);
    await eventually("the policy in an access log", () =>
      mesh.accessLog("web-").includes("default/no-secrets") ? true : undefined,
    );
    mesh.remove("authorization.yaml");
    await eventually("allowed again", async () =>
      (await mesh.from("intruder", "http://web/admin")).status === 200 ? true : undefined,
    );
  });

  it("limits by quota, with the overridden source in a larger bucket of its own", async () => {
    await applied(
      "quota.yaml",
      `apiVersion: networking.istio.io/v1alpha3
kind: QuotaSpec
metadata: {name: web, namespace: default}
spec:
  rules:
  - match: [{destination: {labels: {version: v1}}}]
    quotas:
    - name: requests
      maxAmount: 10
      interval: 600s
      overrides: [{dimensions: {source: intruder}, maxAmount: 20, interval: 600s}]
`,
      `apiVersion: networking.istio.io/v1alpha3
kind: QuotaSpecBinding
metadata: {name: web, namespace: default}
spec:
  services: [{name: web, namespace: default}]
  quotaSpecs: [{name: web}]
`,
      subsets,
      virtualService("  - route: [{destination: {host: web, subset: v1}}]\n")
        .replace("name: web,", "name: web-quota,")
        .replace("hosts: [web]", "hosts: [web.default.svc.cluster.local]"),
    );
    onTestFinished(() => mesh.remove("quota.yaml"));
    mesh.remove("traffic.yaml");
    // What still went to v2, which has no limit, would be counted below: a few answers that are all v1's prove nothing.
    await settled();
    const seen: Record<string, number> = { client: 0, intruder: 0 };
    let limited = await mesh.from("client", "http://web/");
    for (let i = 0; i < 40; i++) {
      for (const source of ["client", "intruder"]) {
        const answer = await mesh.from(source, "http://web/");
        if (answer.status === 200) seen[source] = (seen[source] ?? 0) + 1;
        else limited = answer;
      }
    }
    expect(limited.status).toBe(429);
    expect(Number(limited.headers["retry-after"])).toBeGreaterThan(0);
    // The tenth was asked for above.
    expect(seen["client"]).toBe(9);
    expect(seen["intruder"]).toBe(20);
  });
});

describe("faults", () => {
  it("serves without a failed request while the control plane is killed, and follows changes afterwards", async () => {
    await applied("traffic.yaml", subsets, virtualService("  - route: [{destination: {host: web, subset: v1}}]\n"));
    const load = startLoad({ url: "http://web/", proxy: (await mesh.proxy("client")).outbound, clients: 1 });
    await mesh.killControlPlane();
    await new Promise((resolve) => setTimeout(resolve, 500));
    mesh.write(
      "traffic.yaml",
      documents(subsets, virtualService("  - route: [{destination: {host: web, subset: v2}}]\n")),
    );
    await eventually("the change arrives after the restart", async () =>
      (await versions(3))["v2"] === 3 ? true : undefined,
    );
    expect((await load.stop()).failed).toEqual([]);
    await mesh.synced();
  });
});

import http from "node:http";
import http2 from "node:http2";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { InboundEnvoy } from "../../support/inbound-envoy.ts";

const mesh = `
apiVersion: v1
kind: Service
metadata: {name: reviews}
spec:
  selector: {app: reviews}
  ports:
  - {name: http, port: 9080}
  - {name: http-strict, port: 9081}
  - {name: http-plain, port: 9082}
  - {name: tcp, port: 9083}
  - {name: tcp-strict, port: 9084}
---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: reviews}
spec:
  selector: {matchLabels: {app: reviews}}
  portLevelMtls: {9081: {mode: STRICT}, 9082: {mode: DISABLE}, 9084: {mode: STRICT}}
`;
const guarded = `${mesh}---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: reviews}
spec:
  selector: {matchLabels: {app: reviews}}
  rules:
  - from: [{source: {principals: [cluster.local/ns/default/sa/productpage]}}]
    to: [{operation: {ports: ["9080", "9081"]}}]
  - {to: [{operation: {paths: ["/open", "/x-role"]}}], when: [{key: "request.headers[x-role]", notValues: [admin]}]}
  - {from: [{source: {ipBlocks: [127.0.0.0/8]}}], to: [{operation: {paths: [/local]}}]}
  - {from: [{source: {remoteIpBlocks: [198.51.100.0/24]}}], to: [{operation: {paths: [/remote]}}]}
  - {from: [{source: {principals: [cluster.local/ns/default/sa/productpage]}}], to: [{operation: {ports: ["9084"]}}]}
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: no-admin}
spec:
  action: DENY
  rules: [{to: [{operation: {paths: [/admin, "/admin/*"], ports: ["9080", "9083"]}}]}]
`;

const denied = `${mesh}---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: no-admin}
spec:
  action: DENY
  rules: [{to: [{operation: {paths: [/admin, "/admin/*"], hosts: ["reviews", "reviews:*"]}}]}]
`;

describe("an unguarded workload", () => {
  let envoy: InboundEnvoy;
  beforeAll(async () => void (envoy = await InboundEnvoy.start(mesh, [9080, 9081, 9082])));
  afterAll(() => envoy?.stop());

  it("takes plaintext and mutual TLS where PERMISSIVE, and tells the application who asks", async () => {
    const plain = await envoy.send(9080, {
      headers: { "x-forwarded-client-cert": "URI=spiffe://cluster.local/ns/default/sa/forged" },
    });
    expect(plain.status).toBe(200);
    expect(plain.body).not.toContain("x-forwarded-client-cert");
    const mutual = await envoy.send(9080, {
      as: "productpage",
      headers: { "x-forwarded-client-cert": "URI=spiffe://cluster.local/ns/default/sa/forged" },
    });
    expect(mutual.body).toContain("URI=spiffe://cluster.local/ns/default/sa/productpage");
    expect(mutual.body).not.toContain("forged");
  });

  it("resets plaintext where STRICT, and says so in the log", async () => {
    await expect(envoy.send(9081)).rejects.toThrow();
    expect((await envoy.send(9081, { as: "productpage" })).status).toBe(200);
    while (!envoy.accessLog().includes("filter_chain_not_found"))
      await new Promise((resolve) => setTimeout(resolve, 50));
  });

  it("takes plaintext where DISABLE, and TLS not at all", async () => {
    expect((await envoy.send(9082)).status).toBe(200);
    await expect(envoy.send(9082, { as: "productpage" })).rejects.toThrow();
  });

  it("bounds what a request may carry", async () => {
    expect((await envoy.send(9080, { headers: { large: "x".repeat(61 * 1024) } })).status).toBe(431);
    expect(
      (
        await envoy.send(9080, {
          headers: Object.fromEntries(Array.from({ length: 101 }, (_, index) => [`x-${index}`, "1"])),
        })
      ).status,
    ).toBe(431);
    expect(await envoy.raw(9080, "GET /a#b HTTP/1.1\r\nhost: reviews\r\nconnection: close\r\n\r\n")).toContain("400");
  });

  it("hands no x-envoy header of a client on", async () => {
    const { body } = await envoy.send(9080, {
      headers: { "x-envoy-retry-on": "5xx", "x-envoy-upstream-rq-timeout-ms": "1", "x-envoy-max-retries": "9" },
    });
    expect(body).not.toMatch(/x-envoy-(retry|upstream|max)/);
  });

  it("understands HTTP/2 of a peer that negotiates nothing", async () => {
    const client = http2.connect("http://reviews:9080", {
      createConnection: () => envoy.connect(9080, "productpage", ["istio-h2", "istio"]),
    });
    const stream = client.request({ ":path": "/" });
    const failed = new Promise<unknown>((resolve) => stream.on("response", (headers) => resolve(headers[":status"])));
    // The application speaks HTTP/1.1 only: that Envoy answers in HTTP/2 at all is the point.
    expect([200, 502, 503]).toContain(await failed);
    client.destroy();
  });

  it("is guarded by its first policy on connections that are open already", async () => {
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    try {
      expect((await envoy.send(9080, { agent, path: "/admin" })).status).toBe(200);
      envoy.change(guarded);
      while ((await envoy.send(9080, { agent, path: "/admin" })).status !== 403)
        await new Promise((resolve) => setTimeout(resolve, 20));
      envoy.change(mesh);
      while ((await envoy.send(9080, { agent, path: "/admin" })).status !== 200)
        await new Promise((resolve) => setTimeout(resolve, 20));
    } finally {
      agent.destroy();
    }
  });
});

describe("a guarded workload", () => {
  let envoy: InboundEnvoy;
  beforeAll(async () => void (envoy = await InboundEnvoy.start(guarded, [9080, 9083, 9084])));
  afterAll(() => envoy?.stop());

  it("lets in whom a policy names, and refuses others, naming the policy in the log but not in the body", async () => {
    expect((await envoy.send(9080, { as: "productpage" })).status).toBe(200);
    const refused = await envoy.send(9080, { as: "ratings" });
    expect(refused.status).toBe(403);
    expect(refused.body).toBe("RBAC: access denied");
    expect((await envoy.send(9080)).status).toBe(403);
    expect((await envoy.send(9080, { as: "productpage", path: "/admin" })).status).toBe(403);
    while (!envoy.accessLog().includes("rbac_access_denied_matched_policy[default/no-admin"))
      await new Promise((resolve) => setTimeout(resolve, 50));
  });

  it("counts x_role as x-role where a policy looks, and lets others with an underscore travel", async () => {
    expect((await envoy.send(9080, { path: "/open", headers: { "x-role": "admin" } })).status).toBe(403);
    expect((await envoy.send(9080, { path: "/open", headers: { x_role: "admin", "x-role": "user" } })).status).toBe(
      403,
    );
    const { status, body } = await envoy.send(9080, { path: "/open", headers: { x_team: "blue" } });
    expect(status).toBe(200);
    expect(body).toContain("x_team");
  });

  it("believes no X-Forwarded-For of someone in plaintext, and knows the direct peer whatever it says", async () => {
    expect((await envoy.send(9080, { path: "/remote", headers: { "x-forwarded-for": "198.51.100.9" } })).status).toBe(
      403,
    );
    expect((await envoy.send(9080, { path: "/local", headers: { "x-forwarded-for": "203.0.113.9" } })).status).toBe(
      200,
    );
    expect(
      (await envoy.send(9080, { as: "ratings", path: "/remote", headers: { "x-forwarded-for": "198.51.100.9" } }))
        .status,
    ).toBe(200); // as a gateway would say
    expect(
      (await envoy.send(9080, { as: "ratings", path: "/remote", headers: { "x-forwarded-for": "203.0.113.9" } }))
        .status,
    ).toBe(403);
  });

  it("keeps connections that are not HTTP to those whom a policy names without HTTP", async () => {
    const answer = (account: string) =>
      new Promise<string>((resolve) => {
        const socket = envoy.connect(9084, account, ["istio"]);
        let received = "";
        socket.on("data", (data: Buffer) => (received += data.toString()));
        socket.on("error", () => resolve(received));
        socket.on("close", () => resolve(received));
        socket.write("GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
      });
    expect(await answer("productpage")).toContain("200 OK");
    expect(await answer("ratings")).toBe("");
    // The DENY policy's rule is about paths: without them it is about everything at that port.
    expect(await envoy.raw(9083, "GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")).toBe("");
  });
});

describe("a path that is denied", () => {
  let envoy: InboundEnvoy;
  beforeAll(async () => void (envoy = await InboundEnvoy.start(denied, [9080])));
  afterAll(() => envoy?.stop());
  const ask = (path: string, host = "reviews") =>
    envoy.raw(9080, `GET ${path} HTTP/1.1\r\nhost: ${host}\r\nconnection: close\r\n\r\n`);

  it("is the only one", async () => {
    expect(await ask("/administrator")).toMatch(/^HTTP\/1\.1 200/);
    expect(await ask("/x/admin")).toMatch(/^HTTP\/1\.1 200/);
    expect(await ask("/admin", "ratings")).toMatch(/^HTTP\/1\.1 200/);
  });

  it.each([
    "/admin",
    "//admin",
    "/%2Fadmin",
    "/%2fadmin",
    "/%5cadmin",
    "/%5Cadmin",
    "\\admin",
    "/x/../admin",
    "/x/%2e%2e/admin",
    "/./admin",
    "/%61dmin",
    "/admin/",
    "/admin%2Fx",
    "/admin?x=1",
    "/x%2f..%2fadmin",
    "/x;/../admin",
  ])("is not reached by %s", async (path) => {
    expect(await ask(path)).toMatch(/^HTTP\/1\.1 40[03]/);
  });

  it.each(["REVIEWS", "Reviews:9080", "reviews.", "reviews:80"])(
    "is not reached by asking for the host %s",
    async (host) => {
      expect(await ask("/admin", host)).toMatch(/^HTTP\/1\.1 40[03]/);
    },
  );
});

describe("a limited workload", () => {
  let envoy: InboundEnvoy;
  const limited = `${mesh}---
apiVersion: networking.istio.io/v1alpha3
kind: QuotaSpec
metadata: {name: quota}
spec:
  rules:
  - quotas:
    - {name: q, maxAmount: 3, interval: 3600s, overrides: [{dimensions: {source: orders}, maxAmount: 6}]}
---
apiVersion: networking.istio.io/v1alpha3
kind: QuotaSpecBinding
metadata: {name: quota}
spec: {services: [{name: reviews}], quotaSpecs: [{name: quota}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: orders}
spec:
  selector: {matchLabels: {app: o}}
  template:
    metadata: {labels: {app: o}}
    spec: {serviceAccountName: orders-sa, containers: [{name: c, image: i}]}
`;
  beforeAll(async () => void (envoy = await InboundEnvoy.start(limited, [9080])));
  afterAll(() => envoy?.stop());

  it("answers 429 over the quota, and lets the overridden source have its own larger one, by identity", async () => {
    const statuses = async (times: number, as: string, headers = {}) => {
      const seen: number[] = [];
      for (let time = 0; time < times; time++) seen.push((await envoy.send(9080, { as, headers })).status);
      return seen;
    };
    expect(await statuses(4, "productpage")).toEqual([200, 200, 200, 429]);
    expect(await statuses(1, "productpage", { source: "orders", "x-source": "orders" })).toEqual([429]);
    expect(await statuses(7, "orders-sa")).toEqual([200, 200, 200, 200, 200, 200, 429]);
    expect((await envoy.send(9080, { as: "productpage" })).headers["retry-after"]).toBeDefined();
  });
});

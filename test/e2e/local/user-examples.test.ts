// Every document of user-examples in one mesh, with the services that they speak of: each takes effect as its comments
// say.
import http from "node:http";
import https from "node:https";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { selfSigned, tlsSecret } from "../../support/certificate.ts";
import { type Mesh, repository, request, startMesh } from "../../support/mesh.ts";
import { listening } from "../../support/servers.ts";
import { eventually } from "../../support/until.ts";
import { documents, echoDeployment, service } from "../../support/workloads.ts";

interface Violation {
  readonly file: string;
  readonly line: number;
  readonly object: string;
  readonly field: string;
  readonly message: string;
  readonly severity: string;
}

let mesh: Mesh;
const servers: http.Server[] = [];
const abc = selfSigned(["abc.xyz.com"]);
/** What the plain backends have seen: attempts by path, and the status that recommendations answers. */
const attempts = new Map<string, number>();
let recommendationsStatus = 200;

beforeAll(async () => {
  const files = { "workloads.yaml": await workloads(), "secret.yaml": tlsSecret("abc-tls-cert", "default", abc) };
  mesh = await startMesh({ copy: join(repository, "test/e2e/local/user-examples"), files });
}, 150_000);

afterAll(async () => {
  await mesh?.stop();
  for (const server of servers) server.close();
});

describe("all documents together", () => {
  it("load, with a warning for each field that Istio never had and no other complaint", async () => {
    const violations = (JSON.parse((await request(`${mesh.admin}/debug/violations`)).body) as Violation[]).filter(
      ({ file }) => !file.endsWith("workloads.yaml"),
    );
    expect(violations.filter(({ severity }) => severity === "error")).toEqual([]);
    const warnings = mesh.output();
    for (const standard of [
      "connectionPool",
      "consecutive5xxErrors",
      "interval",
      "baseEjectionTime",
      "http2MaxRequests",
    ])
      expect(warnings).toContain(standard);
    expect(warnings).toMatch(/traffic\.yaml:\d+/);
  });
});

describe("traffic.yaml", () => {
  it("divides reviews 80 to 20", async () => {
    const seen: Record<string, number> = {};
    for (let i = 0; i < 500; i++) {
      const version = String((await mesh.from("orderservice", "http://reviews/")).headers["x-version"]);
      seen[version] = (seen[version] ?? 0) + 1;
    }
    expect((seen["v1"] ?? 0) + (seen["v2"] ?? 0)).toBe(500);
    expect(seen["v1"]).toBeGreaterThan(355);
    expect(seen["v1"]).toBeLessThan(445);
  });

  it("opens the bookinfo gateway, which nobody has bound a route to", async () => {
    expect((await request(`${mesh.gateway}/productpage`)).status).toBe(404);
  });

  it("knows api.example.com as a host outside", async () => {
    const translated = JSON.parse(
      (await request(`http://${(await mesh.proxy("orderservice")).envoyAdmin}/clusters?format=json`)).body,
    ) as { cluster_statuses: { name: string }[] };
    expect(translated.cluster_statuses.map(({ name }) => name)).toContain("outbound|80||api.example.com");
  });

  it("divides a host that is no service between two services", async () => {
    const seen: Record<string, number> = {};
    for (let i = 0; i < 300; i++) {
      const { body } = await mesh.from("orderservice", "http://my-service.example.com/");
      seen[body] = (seen[body] ?? 0) + 1;
    }
    expect(Object.keys(seen).sort()).toEqual([
      "my-service-v1 my-service.example.com",
      "my-service-v2 my-service.example.com",
    ]);
    expect(seen["my-service-v1 my-service.example.com"]).toBeGreaterThan(205);
    expect(seen["my-service-v1 my-service.example.com"]).toBeLessThan(272);
  });

  it("leads abc.xyz.com to abc by header alone", async () => {
    for (let i = 0; i < 6; i++) {
      const answer = await mesh.from("orderservice", "http://abc.xyz.com/x", { headers: { "end-user": "/api" } });
      expect([answer.status, answer.status === 200 && JSON.parse(answer.body).serviceAccount]).toEqual([200, "abc"]);
    }
    expect((await mesh.from("orderservice", "http://abc.xyz.com/x")).status).toBe(404);
    expect((await mesh.from("orderservice", "http://abc.xyz.com/x", { headers: { "end-user": "api" } })).status).toBe(
      404,
    );
    for (let i = 0; i < 6; i++) expect((await mesh.from("orderservice", "http://abc/")).status).toBe(200);
  });

  it("serves abc.xyz.com by TLS at a gateway of its own", async () => {
    const gateway = (await mesh.proxies()).find(
      ({ kind, ports }) => kind === "router" && ports.some(({ port }) => port === 443),
    );
    const [address = "", port] = (gateway?.ports[0]?.address ?? "").split(":");
    const get = (servername: string): Promise<number> =>
      new Promise((resolve, reject) => {
        https
          .get(
            { host: address, port, servername, ca: abc.certificate, headers: { host: servername }, agent: false },
            (response) => resolve(response.statusCode ?? 0),
          )
          .on("error", reject);
      });
    // The rule for the host is for sidecars: it names no gateway.
    expect(await get("abc.xyz.com")).toBe(404);
    await expect(get("other.xyz.com")).rejects.toThrow();
  });

  it("shows a workload of abc-eu2 what its Sidecar names and nothing else", async () => {
    expect((await mesh.from("eu-client", "http://eu-service/")).body).toBe("eu-service eu-service");
    expect((await mesh.from("eu-client", "http://api.abc-apis/")).body).toBe("api api.abc-apis");
    expect((await mesh.from("eu-client", "http://my-service-v1.default/")).status).toBeGreaterThanOrEqual(500);
    expect((await mesh.from("orderservice", "http://my-service-v1/")).status).toBe(200);
  });

  it("asks payment up to three times more on behalf of checkout, for these codes", async () => {
    expect((await mesh.from("orderservice", "http://checkout/fail/3/502")).status).toBe(200);
    expect(attempts.get("/fail/3/502")).toBe(4);
    expect((await mesh.from("orderservice", "http://checkout/fail/9/500")).status).toBe(500);
    expect(attempts.get("/fail/9/500")).toBe(4);
    expect((await mesh.from("orderservice", "http://checkout/fail/9/404")).status).toBe(404);
    expect(attempts.get("/fail/9/404")).toBe(1);
  });

  it("breaks the circuit to recommendations after three errors, closes it, and limits what is open", async () => {
    const burst = await Promise.all(
      Array.from({ length: 40 }, () => mesh.from("orderservice", "http://recommendations/slow")),
    );
    expect(burst.filter(({ headers }) => headers["x-envoy-overloaded"] === "true").length).toBeGreaterThan(10);
    expect(burst.filter(({ status }) => status === 200).length).toBeGreaterThanOrEqual(10);
    recommendationsStatus = 500;
    for (let i = 0; i < 3; i++) expect((await mesh.from("orderservice", "http://recommendations/")).status).toBe(500);
    const open = await mesh.from("orderservice", "http://recommendations/");
    expect([open.status, open.body]).toEqual([503, "no healthy upstream"]);
    recommendationsStatus = 200;
    await eventually(
      "the circuit closed",
      async () => ((await mesh.from("orderservice", "http://recommendations/")).status === 200 ? true : undefined),
      20_000,
    );
  });
});

describe("security.yaml", () => {
  it("takes nothing in plaintext", async () => {
    for (const workload of ["reviews-v1", "paymentservice", "productservice"]) {
      await expect(request(`http://${(await mesh.proxy(workload)).ports[0]?.address}/`), workload).rejects.toThrow();
    }
  });

  it("lets anybody with an identity to reviews", async () => {
    expect((await mesh.from("stranger", "http://reviews/")).status).toBe(200);
  });

  it("lets orderservice alone GET and POST at paymentservice", async () => {
    const status = async (from: string, method: string): Promise<number> =>
      (await mesh.from(from, "http://paymentservice/", { method })).status;
    expect(
      await Promise.all(["GET", "POST", "PUT", "DELETE", "HEAD"].map((method) => status("orderservice", method))),
    ).toEqual([200, 200, 403, 403, 403]);
    expect(await Promise.all(["GET", "POST"].map((method) => status("stranger", method)))).toEqual([403, 403]);
  });
});

describe("quota.yaml", () => {
  it("gives every caller of productservice 100 a minute, orderservice 200 of its own", async () => {
    const allowed = async (from: string): Promise<number> => {
      const answers = await inBatches(13, 20, () => mesh.from(from, "http://productservice/"));
      expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200, 429]));
      return answers.filter(({ status }) => status === 200).length;
    };
    // While the requests take their time, some come back.
    const stranger = await allowed("stranger");
    expect(stranger).toBeGreaterThanOrEqual(100);
    expect(stranger).toBeLessThan(180);
    const orderservice = await allowed("orderservice");
    expect(orderservice).toBeGreaterThanOrEqual(200);
    expect(orderservice).toBeLessThan(250);
    const limited = await mesh.from("stranger", "http://productservice/");
    if (limited.status === 429) expect(Number(limited.headers["retry-after"])).toBeGreaterThan(0);
  });

  it("gives each user 20 reviews at once, counted for each user and instance alone", async () => {
    // One path segment after /reviews/, as `{*}` says; both instances have buckets of their own.
    const allowed = async (user: string, path: string): Promise<number> =>
      (
        await Promise.all(
          Array.from({ length: 100 }, () =>
            mesh.from("stranger", `http://reviews${path}`, { headers: { "x-user": user } }),
          ),
        )
      ).filter(({ status }) => status === 200).length;
    const first = await allowed("ann", "/reviews/1");
    expect(first).toBeGreaterThanOrEqual(20);
    expect(first).toBeLessThan(100);
    expect(await allowed("bob", "/reviews/1")).toBeGreaterThanOrEqual(20);
    expect(await allowed("ann", "/reviews/1/more")).toBe(100);
  });
});

/** Quick, so that little comes back meanwhile, and without opening everything at once. */
async function inBatches<T>(batches: number, size: number, step: () => Promise<T>): Promise<T[]> {
  const all: T[] = [];
  for (let i = 0; i < batches; i++) all.push(...(await Promise.all(Array.from({ length: size }, step))));
  return all;
}

/** A backend without a sidecar: it says who it is and what host it was asked for. */
function serving(name: string): Promise<number> {
  const server = http.createServer((incoming, response) => {
    const [, word, times, code] = (incoming.url ?? "").split("/");
    const seen = (attempts.get(incoming.url ?? "") ?? 0) + 1;
    if (word === "fail") attempts.set(incoming.url ?? "", seen);
    response.statusCode =
      name === "recommendations"
        ? recommendationsStatus
        : word === "fail" && seen <= Number(times)
          ? Number(code)
          : 200;
    setTimeout(() => response.end(`${name} ${incoming.headers.host}`), word === "slow" ? 400 : 0);
  });
  servers.push(server);
  return listening(server);
}

async function backed(name: string, namespace: string): Promise<string> {
  return `apiVersion: v1
kind: Service
metadata: {name: ${name}, namespace: ${namespace}}
spec: {ports: [{name: http, port: 80}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: ${name}, namespace: ${namespace}, labels: {kubernetes.io/service-name: ${name}}}
addressType: IPv4
ports: [{name: http, port: ${await serving(name)}}]
endpoints: [{addresses: [127.0.0.1]}]
`;
}

async function workloads(): Promise<string> {
  const plain = ["my-service-v1", "my-service-v2", "checkout", "payment", "recommendations"];
  return documents(
    ...(await Promise.all(plain.map((name) => backed(name, "default")))),
    await backed("eu-service", "abc-eu2"),
    await backed("api", "abc-apis"),
    ...["reviews", "paymentservice", "productservice", "abc"].map((app) => service(app)),
    echoDeployment({ name: "reviews-v1", app: "reviews" }),
    echoDeployment({ name: "reviews-v2", app: "reviews", version: "v2" }),
    ...["paymentservice", "productservice", "abc", "stranger"].map((app) => echoDeployment({ name: app, app })),
    echoDeployment({ name: "orderservice", app: "orderservice", serviceAccount: "orderservice-sa" }),
    echoDeployment({ name: "eu-client", app: "eu-client" }).replaceAll("namespace: default", "namespace: abc-eu2"),
  );
}

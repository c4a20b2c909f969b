// What DestinationRules say of localities, credentials, workloads and the first bytes of connections, on real proxies.
import https from "node:https";
import net from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { selfSigned, tlsSecret } from "../../support/certificate.ts";
import { type Mesh, startMesh } from "../../support/mesh.ts";
import { listening } from "../../support/servers.ts";
import { documents, echoDeployment, service } from "../../support/workloads.ts";

const bank = selfSigned(["bank.example.com"]);
const visitor = selfSigned(["visitor"]);
const secure = https.createServer(
  { cert: bank.certificate, key: bank.key, ca: visitor.certificate, requestCert: true, rejectUnauthorized: true },
  (_, response) => response.end("vault"),
);
/** Answers with the first line of each connection. */
const lines = net.createServer((socket) =>
  socket.once("data", (data) => {
    const [first = ""] = data.toString("latin1").split("\r\n");
    socket.end(`HTTP/1.1 200 OK\r\ncontent-length: ${first.length}\r\nconnection: close\r\n\r\n${first}`);
  }),
);

let mesh: Mesh;

beforeAll(async () => {
  const ports = { secure: await listening(secure), lines: await listening(lines) };
  const placed = (name: string, version: string, labels: string) =>
    echoDeployment({ name, app: "web", version }).replace("      labels: {", `      labels: {${labels}, `);
  const client = echoDeployment({ name: "client", app: "client" }).replace(
    "      annotations: {",
    "      annotations: {topology.kubernetes.io/region: eu, topology.kubernetes.io/zone: eu-1, ",
  );
  const workloads = documents(
    service("web"),
    placed("web-near", "v1", "istio-locality: eu.eu-1"),
    placed("web-far", "v2", "topology.kubernetes.io/region: us").replace(/^[^-]*---\n/, ""),
    client,
    echoDeployment({ name: "stranger", app: "stranger" }),
    entry("bank", ports.secure),
    entry("lines", ports.lines),
    tlsSecret("visitor", "default", visitor),
    `apiVersion: v1\nkind: Secret\nmetadata: {name: visitor-cacert, namespace: default}\n` +
      `data: {ca.crt: ${Buffer.from(bank.certificate).toString("base64")}}\n`,
  );
  mesh = await startMesh({ files: { "workloads.yaml": workloads } });
}, 120_000);

afterAll(async () => {
  await mesh?.stop();
  secure.close();
  lines.close();
});

const entry = (name: string, port: number) => `apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: ${name}, namespace: default}
spec:
  hosts: [${name}.example.com]
  ports: [{number: 80, name: http, protocol: HTTP, targetPort: ${port}}]
  resolution: STATIC
  endpoints: [{address: 127.0.0.1}]
`;
const rule = (host: string, spec: string) =>
  `apiVersion: networking.istio.io/v1\nkind: DestinationRule\n` +
  `metadata: {name: ${host.split(".")[0]}, namespace: default}\nspec: {host: ${host}, ${spec}}\n`;

async function applied(...texts: readonly string[]): Promise<void> {
  await mesh.apply("rules.yaml", ...texts);
  expect(await mesh.errorsIn("rules.yaml")).toEqual([]);
}

async function versions(from: string, path = "/", times = 12): Promise<readonly string[]> {
  const answers = [];
  for (let i = 0; i < times; i++) answers.push(await mesh.from(from, `http://web${path}`));
  return [...new Set(answers.map(({ headers }) => String(headers["x-version"])))].sort();
}

const ejecting =
  "outlierDetection: {consecutive5xxErrors: 1, interval: 1s, baseEjectionTime: 60s, maxEjectionPercent: 100}";

describe("localities", () => {
  it("keep requests in the client's own until its endpoints are bad, then let them fail over", async () => {
    await applied(rule("web", `trafficPolicy: {${ejecting}}`));
    expect(await versions("client")).toEqual(["v1"]);
    // A client of which nobody knows where it runs asks everywhere.
    expect(await versions("stranger", "/", 30)).toEqual(["v1", "v2"]);
    expect((await mesh.from("client", "http://web/only/v1/503")).status).toBe(503);
    expect(await versions("client")).toEqual(["v2"]);
  });

  it("get the shares that a rule gives them", async () => {
    const distribute = (to: string) =>
      rule("web", `trafficPolicy: {loadBalancer: {localityLbSetting: {distribute: [{from: eu/*, to: ${to}}]}}}`);
    await applied(distribute("{us: 100}"));
    expect(await versions("client")).toEqual(["v2"]);
    await applied(distribute("{eu: 50, us: 50}"));
    expect(await versions("client", "/", 40)).toEqual(["v1", "v2"]);
  });

  it("and warm-up, zones, budgets and what counts as an error are taken by Envoy", async () => {
    await applied(
      rule(
        "web",
        `trafficPolicy: {loadBalancer: {simple: ROUND_ROBIN, warmup: {duration: 10s, aggression: 2}, zoneAwareLbSetting: ` +
          `{minClusterSize: 1, failover: [{from: eu, to: us}]}}, retryBudget: {percent: 10}, ` +
          `${ejecting.replace("}", ", outlierDetectionHttpErrorCodes: [418]}")}}`,
      ),
    );
    expect(await versions("client")).toEqual(["v1"]);
    // No error any more.
    expect((await mesh.from("client", "http://web/only/v1/503")).status).toBe(503);
    expect(await versions("client")).toEqual(["v1"]);
    expect((await mesh.from("client", "http://web/only/v1/418")).status).toBe(418);
    expect(await versions("client")).toEqual(["v2"]);
  });
});

describe("a credential", () => {
  const spec = (more: string) =>
    `workloadSelector: {matchLabels: {app: client}}, trafficPolicy: {tls: {mode: MUTUAL, sni: bank.example.com, ${more}}}`;

  it("is shown, and the server checked by it, for the workloads that the rule is for", async () => {
    await applied(rule("bank.example.com", spec("credentialName: visitor, subjectAltNames: [bank.example.com]")));
    expect(await mesh.from("client", "http://bank.example.com/")).toMatchObject({ status: 200, body: "vault" });
    expect((await mesh.from("stranger", "http://bank.example.com/")).status).not.toBe(200);
    await applied(rule("bank.example.com", spec("credentialName: visitor, subjectAltNames: [other.example.com]")));
    expect((await mesh.from("client", "http://bank.example.com/")).status).toBe(503);
  });

  it("that is nowhere lets nothing out, holds nothing up, and is taken up when it comes", async () => {
    await applied(rule("bank.example.com", spec("credentialName: late")));
    expect((await mesh.from("client", "http://bank.example.com/")).status).toBe(503);
    expect((await mesh.from("client", "http://web/")).status).toBe(200);
    const both = tlsSecret("late", "default", visitor).replace(
      "\ndata: {",
      `\ndata: {ca.crt: ${Buffer.from(bank.certificate).toString("base64")}, `,
    );
    await applied(rule("bank.example.com", spec("credentialName: late")), both);
    expect(await mesh.from("client", "http://bank.example.com/")).toMatchObject({ status: 200, body: "vault" });
  });
});

describe("the PROXY protocol", () => {
  it("begins each connection with the client's address", async () => {
    await applied(rule("lines.example.com", "trafficPolicy: {proxyProtocol: {version: V1}}"));
    expect((await mesh.from("client", "http://lines.example.com/")).body).toMatch(/^PROXY TCP4 127\.\S+ \S+ \d+ \d+$/);
  });
});

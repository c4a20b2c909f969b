// What proxies count, log and pass on, as Telemetry objects say, seen from outside: their metrics pages, access logs
// and the headers at either end.
import { readdirSync, readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Mesh, request, type RequestOptions, startMesh } from "../../support/mesh.ts";
import { tunnelled } from "../../support/tunnel.ts";
import { eventually } from "../../support/until.ts";
import { documents, echoDeployment, service } from "../../support/workloads.ts";

let mesh: Mesh;

const configuration = `apiVersion: v1
kind: ConfigMap
metadata: {name: istio, namespace: istio-system}
data: {mesh: "defaultConfig: {extraStatTags: [request_host, operation]}"}
`;
const tcpService = `apiVersion: v1
kind: Service
metadata: {name: db, namespace: default}
spec: {selector: {app: db}, ports: [{name: tcp-db, port: 5000, targetPort: 9080}]}
`;

beforeAll(async () => {
  const workloads = documents(
    configuration,
    service("web"),
    tcpService,
    echoDeployment({ name: "web-v1", app: "web" }),
    echoDeployment({ name: "db-v1", app: "db" }),
    echoDeployment({ name: "client", app: "client" }),
  );
  mesh = await startMesh({ files: { "workloads.yaml": workloads } });
}, 120_000);

afterAll(async () => {
  await mesh?.stop();
});

const telemetry = (name: string, namespace: string, spec: string): string =>
  "apiVersion: telemetry.istio.io/v1\nkind: Telemetry\n" +
  `metadata: {name: ${name}, namespace: ${namespace}}\nspec: ${spec}\n`;

const applied = (...texts: readonly string[]): Promise<void> => mesh.apply("telemetry.yaml", ...texts);

type Labels = Readonly<Record<string, string>>;

/** The samples of a metric on a workload's metrics page. */
async function samples(workload: string, metric: string): Promise<readonly (readonly [Labels, number])[]> {
  const { envoyAdmin } = await mesh.proxy(workload);
  const page = (await request(`http://${envoyAdmin.replace(/^https?:\/\//, "")}/stats/prometheus`)).body;
  return page
    .split("\n")
    .filter((line) => line.startsWith(`${metric}{`))
    .map((line) => {
      const labels = Object.fromEntries(
        [...line.matchAll(/(\w+)="([^"]*)"/g)].map(([, name = "", value = ""]) => [name, value]),
      );
      return [labels, Number(line.slice(line.lastIndexOf(" ")))] as const;
    });
}

/** The one sample of a metric that has these labels, once something was counted. */
const sample = (workload: string, metric: string, wanted: Labels): Promise<readonly [Labels, number]> =>
  eventually(
    `${metric} of ${workload}`,
    async () =>
      (await samples(workload, metric)).find(
        ([labels, value]) => value > 0 && Object.entries(wanted).every(([name, value]) => labels[name] === value),
      ),
    15_000,
  );

const ask = (path: string, options: RequestOptions = {}) => mesh.from("client", `http://web${path}`, options);

describe("who speaks to whom", () => {
  it("both sides know, and neither the application nor the client sees how", async () => {
    const answer = await ask("/");
    expect(answer.body).not.toContain("x-envoy-peer-metadata");
    expect(Object.keys(answer.headers).filter((name) => name.includes("peer-metadata"))).toEqual([]);
    const pair = {
      source_workload: "client",
      source_app: "client",
      destination_workload: "web-v1",
      destination_service_name: "web",
      response_code: "200",
    };
    await sample("client", "istio_requests_total", {
      ...pair,
      reporter: "source",
      connection_security_policy: "unknown",
    });
    await sample("web-v1", "istio_requests_total", {
      ...pair,
      reporter: "destination",
      connection_security_policy: "mutual_tls",
    });
  });

  it("passes trace context on as it came", async () => {
    const context = {
      traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
      tracestate: "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE",
      b3: "80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-1",
      "x-b3-traceid": "80f198ee56343ba864fe8b2a57d3eff7",
      "x-b3-spanid": "e457b5a2e4d86bd1",
      "x-b3-sampled": "1",
      "x-request-id": "6ba7b810-9dad-41d1-80b4-00c04fd430c8",
    };
    expect(JSON.parse((await ask("/", { headers: context })).body).headers).toMatchObject(context);
  });
});

describe("gRPC and connections", () => {
  it("counts the messages of a gRPC request at both ends", async () => {
    const message = "\0\0\0\0\x01A";
    await ask("/echo.Echo/Say", {
      method: "POST",
      headers: { "content-type": "application/grpc" },
      body: message + message,
    });
    for (const workload of ["client", "web-v1"])
      expect((await sample(workload, "istio_request_messages_total", { request_protocol: "grpc" }))[1]).toBe(2);
  });

  it("counts the connections of a port that speaks no HTTP", async () => {
    expect((await mesh.from("client", "http://db:5000/bytes")).status).toBe(200);
    const [labels] = await sample("db-v1", "istio_tcp_connections_opened_total", {
      reporter: "destination",
      request_protocol: "tcp",
    });
    expect(labels).toMatchObject({
      destination_workload: "db-v1",
      destination_service_name: "db",
      source_principal: "spiffe://cluster.local/ns/default/sa/client",
      connection_security_policy: "mutual_tls",
    });
    for (const metric of ["istio_tcp_received_bytes_total", "istio_tcp_sent_bytes_total"])
      expect((await sample("db-v1", metric, { request_protocol: "tcp" }))[1]).toBeGreaterThan(100);
  }, 40_000);

  it("counts a tunnel to such a port at the client, and none that only leads back to HTTP", async () => {
    const { outbound } = await mesh.proxy("client");
    expect((await tunnelled(outbound, "http://web:80/in-a-tunnel")).status).toBe(200);
    expect((await tunnelled(outbound, "http://db:5000/in-a-tunnel")).status).toBe(200);
    const wanted = {
      reporter: "source",
      request_protocol: "tcp",
      source_workload: "client",
      destination_workload: "db-v1",
      destination_service_name: "db",
      destination_principal: "spiffe://cluster.local/ns/default/sa/db",
    };
    for (const metric of ["istio_tcp_connections_opened_total", "istio_tcp_connections_closed_total"])
      expect((await sample("client", metric, wanted))[1]).toBe(1);
    for (const metric of ["istio_tcp_received_bytes_total", "istio_tcp_sent_bytes_total"])
      expect((await sample("client", metric, wanted))[1]).toBeGreaterThan(30);
    expect(
      (await samples("client", "istio_tcp_connections_opened_total")).map(
        ([labels]) => labels["destination_service_name"],
      ),
    ).toEqual(["db"]);
  }, 40_000);
});

describe("a Telemetry object", () => {
  it("changes labels and turns metrics off, where it says so and on its side", async () => {
    await applied(
      telemetry(
        "mesh",
        "istio-system",
        `{metrics: [{overrides: [
      {match: {metric: REQUEST_COUNT, mode: SERVER}, tagOverrides: {
        request_host: {value: request.host}, response_flags: {operation: REMOVE}, nobody: {value: request.path}}},
      {match: {metric: REQUEST_SIZE}, disabled: true}]}]}`,
      ),
    );
    await eventually("the new label", async () => {
      await ask("/labelled");
      return (await samples("web-v1", "istio_requests_total")).some(([labels]) => labels["request_host"] === "web")
        ? true
        : undefined;
    });
    const changed =
      (await samples("web-v1", "istio_requests_total")).find(([labels]) => labels["request_host"] === "web")?.[0] ?? {};
    expect(Object.keys(changed)).not.toContain("response_flags");
    expect(Object.keys(changed)).not.toContain("nobody");
    expect((await samples("client", "istio_requests_total")).some(([labels]) => "request_host" in labels)).toBe(false);
    const violations = (await request(`${mesh.admin}/debug/violations`)).body;
    expect(violations).toContain("label nobody is left out");
  }, 40_000);

  it("chooses what is logged", async () => {
    await applied(
      telemetry(
        "web",
        "default",
        `{selector: {matchLabels: {app: web}}, accessLogging: [{filter: {expression: "response.code >= 500"}}]}`,
      ),
      telemetry("quiet", "default", "{selector: {matchLabels: {app: client}}, accessLogging: [{disabled: true}]}"),
    );
    const logs = (pod: string): string =>
      readdirSync(`${mesh.stateDirectory}/logs`)
        .filter((name) => name.startsWith(pod))
        .map((name) => readFileSync(`${mesh.stateDirectory}/logs/${name}/access.log`, "utf8"))
        .join("");
    await eventually(
      "a log of failures alone",
      async () => {
        const tag = `try-${Date.now()}`;
        await ask(`/status/503?${tag}`);
        await ask(`/status/200?${tag}-fine`);
        await new Promise((resolve) => setTimeout(resolve, 1_200));
        const lines = logs("web-v1")
          .split("\n")
          .filter((line) => line.includes(tag));
        return lines.length > 0 && lines.every((line) => line.includes(" 503 ")) && !logs("client-").includes(tag)
          ? true
          : undefined;
      },
      20_000,
    );
  }, 40_000);
});

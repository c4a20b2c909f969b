// What pods do in the mesh as without it: their probes are answered, their jobs end, their init containers speak.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { eventually } from "../support/until.ts";
import { apply, inCluster, kubectl } from "./support/kubectl.ts";
import { clusterMissing } from "./support/missing.ts";
import { createNamespace, deleteNamespace, podOf, toolsContainer, untilReady } from "./support/namespace.ts";

const missing = clusterMissing();
const NAMESPACE = "pods";

/** HTTP on 8080 (/bad fails), bytes on 8081, gRPC's health service on 8082. */
const SERVER = `
const health = Buffer.from([0, 0, 0, 0, 2, 8, 1]);
require("http").createServer((q, s) => s.writeHead(q.url === "/bad" ? 500 : 200).end(q.url + " " + process.env.HOSTNAME)).listen(8080);
require("net").createServer((c) => c.on("error", () => {}).end("hello")).listen(8081);
require("http2").createServer((q, s) => {
  s.writeHead(200, { "content-type": "application/grpc" });
  s.addTrailers({ "grpc-status": "0" });
  s.end(health);
}).listen(8082);`;
const probe = (how: object) => ({
  readinessProbe: { ...how, periodSeconds: 1 },
  livenessProbe: { ...how, periodSeconds: 2 },
});
const server = (how: object) => toolsContainer("server", SERVER, probe(how));

const strict = {
  ...{
    apiVersion: "security.istio.io/v1",
    kind: "PeerAuthentication",
    metadata: { name: "default", namespace: NAMESPACE },
  },
  spec: { mtls: { mode: "STRICT" } },
};
const web = {
  ...{ apiVersion: "v1", kind: "Service", metadata: { name: "web", namespace: NAMESPACE } },
  spec: { selector: { app: "web" }, ports: [{ name: "http", port: 80, targetPort: 8080 }] },
};

describe.skipIf(missing !== undefined)(`pods in the mesh${missing ? ` (left out: ${missing})` : ""}`, () => {
  beforeAll(async () => {
    await createNamespace(NAMESPACE);
    const also = (name: string, how: object) => toolsContainer(name, undefined, probe(how));
    await apply(
      strict,
      web,
      podOf(NAMESPACE, "web", [
        server({ httpGet: { path: "/good", port: 8080 } }),
        also("tcp", { tcpSocket: { port: 8081 } }),
        also("grpc", { grpc: { port: 8082 } }),
        also("exec", { exec: { command: ["test", "-d", "/tmp"] } }),
      ]),
      podOf(NAMESPACE, "sick", [server({ httpGet: { path: "/bad", port: 8080 } })]),
      podOf(NAMESPACE, "closed", [server({ tcpSocket: { port: 8083 } })]),
    );
  });
  afterAll(() => deleteNamespace(NAMESPACE));

  it("are ready by probes of every kind, though plaintext is refused", async () => {
    await untilReady(NAMESPACE, "web");
    const ip = await kubectl(["-n", NAMESPACE, "get", "pod", "web", "-o", "jsonpath={.status.podIP}"]);
    expect((await inCluster(["curl", "-s", "-m", "5", `http://${ip}:8080/`])).code).not.toBe(0);
  });

  it.each(["sick", "closed"])("are not ready when their application is not: %s", async (pod) => {
    const failing = await eventually(`a failing probe of ${pod}`, async () => {
      const events = await kubectl([
        "-n",
        NAMESPACE,
        "get",
        "events",
        "--field-selector",
        `involvedObject.name=${pod}`,
      ]);
      return /server.*probe failed|probe failed.*/i.exec(events)?.[0];
    });
    expect(failing).toContain("probe failed");
    const path = 'jsonpath={.status.containerStatuses[?(@.name=="server")].ready}';
    expect(await kubectl(["-n", NAMESPACE, "get", "pod", pod, "-o", path])).toBe("false");
  });

  it("end with their job, whose init container speaks through the mesh, too", async () => {
    const ask = { command: ["curl", "-sf", "--retry", "20", "--retry-all-errors", "-m", "5", "http://web/from-job"] };
    await apply({
      ...{ apiVersion: "batch/v1", kind: "Job", metadata: { name: "once", namespace: NAMESPACE } },
      spec: {
        template: {
          metadata: { labels: { app: "once" } },
          spec: {
            restartPolicy: "Never",
            initContainers: [toolsContainer("before", undefined, ask)],
            containers: [toolsContainer("job", undefined, ask)],
          },
        },
      },
    });
    await kubectl(["-n", NAMESPACE, "wait", "--for=condition=Complete", "job/once", "--timeout=60s"]);
    expect(await kubectl(["-n", NAMESPACE, "logs", "job/once", "-c", "job"])).toBe("/from-job web");
  });

  it("run their proxy as nobody, with nothing to write to, and their programs as before", async () => {
    const pod = JSON.parse(await kubectl(["-n", NAMESPACE, "get", "pod", "web", "-o", "json"]));
    const proxy = pod.spec.initContainers.find(({ name }: { name: string }) => name === "istio-proxy");
    expect(proxy).toMatchObject({
      restartPolicy: "Always",
      securityContext: {
        runAsUser: 1337,
        runAsNonRoot: true,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ["ALL"] },
      },
    });
    expect(pod.spec.containers.map(({ name }: { name: string }) => name)).toEqual(["server", "tcp", "grpc", "exec"]);
    expect(pod.status.containerStatuses.map(({ restartCount }: { restartCount: number }) => restartCount)).toEqual([
      0, 0, 0, 0,
    ]);
  });
});

// Programs behind ports of which nobody says what they speak: inbound, and through the client's tunnels; and how long a
// connection that says nothing is waited for.
import { execFile, execFileSync } from "node:child_process";
import net from "node:net";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Mesh, repository, startMesh } from "../../support/mesh.ts";
import { listening } from "../../support/servers.ts";
import { text, tunnel, until } from "../../support/tunnel.ts";
import { documents, echoDeployment } from "../../support/workloads.ts";

const run = promisify(execFile);
const hasRedis = ["redis-server", "redis-cli"].every((program) => {
  try {
    execFileSync(program, ["--version"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
});

const workload = (name: string, command: string) => `apiVersion: v1
kind: Service
metadata: {name: ${name}, namespace: default}
spec: {selector: {app: ${name}}, ports: [{port: 7000, targetPort: 9000}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: ${name}, namespace: default}
spec:
  selector: {matchLabels: {app: ${name}}}
  template:
    metadata:
      labels: {app: ${name}}
      annotations: {scrim.mesh/local-command: "${command}"}
    spec: {containers: [{name: app, ports: [{containerPort: 9000}]}]}
`;
const strict = `apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: default, namespace: istio-system}
spec: {mtls: {mode: STRICT}}
`;
const settings = (mesh: string) =>
  `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: istio, namespace: istio-system}\ndata: {mesh: '${mesh}'}\n`;

let mesh: Mesh;
let proxy = "";
const forwarders: net.Server[] = [];

beforeAll(async () => {
  const workloads = documents(
    echoDeployment({ name: "client", app: "client" }),
    workload("web", `exec node ${repository}test/support/apps/echo.mjs`),
    workload("greeter", `exec node ${repository}test/support/apps/greeter.mjs`),
    ...(hasRedis
      ? [workload("cache", "exec redis-server --bind 127.0.0.1 --port $PORT --save '' --appendonly no")]
      : []),
  );
  mesh = await startMesh({ files: { "workloads.yaml": workloads } });
  proxy = (await mesh.proxy("client")).outbound;
}, 120_000);

afterAll(async () => {
  for (const server of forwarders) server.close();
  await mesh?.stop();
});

/** A port of this machine from which each connection goes through a tunnel of the client's to a host. */
async function forwarded(authority: string): Promise<number> {
  const server = net.createServer((socket) => {
    tunnel(proxy, authority).then(
      (inside) => {
        socket.pipe(inside).pipe(socket);
        for (const end of [socket, inside]) end.on("error", () => (socket.destroy(), inside.destroy()));
      },
      () => socket.destroy(),
    );
  });
  forwarders.push(server);
  return listening(server);
}

/** Where a workload's sidecar takes connections of others. */
async function bound(name: string): Promise<{ readonly host: string; readonly port: number }> {
  const { hostname, port } = new URL(`http://${(await mesh.proxy(name)).ports[0]?.address}`);
  return { host: hostname, port: Number(port) };
}

describe.each(["PERMISSIVE", "STRICT"])("under %s", (mode) => {
  beforeAll(() => mesh.apply("mode.yaml", mode === "STRICT" ? strict : "# nothing\n"));

  it.runIf(hasRedis)("redis-cli speaks with redis-server", async () => {
    const throughTunnels = { host: "127.0.0.1", port: await forwarded("cache:7000") };
    for (const { host, port } of mode === "STRICT" ? [throughTunnels] : [throughTunnels, await bound("cache")]) {
      const cli = (...args: readonly string[]) =>
        run("redis-cli", ["-h", host, "-p", String(port), ...args]).then(({ stdout }) => stdout.trim());
      expect(await cli("SET", "key", mode)).toBe("OK");
      expect(await cli("GET", "key")).toBe(mode);
      expect(await cli("EVAL", "return string.rep('x', 1000000)", "0")).toHaveLength(1_000_000);
    }
  });

  it("a server that greets first is heard, and answers", async () => {
    const socket = await tunnel(proxy, "greeter:7000");
    expect(await until(socket, "\r\n")).toBe("220 greeter ready\r\n");
    socket.write("HELO client\r\n");
    expect(await until(socket, "\r\n")).toBe("250 hello client\r\n");
    socket.write("QUIT\r\n");
    expect(await text(socket)).toBe("221 bye\r\n");
  });

  it("HTTP/1.0 is HTTP", async () => {
    const place = await bound("web");
    const ways = [() => tunnel(proxy, "web:7000"), ...(mode === "STRICT" ? [] : [async () => net.connect(place)])];
    for (const open of ways) {
      const socket = await open();
      socket.write("GET /old HTTP/1.0\r\nhost: web:7000\r\n\r\n");
      const answer = await text(socket);
      expect(answer).toMatch(/^HTTP\/1\.[01] 200 /);
      // It was looked into, on the way or at the workload.
      expect(answer).toContain("x-envoy-upstream-service-time");
      expect(answer).toContain('"path":"/old"');
    }
  });
});

describe("protocolDetectionTimeout", () => {
  const silentFor = async (ms: number) => {
    const socket = await tunnel(proxy, "greeter:7000");
    let heard = "";
    socket.on("data", (chunk: Buffer) => (heard += chunk));
    await new Promise((resolve) => setTimeout(resolve, ms));
    return { socket, heard: () => heard };
  };

  it("of 0s waits for the client for ever, as in Istio", async () => {
    await mesh.apply("settings.yaml", settings("protocolDetectionTimeout: 0s"));
    const { socket, heard } = await silentFor(4_000);
    expect(heard()).toBe("");
    socket.write("HELO late\r\n");
    expect(await until(socket, "late\r\n")).toBe("220 greeter ready\r\n250 hello late\r\n");
    socket.destroy();
  });

  it("is how long a silent client is waited for", async () => {
    await mesh.apply("settings.yaml", settings("protocolDetectionTimeout: 100ms"));
    const { socket } = await silentFor(0);
    expect(await until(socket, "\r\n")).toBe("220 greeter ready\r\n");
    socket.destroy();
  });
});

// What programs in pods of their own say to each other, when they know nothing of a mesh.
import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { networkInterfaces, tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Mesh, processesOf, type ProxyStatus, startMesh } from "../../support/mesh.ts";
import { namespacesMissing } from "../../support/namespaces.ts";
import { inPod, metricsOf, startInPod } from "../../support/pods.ts";
import { eventually } from "../../support/until.ts";
import { workload } from "../../support/pod-workloads.ts";
import { documents } from "../../support/workloads.ts";

const machineAddress = Object.values(networkInterfaces())
  .flatMap((addresses) => addresses ?? [])
  .find(({ family, internal }) => family === "IPv4" && !internal)?.address;
const has = (program: string) => spawnSync("sh", ["-c", `command -v ${program}`]).status === 0;
const postgres = spawnSync("sh", ["-c", "ls -d /usr/lib/postgresql/*/bin/postgres"], {
  encoding: "utf8",
}).stdout.trim();
const hasRedis = has("redis-server") && has("redis-cli");
const hasPostgres = postgres !== "" && has("psql");

const strict = `apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: default, namespace: istio-system}
spec: {mtls: {mode: STRICT}}
`;
const database = mkdtempSync(join(tmpdir(), "scrim-pg-"));
const startPostgres =
  `B=$(dirname ${postgres}); D=${database}/db; $B/initdb -D $D -A trust -U postgres >&2 && ` +
  "echo 'host all all all trust' >> $D/pg_hba.conf && exec $B/postgres -D $D -k $D -h '*'";
const tongues = { http: 80, "tcp-greeting": 2525, "tcp-echo": 7000 };
const talk = "exec node apps/many-tongues.mjs";

describe.skipIf(namespacesMissing() !== undefined)("programs in pods of their own", () => {
  let mesh: Mesh;
  let [client, web, other]: readonly ProxyStatus[] = [];

  beforeAll(async () => {
    // Its programs are nobody's.
    chmodSync(database, 0o777);
    mesh = await startMesh({
      files: {
        "web.yaml": workload({ name: "web", command: talk, ports: tongues }),
        "mesh.yaml": documents(
          strict,
          workload({ name: "other", command: talk, ports: { http: 80 }, user: 12_345 }),
          workload({ name: "client", command: "exec sleep infinity" }),
          workload({
            name: "open",
            command: talk,
            ports: tongues,
            annotations: { "traffic.sidecar.istio.io/excludeInboundPorts": "2525" },
          }),
          ...(hasRedis
            ? [
                workload({
                  name: "redis",
                  command: "exec redis-server --save '' --protected-mode no",
                  ports: { "tcp-redis": 6379 },
                }),
              ]
            : []),
          ...(hasPostgres ? [workload({ name: "pg", command: startPostgres, ports: { "tcp-pg": 5432 } })] : []),
        ),
      },
      args: ["--isolate"],
    });
    [client, web, other] = [await mesh.proxy("client"), await mesh.proxy("web"), await mesh.proxy("other")];
  });

  afterAll(async () => {
    await mesh?.stop();
    rmSync(database, { recursive: true, force: true });
  });

  const ask = (from: ProxyStatus | undefined, script: string, uid?: number) => inPod(from as ProxyStatus, script, uid);
  const get = (from: ProxyStatus | undefined, url: string) => ask(from, `curl -s -m 5 ${url}`).text;
  /** The rows of what the workload's sidecar has received, by who sent it and how. */
  const received = (name: string) =>
    eventually(`what ${name} received`, async () => {
      const rows = await metricsOf(mesh, name, "istio_tcp_connections_opened_total");
      const own = rows.filter((row) => row.includes('reporter="destination"'));
      return own.length > 0 ? own : undefined;
    });

  it("reach a service by its short name and by its whole one", () => {
    for (const name of ["web", "web.default", "web.default.svc", "web.default.svc.cluster.local"])
      expect(get(client, `http://${name}/`)).toContain('"pod":"web-0-');
    expect(ask(client, "getent hosts nowhere.default").text).toBe("");
  });

  it.skipIf(!hasRedis)("speak to Redis, in mutual TLS that neither knows of", async () => {
    expect(ask(client, "redis-cli -h redis set greeting hello; redis-cli -h redis get greeting").text).toBe(
      "OK\nhello\n",
    );
    for (const row of await received("redis")) {
      expect(row).toContain('source_principal="spiffe://cluster.local/ns/default/sa/client"');
      expect(row).toContain('connection_security_policy="mutual_tls"');
    }
  });

  it.skipIf(!hasPostgres)("speak to PostgreSQL", async () => {
    expect(ask(client, "psql -h pg -U postgres -At -c 'select 6 * 7'").text).toBe("42\n");
    for (const row of await received("pg")) expect(row).toContain('connection_security_policy="mutual_tls"');
  });

  it("hear a server that speaks first, and say the last word", () => {
    expect(ask(client, "exec 3<>/dev/tcp/web/2525; head -1 <&3").text).toMatch(/^220 web-0-/);
    const halfClosed =
      `${process.execPath} -e 'const s = require("net").connect({ port: 7000, host: "web", allowHalfOpen: true });` +
      `s.end("x".repeat(1e6)); let n = 0; s.on("data", (d) => (n += d.length)).on("end", () => console.log(n));'`;
    expect(ask(client, halfClosed).text).toBe("1000000\n");
  });

  it("are denied what a policy denies, connection by connection", async () => {
    await mesh.apply(
      "policy.yaml",
      `apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: web, namespace: default}
spec:
  selector: {matchLabels: {app: web}}
  action: DENY
  rules:
  - from: [{source: {principals: [cluster.local/ns/default/sa/other]}}]
    to: [{operation: {ports: ["7000"]}}]
`,
    );
    const echo = "exec 3<>/dev/tcp/web/7000; echo hello >&3; head -1 <&3";
    expect(ask(client, echo).text).toBe("hello\n");
    expect(ask(other, echo).text).toBe("");
    expect(get(other, "http://web/")).toContain('"pod":"web-0-');
    mesh.remove("policy.yaml");
  });

  it("reach themselves: by their service, by their address, by loopback", () => {
    for (const host of ["web", web?.podIp, "127.0.0.1"]) expect(get(web, `http://${host}/`)).toContain('"pod":"web-0-');
    // By the service through the sidecar, twice; else directly.
    expect(get(web, "http://web/")).toContain('"from":"127.0.0.6"');
    expect(get(web, `http://${web?.podIp}/`)).toContain(`"from":"${web?.podIp}"`);
  });

  it.skipIf(!existsSync("/proc/net/if_inet6"))("have an IPv6 address, which leads past no policy", () => {
    const address = `[${ask(web, "ip -6 -o address show dev eth0 scope global").text.split(/\s+/)[3]?.split("/")[0]}]`;
    expect(get(web, `-g 'http://${address}/'`)).toContain('"pod":"web-0-');
    const status = (url: string) => ask(client, `curl -s -g -m 5 -o /dev/null -w '%{http_code}' '${url}'`).text;
    expect(status(`http://${address}:15021/healthz/ready`)).toBe("200");
    // As by the IPv4 address: a pod without a Service of its own is asked in plaintext, and STRICT refuses that.
    expect(status(`http://${address}/`)).toBe("503");
    expect(status(`http://${web?.podIp}/`)).toBe("503");
  });

  it("are told that an address is nowhere", () => {
    expect(ask(client, "curl -s -m 10 http://192.0.2.7:81/").code).not.toBe(28);
    expect(ask(client, "curl -s -m 10 http://10.244.0.250:81/").code).not.toBe(0);
  });

  it.skipIf(machineAddress === undefined)(
    "reach the world as the machine does, where their mesh lets them",
    async () => {
      const server = createServer((_, response) => response.end("hello from the world"));
      await new Promise<void>((resolve) => server.listen(0, machineAddress, resolve));
      const { port } = server.address() as AddressInfo;
      try {
        // The server is in this process: nothing may wait for the answer here.
        const asking = startInPod(
          client as ProxyStatus,
          `curl -s -m 10 http://${machineAddress}:${port}/; echo; sleep 60`,
        );
        await eventually("the answer", () => (asking.lines().length > 0 ? true : undefined));
        expect(await asking.end()).toEqual(["hello from the world"]);
      } finally {
        server.close();
      }
    },
  );

  it("send datagrams as ever", () => {
    const send =
      `${process.execPath} -e 'const s = require("dgram").createSocket("udp4"); s.on("message", (m) => {` +
      `console.log(String(m)); s.close(); }); s.send("hello", 9999, "${web?.podIp}");'`;
    expect(ask(client, send).text).toBe(`hello from ${client?.podIp}\n`);
  });

  it("find nothing to change at a neighbour's sidecar", () => {
    const at = (port: number, path: string, method = "GET") =>
      ask(client, `curl -s -m 5 -o /dev/null -w '%{http_code}' -X ${method} http://${web?.podIp}:${port}${path}`).text;
    expect(at(15_021, "/healthz/ready")).toBe("200");
    expect(at(15_090, "/stats/prometheus")).toBe("200");
    for (const [port, path] of [
      [15_000, "/quitquitquit"],
      [15_090, "/quitquitquit"],
      [15_021, "/quitquitquit"],
      [15_001, "/"],
      [15_006, "/"],
    ] as const)
      expect(at(port, path, "POST"), `${port}${path}`).toMatch(/^(000|404)$/);
    expect(get(client, "http://web/")).toContain('"pod":"web-0-');
  });

  it("are found where the template leaves a port out of capture, and only there", async () => {
    const { podIp } = await mesh.proxy("open");
    // Whoever has the proxy's uid is not captured, and has no certificate.
    const greeting = (address?: string) => ask(client, `exec 3<>/dev/tcp/${address}/2525; head -1 <&3`, 1337).text;
    expect(greeting(podIp)).toMatch(/^220 open-0-/);
    expect(greeting(web?.podIp)).toBe("");
  });

  it("see no secrets of the mesh, though they may read what root may to come to their folder", () => {
    const program = processesOf(mesh).find(({ words }) => words[0] === "node" && words[1] === "apps/many-tongues.mjs");
    const looking = [
      "-t",
      String(program?.pid),
      "-m",
      "--",
      "find",
      "/run/scrim",
      mesh.stateDirectory,
      "-mindepth",
      "1",
    ];
    expect(spawnSync("nsenter", looking, { encoding: "utf8" })).toMatchObject({ status: 0, stdout: "" });
  });

  it("run as whom their template says", () => {
    const { stdout } = spawnSync("ps", ["-eo", "uid,args"], { encoding: "utf8" });
    expect(stdout).toMatch(/12345 node apps\/many-tongues\.mjs/);
  });

  it("are taken by others without a failed request when their template changes", async () => {
    const asking = startInPod(
      client as ProxyStatus,
      "while :; do curl -s -o /dev/null -m 5 -w '%{http_code}\\n' http://web/ || echo none; done",
    );
    await mesh.apply("web.yaml", workload({ name: "web", command: `${talk} again`, ports: tongues }));
    await eventually("the new pod alone", async () => {
      const pods = (await mesh.proxies()).filter(({ workload: name }) => name === "web");
      return pods.length === 1 && pods[0]?.name !== web?.name ? true : undefined;
    });
    const said = await asking.end();
    expect(said.length).toBeGreaterThan(10);
    expect(said.filter((status) => status !== "200")).toEqual([]);
  });
});

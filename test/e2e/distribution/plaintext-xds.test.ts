// `scrim serve --xds-port`: xDS without TLS and without a credential, on this machine only, for whoever says what it
// is; and what the metrics say of it.
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { resourceTypes } from "../../../controlplane/snapshot/type-urls.ts";
import { discoveryMethods } from "../../../controlplane/xds/grpc/services.ts";
import { decode } from "../../../protos/codec.ts";
import { plaintextBootstrap } from "../../support/ads-bootstrap.ts";
import { typeUrl } from "../../support/envoy-config.ts";
import { type Envoy, startEnvoy } from "../../support/envoy.ts";
import { request, scrim } from "../../support/mesh.ts";
import { freePort } from "../../support/ports.ts";
import { openRawClient } from "../../support/raw-client.ts";
import { freePorts } from "../../support/serve-settings.ts";
import { type ServedMesh, startServe } from "../../support/serve.ts";
import { eventually } from "../../support/until.ts";
import { serviceAt } from "../../support/workloads.ts";

const root = mkdtempSync(join(tmpdir(), "scrim-plain-"));
const byte = () => 2 + Math.floor(Math.random() * 250);
const podIp = `127.${byte()}.${byte()}.3`;
const node = {
  id: `sidecar~${podIp}~guest-0.default~default.svc.cluster.local`,
  cluster: "guest",
  metadata: { NAMESPACE: "default", LABELS: { app: "guest" } },
};
const urlOf = (kind: keyof typeof resourceTypes): string => resourceTypes[kind].typeUrl;
const pathOf = (name: string): string => discoveryMethods.find((method) => method.name === name)!.path;
let controlPlane: ServedMesh;
let application: Server;
let admin = "";
let log = "";
let xdsPort = 0;

function writeService(host: string): void {
  writeFileSync(join(root, "mesh/web.yaml"), serviceAt(host, "127.0.0.1", (application.address() as AddressInfo).port));
}

beforeAll(async () => {
  application = createServer((incoming, response) => response.end(`web saw ${incoming.headers.host}`));
  await new Promise<void>((resolve) => void application.listen(0, "127.0.0.1", resolve));
  mkdirSync(join(root, "mesh"));
  writeService("web");
  const { port } = application.address() as AddressInfo;
  // The guests have a port of their own, which takes mutual TLS where it can be had; and one service is reached by
  // mutual TLS only.
  writeFileSync(
    join(root, "mesh/guest.yaml"),
    `apiVersion: v1
kind: Service
metadata: {name: guest, namespace: default}
spec:
  selector: {app: guest}
  ports: [{name: http, port: 80, targetPort: ${port}}]
---
${serviceAt("locked", "127.0.0.1", port)}---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: locked, namespace: default}
spec:
  host: locked
  trafficPolicy: {tls: {mode: ISTIO_MUTUAL}}
`,
  );
  xdsPort = await freePort();
  controlPlane = startServe({
    directories: { mesh: join(root, "mesh"), state: join(root, "state") },
    ports: await freePorts(),
    args: ["--xds-port", String(xdsPort)],
    stdio: ["ignore", "pipe", "ignore"],
  });
  admin = controlPlane.admin;
  controlPlane.process.stdout?.setEncoding("utf8").on("data", (text: string) => (log += text));
  await controlPlane.ready();
});
afterAll(async () => {
  await controlPlane.stop("SIGKILL");
  application.close();
  rmSync(root, { recursive: true, force: true });
});

describe("a client that proves nothing", () => {
  it("gets the mesh as its node describes it, in each dialect, and no secret", async () => {
    const address = { host: "127.0.0.1", port: xdsPort };
    const delta = openRawClient("delta", pathOf("DeltaAggregatedResources"), address);
    const world = openRawClient("sotw", pathOf("StreamAggregatedResources"), address);
    try {
      delta.send({ node, typeUrl: urlOf("clusters") });
      expect((await delta.next()).resources.map(({ name }) => name)).toContain(
        "outbound|80||web.default.svc.cluster.local",
      );
      delta.send({ typeUrl: urlOf("secrets"), resourceNamesSubscribe: ["default", "ROOTCA"] });
      expect(await delta.next()).toMatchObject({ resources: [], removed: ["default", "ROOTCA"] });
      world.send({
        node: { ...node, id: node.id.replace("guest-0", "guest-1") },
        typeUrl: urlOf("secrets"),
        resourceNames: ["default"],
      });
      expect((await world.next()).resources).toEqual([]);
      world.send({ typeUrl: urlOf("routes"), resourceNames: ["80"] });
      const { virtualHosts, vhds } = decode("RouteConfiguration", (await world.next()).resources[0]!.value);
      expect(virtualHosts?.map(({ name }) => name)).toContain("web.default.svc.cluster.local:80");
      expect(vhds).toBeUndefined();
    } finally {
      delta.close();
      world.close();
    }
  });
});

describe("a proxy whose pod is described as one without a proxy", () => {
  it("is not served, and the log says why and what to do", async () => {
    writeFileSync(
      join(root, "mesh/pod.yaml"),
      "apiVersion: v1\nkind: Pod\nmetadata: {name: plain-0, namespace: default}\n" +
        `spec: {containers: [{name: plain}]}\nstatus: {podIP: ${podIp}}\n`,
    );
    await eventually("the pod", async () =>
      (await request(`${admin}/debug/distribution?object=Pod/default/plain-0`)).body.includes('"published": true')
        ? true
        : undefined,
    );
    const client = openRawClient("delta", pathOf("DeltaAggregatedResources"), { host: "127.0.0.1", port: xdsPort });
    client.send({ node: { ...node, id: node.id.replace("guest-0", "plain-0") }, typeUrl: urlOf("clusters") });
    await eventually("a word", () =>
      log.includes("the document of its pod says nothing of a proxy; add the annotation scrim.mesh/proxy: sidecar")
        ? true
        : undefined,
    );
    expect(client.responses).toEqual([]);
    client.close();
  });
});

const variants = [
  { name: "delta, aggregated", apiType: "DELTA_GRPC", isAggregated: true, host: 3 },
  {
    name: "delta, clusters and listeners on streams of their own",
    apiType: "DELTA_GRPC",
    isAggregated: false,
    host: 4,
  },
  { name: "state of the world, aggregated", apiType: "GRPC", isAggregated: true, host: 5 },
  {
    name: "state of the world, clusters and listeners on streams of their own",
    apiType: "GRPC",
    isAggregated: false,
    host: 6,
  },
] as const;

describe.each(variants)("an Envoy without TLS and without secrets: $name", ({ apiType, isAggregated, host }) => {
  const ownIp = podIp.replace(/3$/, String(host));
  let envoy: Envoy;
  beforeAll(async () => {
    const proxy = { ...node, id: node.id.replace(podIp, ownIp).replace("guest-0", `guest-${host}`) };
    const internal = "envoy.bootstrap.internal_listener";
    const internalListener = { "@type": typeUrl("envoy.extensions.bootstrap.internal_listener.v3.InternalListener") };
    envoy = await startEnvoy({
      ...plaintextBootstrap({ port: xdsPort, node: proxy, variant: { apiType, isAggregated }, hasAds: true }),
      bootstrap_extensions: [{ name: internal, typed_config: internalListener }],
    });
  });
  afterAll(() => envoy.stop());

  const through = async (name: string): Promise<string> => {
    const { status, body } = await request(`http://${name}/`, { proxy: `http://${ownIp}:15001` });
    return `${status} ${body}`;
  };
  const becomes = (name: string, answer: string) =>
    eventually(answer, async () => ((await through(name)) === answer ? true : undefined)).catch((error: unknown) => {
      throw new Error(`${String(error)}\n${envoy.log().slice(-3_000)}`);
    });

  it("serves the mesh's services, and follows its changes", async () => {
    writeService("web");
    await becomes("web", "200 web saw web");
    writeService("shop");
    await becomes("shop", "200 web saw shop");
    await eventually("the old one's end", async () =>
      (await through("web")).startsWith("200 web") ? undefined : true,
    );
  });

  it("takes a change of its clusters, whose endpoints it has", async () => {
    const connectTimeouts = async () => {
      const { configs = [] } = JSON.parse(await envoy.admin("/config_dump?resource=dynamic_active_clusters")) as {
        configs?: { cluster: { name: string; connect_timeout: string } }[];
      };
      return configs
        .filter(({ cluster }) => cluster.name.startsWith("outbound|80||shop"))
        .map(({ cluster }) => cluster.connect_timeout);
    };
    const seconds = String(100 + host);
    writeFileSync(
      join(root, "mesh/istio.yaml"),
      "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: istio, namespace: istio-system}\ndata:\n" +
        `  mesh: |\n    connectTimeout: ${seconds}s\n`,
    );
    await eventually("the new cluster in use", async () =>
      (await connectTimeouts()).includes(`${seconds}s`) ? true : undefined,
    ).catch(async (error: unknown) => {
      throw new Error(
        `${String(error)}: ${(await connectTimeouts()).join()}; warming: ` +
          `${await envoy.stat("cluster_manager.warming_clusters")}`,
      );
    });
    expect(await envoy.stat("cluster_manager.warming_clusters")).toBe(0);
    expect(await through("shop")).toBe("200 web saw shop");
  });

  it("serves its own application, and waits for no secret; what must be encrypted it does not reach", async () => {
    const { port } = application.address() as AddressInfo;
    expect((await request(`http://${ownIp}:${port}/`)).body).toBe(`web saw ${ownIp}:${port}`);
    expect(await through("locked")).toMatch(/^503 /);
    expect(await envoy.stat("listener_manager.total_listeners_warming")).toBe(0);
    expect(await envoy.stat("cluster_manager.warming_clusters")).toBe(0);
    expect(await envoy.admin("/config_dump")).not.toContain("sds_config");
  });
});

describe("the metrics", () => {
  it("show what was sent, under the names that Istio has for it", async () => {
    const { body } = await request(`${admin}/metrics`);
    for (const type of ["cds", "lds", "eds", "rds"])
      expect(body).toMatch(new RegExp(`^pilot_xds_pushes\\{type="${type}"\\} [1-9]`, "m"));
    expect(body).toMatch(/^pilot_proxy_convergence_time_count [1-9]/m);
    expect(body).toMatch(/^pilot_xds_config_size_bytes_sum\{type="cds"\} [1-9]/m);
    expect(body).toMatch(/^pilot_xds_push_time_count\{type="cds"\} [1-9]/m);
    expect(body).toMatch(/^pilot_push_triggers\{type="config"\} [1-9]/m);
    expect(body).toMatch(/^pilot_debounce_time_count [1-9]/m);
    expect(body).toMatch(/^# TYPE pilot_xds gauge$/m);
    expect(body).toMatch(/^istio_build\{component="pilot",tag="[0-9.]+"\} 1$/m);
    expect(body).toMatch(/^pilot_pushcontext_init_seconds_count [1-9]/m);
    expect(body).toMatch(/^pilot_total_xds_internal_errors 0$/m);
    expect(body).toMatch(/^citadel_server_root_cert_expiry_timestamp [1-9]/m);
    expect(body).toMatch(/^pilot_services 3$/m);
    expect(body).toMatch(/^pilot_virt_services 0$/m);
  });
});

describe("the port", () => {
  it("is not there unless asked for, and says what is wrong with a bad one", () => {
    const { status, stderr } = spawnSync(process.execPath, [scrim, "serve", join(root, "mesh"), "--xds-port", "none"], {
      encoding: "utf8",
    });
    expect([status, stderr.trim()]).toEqual([
      2,
      "scrim: --xds-port none is not a port: write a number from 0 (any free port) to 65535.",
    ]);
  });

  it("that is taken ends the start with a sentence", async () => {
    const child = spawnSync(
      process.execPath,
      [
        scrim,
        "serve",
        join(root, "mesh"),
        "--state-dir",
        join(root, "other-state"),
        "--xds-address",
        "127.0.0.1:0",
        "--admin-address",
        "127.0.0.1:0",
        "--xds-port",
        String(xdsPort),
      ],
      { encoding: "utf8", timeout: 60_000, env: { ...process.env, SCRIM_LOG_LEVEL: "silent" } },
    );
    expect([child.status, child.stderr.trim()]).toEqual([
      1,
      expect.stringMatching(
        /^scrim: Port \d+ of --xds-port is taken by process \d+ \(.*serve.*\): end that process, or .*\.$/,
      ),
    ]);
  });
});

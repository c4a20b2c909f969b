// A plugin of one's own, applied and exchanged with kubectl while requests go on.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startLoad } from "../support/load.ts";
import { repository, request } from "../support/mesh.ts";
import { eventually } from "../support/until.ts";
import { gatewayUrl, runScrim } from "./support/bookinfo.ts";
import { apply, kubectl } from "./support/kubectl.ts";
import { clusterMissing } from "./support/missing.ts";
import { createNamespace, deleteNamespace, podOf, toolsContainer, untilReady } from "./support/namespace.ts";
import { clusterAgent } from "./support/network.ts";

const missing = clusterMissing();
const NAMESPACE = "plugins";
const module = readFileSync(join(repository, "filters/build/examples/add-header.wasm"));
const FILES =
  'require("http").createServer((q, s) => s.end(require("fs").readFileSync("/files" + q.url))).listen(8000)';
const WEB = 'require("http").createServer((q, s) => s.end("web")).listen(8080)';

/** Serves modules within the cluster; a custom section makes another version of the same one. */
const files = {
  ...{ apiVersion: "v1", kind: "ConfigMap", metadata: { name: "files", namespace: NAMESPACE } },
  binaryData: {
    "a.wasm": module.toString("base64"),
    "b.wasm": Buffer.concat([module, Buffer.from([0, 3, 1, 0x76, 1])]).toString("base64"),
  },
};
const service = (name: string, port: number) => ({
  ...{ apiVersion: "v1", kind: "Service", metadata: { name, namespace: NAMESPACE } },
  spec: { selector: { app: name }, ports: [{ name: "http", port }] },
});
const door = [
  {
    ...{ apiVersion: "networking.istio.io/v1", kind: "Gateway", metadata: { name: "door", namespace: NAMESPACE } },
    spec: {
      selector: { istio: "ingressgateway" },
      servers: [{ port: { number: 80, name: "http", protocol: "HTTP" }, hosts: ["plugins.example"] }],
    },
  },
  {
    ...{
      apiVersion: "networking.istio.io/v1",
      kind: "VirtualService",
      metadata: { name: "door", namespace: NAMESPACE },
    },
    spec: {
      ...{ hosts: ["plugins.example"], gateways: ["door"] },
      http: [{ route: [{ destination: { host: `web.${NAMESPACE}.svc.cluster.local`, port: { number: 8080 } } }] }],
    },
  },
];
const plugin = (file: string, value: string) => ({
  ...{
    apiVersion: "extensions.istio.io/v1alpha1",
    kind: "WasmPlugin",
    metadata: { name: "stamp", namespace: NAMESPACE },
  },
  spec: {
    selector: { matchLabels: { app: "web" } },
    url: `http://files.${NAMESPACE}.svc.cluster.local:8000/${file}`,
    failStrategy: "FAIL_OPEN",
    pluginConfig: { name: "x-stamp", value },
  },
});

describe.skipIf(missing !== undefined)(`plugins on a cluster${missing ? ` (left out: ${missing})` : ""}`, () => {
  beforeAll(async () => {
    await createNamespace(NAMESPACE);
    const volumes = { volumes: [{ name: "files", configMap: { name: "files" } }] };
    const mounts = { volumeMounts: [{ name: "files", mountPath: "/files" }] };
    await apply(files, service("files", 8000), service("web", 8080), ...door);
    const filesPod = podOf(NAMESPACE, "files", [toolsContainer("files", FILES, mounts)], volumes);
    const outside = {
      annotations: { "sidecar.istio.io/inject": "false" },
      labels: { app: "files", "sidecar.istio.io/inject": "false" },
    };
    await apply(
      { ...filesPod, metadata: { name: "files", namespace: NAMESPACE, ...outside } },
      podOf(NAMESPACE, "web", [toolsContainer("web", WEB)]),
    );
    await untilReady(NAMESPACE, "web");
    await untilReady(NAMESPACE, "files");
  });
  afterAll(() => deleteNamespace(NAMESPACE));

  it("are applied, exchanged and removed without a failed request", async () => {
    const [url, agent, headers] = [await gatewayUrl(), await clusterAgent(), { host: "plugins.example" }];
    const answer = () => request(url, { agent, headers });
    await eventually("the door", async () => ((await answer()).status === 200 ? true : undefined));
    const load = startLoad({ url, headers, agent: await clusterAgent({ keepAlive: true, maxSockets: 2 }), clients: 2 });
    for (const [file, value] of [
      ["a.wasm", "first"],
      ["a.wasm", "second"],
      ["b.wasm", "third"],
    ] as const) {
      await apply(plugin(file, value));
      await eventually(`stamp ${value}`, async () =>
        (await answer()).headers["x-stamp"] === value ? true : undefined,
      );
    }
    expect(await runScrim("rollout", "status", `${NAMESPACE}/stamp`)).toContain(`${NAMESPACE}/stamp`);
    await kubectl(["-n", NAMESPACE, "delete", "wasmplugin", "stamp"]);
    await eventually("no stamp", async () => ((await answer()).headers["x-stamp"] === undefined ? true : undefined));
    const { sent, failed } = await load.stop();
    expect(failed).toEqual([]);
    expect(sent).toBeGreaterThan(20);
  });
});

// What an operator does on a working day, while requests go on: none of them fails.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Load, startLoad } from "../support/load.ts";
import { request } from "../support/mesh.ts";
import { eventually } from "../support/until.ts";
import { gatewayUrl, runScrim } from "./support/bookinfo.ts";
import { apply, inCluster, kubectl } from "./support/kubectl.ts";
import { clusterMissing } from "./support/missing.ts";
import { createNamespace, deleteNamespace, toolsContainer } from "./support/namespace.ts";
import { clusterAgent } from "./support/network.ts";

const missing = clusterMissing();
const NAMESPACE = "resilience";
const HOST = "resilience.example";
// Ends as programs should: what is in flight is answered first.
const WEB = `
const server = require("http").createServer((q, s) => s.end("web " + process.env.HOSTNAME)).listen(8080);
process.on("SIGTERM", () => setTimeout(() => server.close(() => process.exit()), 2000));`;

const service = {
  ...{ apiVersion: "v1", kind: "Service", metadata: { name: "web", namespace: NAMESPACE } },
  spec: { selector: { app: "web" }, ports: [{ name: "http", port: 8080 }] },
};
const web = {
  ...{ apiVersion: "apps/v1", kind: "Deployment", metadata: { name: "web", namespace: NAMESPACE } },
  spec: {
    ...{ replicas: 2, selector: { matchLabels: { app: "web" } } },
    strategy: { rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } },
    template: {
      metadata: { labels: { app: "web" } },
      spec: {
        containers: [
          toolsContainer("web", WEB, {
            readinessProbe: { httpGet: { path: "/", port: 8080 }, periodSeconds: 1, timeoutSeconds: 5 },
          }),
        ],
      },
    },
  },
};
const door = [
  {
    ...{ apiVersion: "networking.istio.io/v1", kind: "Gateway", metadata: { name: "door", namespace: NAMESPACE } },
    spec: {
      selector: { istio: "ingressgateway" },
      servers: [{ port: { number: 80, name: "http", protocol: "HTTP" }, hosts: [HOST] }],
    },
  },
  {
    ...{
      apiVersion: "networking.istio.io/v1",
      kind: "VirtualService",
      metadata: { name: "door", namespace: NAMESPACE },
    },
    spec: {
      ...{ hosts: [HOST], gateways: ["door"] },
      http: [{ route: [{ destination: { host: `web.${NAMESPACE}.svc.cluster.local`, port: { number: 8080 } } }] }],
    },
  },
];

describe.skipIf(missing !== undefined)(`a working day${missing ? ` (left out: ${missing})` : ""}`, () => {
  let url: string;
  const rollout = async (namespace: string, deployment: string) => {
    await kubectl(["-n", namespace, "rollout", "restart", deployment]);
    await kubectl(["-n", namespace, "rollout", "status", deployment, "--timeout=120s"]);
  };
  const start = async (): Promise<Load> => {
    const agent = await clusterAgent({ keepAlive: true, maxSockets: 2 });
    return startLoad({ url, agent, headers: { host: HOST }, clients: 2 });
  };
  /** Does it under load; expects that no request failed. */
  async function unnoticed(act: () => Promise<void>): Promise<void> {
    const load = await start();
    await act();
    const { sent, failed } = await load.stop();
    expect(failed).toEqual([]);
    expect(sent).toBeGreaterThan(20);
  }

  beforeAll(async () => {
    await createNamespace(NAMESPACE);
    await apply(service, web, ...door);
    await kubectl(["-n", NAMESPACE, "rollout", "status", "deployment/web", "--timeout=120s"]);
    url = await gatewayUrl();
    const agent = await clusterAgent();
    await eventually("the door", async () => {
      const { status } = await request(url, { agent, headers: { host: HOST } });
      return status === 200 ? true : undefined;
    });
  });
  afterAll(() => deleteNamespace(NAMESPACE));

  it("an application is restarted", () => unnoticed(() => rollout(NAMESPACE, "deployment/web")));

  it("the control plane is restarted, and its proxies find it again", async () => {
    await unnoticed(() => rollout("istio-system", "deployment/istiod"));
    await eventually("all proxies in sync", async () => {
      const proxies = JSON.parse(await runScrim("proxy-status", "-n", NAMESPACE, "-o", "json")) as {
        sync: Record<string, string>;
      }[];
      return proxies.length === 2 && proxies.every(({ sync }) => sync["cds"] === "SYNCED") ? true : undefined;
    });
  });

  it("pods are deleted one after another", () =>
    unnoticed(async () => {
      for (let turn = 0; turn < 3; turn++) {
        const names = await kubectl(["-n", NAMESPACE, "get", "pods", "-o", "jsonpath={.items[*].metadata.name}"]);
        await kubectl(["-n", NAMESPACE, "delete", "pod", names.split(" ")[turn % 2] ?? ""]);
        await kubectl(["-n", NAMESPACE, "rollout", "status", "deployment/web", "--timeout=120s"]);
      }
    }));

  it("the API server is away for a while", () =>
    unnoticed(async () => {
      const api = "kube-apiserver";
      const find = async () => (await inCluster(["pgrep", "-f", `/${api} --etcd`])).stdout.trim().split("\n")[0] ?? "";
      const pid = await find();
      expect(pid).not.toBe("");
      await inCluster(["kill", "-STOP", pid]);
      await new Promise((resolve) => setTimeout(resolve, 15_000));
      await inCluster(["kill", "-CONT", pid]);
      await eventually(
        "the API server",
        async () => (await inCluster(["kubectl", "get", "ns"])).code === 0 || undefined,
      );
    }));
});

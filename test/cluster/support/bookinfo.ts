// The demo on the cluster: the same documents as on the laptop.
import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { inject } from "vitest";
import { type Bookinfo, demo } from "../../support/bookinfo-scenarios.ts";
import { request, scrim } from "../../support/mesh.ts";
import { eventually } from "../../support/until.ts";
import { inCluster, kubectl } from "./kubectl.ts";
import { clusterAgent } from "./network.ts";

/** Runs a `scrim` command on the cluster's first node; throws with what it says when it fails. */
export async function runScrim(...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await inCluster([process.execPath, scrim, ...args]);
  if (code !== 0) throw new Error(`scrim ${args.join(" ")}: ${stderr}${stdout}`);
  return stdout;
}

/** Returns the address of the ingress gateway's Service, as in `http://10.211.1.1`. */
export async function gatewayUrl(): Promise<string> {
  const path = "jsonpath={.status.loadBalancer.ingress[0].ip}";
  const ip = await eventually("the gateway's address", async () => {
    const text = await kubectl(["-n", "istio-system", "get", "service", "istio-ingressgateway", "-o", path]);
    return text || undefined;
  });
  return `http://${ip}`;
}

/** Puts the demo in force, all but its plugin, which is a file of the repository; resolves when it answers. */
export async function startBookinfo(): Promise<Bookinfo> {
  const files = readdirSync(demo).filter((name) => name.endsWith(".yaml") && name !== "plugin.yaml");
  await kubectl(["apply", "-f", join(demo, "workloads.yaml")]);
  await kubectl(["apply", ...files.flatMap((name) => ["-f", join(demo, name)])]);
  await kubectl(["wait", "--for=condition=Available", "deployment", "--all", "--timeout=120s"]);
  const [gateway, agent] = [await gatewayUrl(), await clusterAgent({ keepAlive: true, maxSockets: 20 })];
  const mesh: Bookinfo = {
    get: (path, headers = {}) => request(`${gateway}${path}`, { headers, agent }),
    async from(workload, url) {
      const ask = `fetch(process.argv[1]).then(async (a) => console.log(JSON.stringify({ status: a.status, body: await a.text() })))`;
      const printed = await kubectl(["exec", `deploy/${workload}`, "--", "/usr/bin/node", "-e", ask, url]);
      return JSON.parse(printed) as { status: number; body: string };
    },
    async change(file, text) {
      const path = join(inject("cluster"), file);
      writeFileSync(path, text);
      await kubectl(["apply", "-f", path]);
      await runScrim("wait", path);
    },
    scrim: runScrim,
  };
  await eventually("the demo's page", async () => ((await mesh.get("/productpage")).status === 200 ? true : undefined));
  return mesh;
}

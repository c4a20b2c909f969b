// What ProxyConfigs say of the processes of proxies, by how they were started.
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Mesh, startMesh } from "../../support/mesh.ts";
import { documents, echoDeployment } from "../../support/workloads.ts";

let mesh: Mesh;

beforeAll(async () => {
  const config = `apiVersion: networking.istio.io/v1beta1
kind: ProxyConfig
metadata: {name: web, namespace: default}
spec: {selector: {matchLabels: {app: web}}, concurrency: 2, environmentVariables: {SAID_BY: proxy-config}}
`;
  const workloads = documents(
    config,
    echoDeployment({ name: "web", app: "web" }),
    echoDeployment({ name: "other", app: "other" }),
  );
  mesh = await startMesh({ files: { "workloads.yaml": workloads } });
}, 120_000);

afterAll(async () => {
  await mesh?.stop();
});

async function startedWith(workload: string): Promise<{ readonly arguments: string; readonly environment: string }> {
  const { pid } = await mesh.proxy(workload);
  const read = (file: string) => readFileSync(`/proc/${pid}/${file}`, "utf8").replaceAll("\0", " ");
  return { arguments: read("cmdline"), environment: read("environ") };
}

it("start the proxies of those whom they select", async () => {
  const web = await startedWith("web");
  expect(web.arguments).toContain("--concurrency 2 ");
  expect(web.environment).toContain("SAID_BY=proxy-config ");
  const other = await startedWith("other");
  expect(other.arguments).toContain("--concurrency 1 ");
  expect(other.environment).not.toContain("SAID_BY");
});

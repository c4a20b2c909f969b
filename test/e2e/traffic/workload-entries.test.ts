// Programs that are no pods, behind Services and ServiceEntries: at an address, at a socket, beside pods.
import http from "node:http";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { scratchDirectory } from "../../support/children.ts";
import { type Mesh, startMesh } from "../../support/mesh.ts";
import { listening } from "../../support/servers.ts";
import { documents, echoDeployment, service } from "../../support/workloads.ts";

const machine = http.createServer((_, response) => response.setHeader("x-version", "machine").end());
const behindSocket = http.createServer((_, response) => response.setHeader("x-version", "socket").end());
const socket = join(scratchDirectory(), "app.sock");

let mesh: Mesh;

beforeAll(async () => {
  const port = await listening(machine);
  await new Promise<void>((resolve) => behindSocket.listen(socket, resolve));
  const networking = (kind: string, name: string, spec: string) =>
    `apiVersion: networking.istio.io/v1\nkind: ${kind}\nmetadata: {name: ${name}, namespace: default}\nspec: ${spec}\n`;
  const entry = (host: string, more: string) =>
    networking(
      "ServiceEntry",
      host,
      `{hosts: [${host}.mesh], ports: [{number: 80, name: http, protocol: HTTP}], ${more}}`,
    );
  mesh = await startMesh({
    files: {
      "workloads.yaml": documents(
        service("web"),
        echoDeployment({ name: "web-pod", app: "web", version: "pod" }),
        echoDeployment({ name: "client", app: "client" }),
        networking("WorkloadEntry", "machine", `{address: 127.0.0.1, ports: {http: ${port}}, labels: {app: web}}`),
        entry("all", "resolution: STATIC, workloadSelector: {labels: {app: web}}"),
        entry("socket", `resolution: STATIC, endpoints: [{address: "unix://${socket}"}]`),
      ),
    },
  });
}, 120_000);

afterAll(async () => {
  await mesh?.stop();
  machine.close();
  behindSocket.close();
});

async function versions(host: string): Promise<readonly string[]> {
  const answers = [];
  for (let i = 0; i < 30; i++) answers.push(await mesh.from("client", `http://${host}/`));
  expect(answers.filter(({ status }) => status !== 200)).toEqual([]);
  return [...new Set(answers.map(({ headers }) => String(headers["x-version"])))].sort();
}

describe("workloads that are no pods", () => {
  it("answer for a Service beside its pods", async () => expect(await versions("web")).toEqual(["machine", "pod"]));

  it("answer for a ServiceEntry that selects them and pods", async () =>
    expect(await versions("all.mesh")).toEqual(["machine", "pod"]));

  it("answer at a socket", async () => expect(await versions("socket.mesh")).toEqual(["socket"]));
});

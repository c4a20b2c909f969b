// Workloads whose plugin is not there yet, or never comes: what a failStrategy says holds from a proxy's first request
// on.
import { readFileSync } from "node:fs";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Mesh, repository, request, startMesh } from "../../support/mesh.ts";
import { eventually } from "../../support/until.ts";
import { documents, echoDeployment, service } from "../../support/workloads.ts";

const MODULE = readFileSync(join(repository, "filters/build/examples/add-header.wasm"));

let mesh: Mesh;
let server: http.Server;
/** Gives the module to who asked for it; undefined while nobody did. */
let release: (() => void) | undefined;

function workload(name: string, failStrategy: string, url: string): string {
  const plugin =
    "apiVersion: extensions.istio.io/v1alpha1\nkind: WasmPlugin\n" +
    `metadata: {name: ${name}, namespace: default}\n` +
    `spec: {selector: {matchLabels: {app: ${name}}}, url: "${url}", failStrategy: ${failStrategy}, ` +
    "pluginConfig: {name: x-plugin, value: here}}\n";
  return documents(service(name), echoDeployment({ name, app: name }), plugin);
}

const addressOf = async (name: string) => `http://${(await mesh.proxy(name)).ports[0]?.address}/`;

/** The answer's status and the plugin's mark, or that there was none. */
async function seen(address: string): Promise<string> {
  return request(address).then(
    ({ status, headers }) => `${status} ${headers["x-plugin"] ?? "-"}`,
    () => "nobody",
  );
}

describe("a plugin that is not there at a proxy's first start", () => {
  beforeAll(async () => {
    server = http.createServer((asked, response) => {
      if (asked.url === "/slow.wasm") release = () => void response.end(MODULE);
      else response.writeHead(404).end();
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const nowhere = "oci://127.0.0.1:1/team/x:v1";
    mesh = await startMesh({
      files: {
        "workloads.yaml": documents(
          workload("open", "FAIL_OPEN", nowhere),
          workload("closed", "FAIL_CLOSE", nowhere),
          workload("reload", "FAIL_RELOAD", nowhere),
        ),
      },
    });
  });
  afterAll(async () => {
    await mesh?.stop();
    server.close();
    server.closeAllConnections();
  });

  it.each([
    ["open", "200 -"],
    ["closed", "403 -"],
    ["reload", "403 -"],
  ])("lets requests pass or not as its strategy says: %s", async (name, expected) => {
    expect(await seen(await addressOf(name))).toBe(expected);
  });

  it("is waited for: a workload that came with it answers nothing without it", async () => {
    mesh.write(
      "late.yaml",
      workload("late", "FAIL_CLOSE", `http://127.0.0.1:${(server.address() as AddressInfo).port}/slow.wasm`),
    );
    const address = await eventually("the workload", () => addressOf("late").catch(() => undefined));
    const all = new Set<string>();
    for (let answers = 0; answers < 50; ) {
      const one = await seen(address);
      all.add(one);
      if (one !== "nobody") answers++;
    }
    (await eventually("the fetch", () => release))();
    await eventually("the plugin", async () => {
      const one = await seen(address);
      all.add(one);
      return one === "200 here" ? true : undefined;
    });
    all.delete("nobody");
    expect([...all]).toEqual(["403 -", "200 here"]);
  });
});

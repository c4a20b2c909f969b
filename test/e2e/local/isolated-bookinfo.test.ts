// The demo in pods of their own: its programs know nothing of a proxy, and all that they say goes through theirs.
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Mesh, processesOf, repository, request, startMesh } from "../../support/mesh.ts";
import { namespacesMissing } from "../../support/namespaces.ts";
import { inPod, metricsOf } from "../../support/pods.ts";
import { processes } from "../../support/processes.ts";
import { eventually } from "../../support/until.ts";

const demo = join(repository, "deploy/demo/bookinfo");
const machine = () =>
  [["ip", "-br", "address"], ["ip", "route", "show", "table", "all"], ["ip", "rule"], ["iptables-save"]].map(
    ([program = "", ...args]) => spawnSync(program, args, { encoding: "utf8" }).stdout.replace(/^#.*\n|\[.*\]/gm, ""),
  );

describe.skipIf(namespacesMissing() !== undefined)("bookinfo in pods of their own", () => {
  let mesh: Mesh;
  let before: readonly string[];

  beforeAll(async () => {
    before = machine();
    // Its plugin is a file of the repository: that is another test's.
    mesh = await startMesh({ copy: demo, files: { "plugin.yaml": "" }, args: ["--isolate"] });
  });

  afterAll(async () => {
    await mesh?.stop();
  });

  const page = () => request(`${mesh.gateway}/productpage`, { headers: { "end-user": "jason" } });

  it("shows the page with details, reviews and ratings", async () => {
    const { status, body } = await page();
    expect(status).toBe(200);
    for (const part of ["Mara K.", "Harbour Lane", "★"]) expect(body).toContain(part);
    expect(body).toContain("reviews-v2-");
  });

  it("speaks mutual TLS on every hop, as both sides count", async () => {
    await page();
    for (const workload of ["details-v1", "reviews-v2", "ratings-v1", "productpage-v1"]) {
      const rows = await eventually(`requests at ${workload}`, async () => {
        const counted = await metricsOf(mesh, workload, "istio_requests_total");
        const received = counted.filter((row) => row.includes('reporter="destination"'));
        return received.length > 0 ? received : undefined;
      });
      for (const row of rows) expect(row).toContain('connection_security_policy="mutual_tls"');
    }
  });

  it("tells its programs nothing of a proxy, and runs them as nobody in particular", async () => {
    const programs = processesOf(mesh).filter(({ words }) => /^services\/build/.test(words[1] ?? ""));
    expect(programs).toHaveLength(6);
    for (const { pid, environment } of programs) {
      expect(environment.filter((variable) => /proxy|15001/i.test(variable))).toEqual([]);
      expect(readFileSync(`/proc/${pid}/status`, "utf8")).toMatch(/^Uid:\s+65534\s/m);
    }
    const { pid } = await mesh.proxy("ratings-v1");
    expect(readFileSync(`/proc/${pid}/status`, "utf8")).toMatch(/^Uid:\s+1337\s/m);
  });

  it("lets a pod ask another by its name, as its policies say", async () => {
    const [reviews, details] = [await mesh.proxy("reviews-v2"), await mesh.proxy("details-v1")];
    expect(inPod(reviews, "curl -s http://ratings:9080/ratings/0").text).toContain("ratings");
    const denied = inPod(details, "curl -s -w ' %{http_code}' http://ratings.default.svc.cluster.local:9080/ratings/0");
    expect(denied.text).toBe("RBAC: access denied 403");
  });

  it("refuses who comes without a certificate of the mesh", async () => {
    const [gateway, ratings] = [await mesh.proxy("istio-ingressgateway"), await mesh.proxy("ratings-v1")];
    // From there nothing is captured: as from a machine beside the mesh.
    const { code, text } = inPod(gateway, `curl -s -m 5 http://${ratings.podIp}:9080/ratings/0`);
    expect(text).toBe("");
    expect(code).not.toBe(0);
  });

  it("leaves the machine's interfaces, routes and rules as they were", () => {
    expect(machine()).toEqual(before);
  });

  it("runs beside another mesh of the same addresses", async () => {
    const other = await startMesh({ copy: demo, files: { "plugin.yaml": "" }, args: ["--isolate"] });
    try {
      const [first, second] = [await mesh.proxy("ratings-v1"), await other.proxy("ratings-v1")];
      expect(first.envoyAdmin).not.toBe(second.envoyAdmin);
      expect((await request(`${other.gateway}/productpage`)).status).toBe(200);
      expect((await page()).status).toBe(200);
    } finally {
      await other.stop();
    }
    expect((await page()).status).toBe(200);
  });

  it("leaves nothing when the command is killed", async () => {
    const namespace = spawnSync("readlink", [`/proc/${(await mesh.proxy("ratings-v1")).pid}/ns/net`], {
      encoding: "utf8",
    }).stdout;
    mesh.process.kill("SIGKILL");
    await eventually("the end of all processes", () => (processesOf(mesh).length === 0 ? true : undefined));
    await eventually("the end of the namespace", () => {
      const inside = processes().filter(
        ({ pid }) => spawnSync("readlink", [`/proc/${pid}/ns/net`], { encoding: "utf8" }).stdout === namespace,
      );
      return inside.length === 0 ? true : undefined;
    });
    expect(machine()).toEqual(before);
  });
});

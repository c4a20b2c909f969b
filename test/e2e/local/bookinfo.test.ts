// The demo as a newcomer sees it: what the README promises, on real parts.
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { copyFileSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Answer, type Mesh, repository, request, scrim, startMesh } from "../../support/mesh.ts";
import { type Bookinfo, bookinfoScenarios, demo, trafficOf, versionsOf } from "../../support/bookinfo-scenarios.ts";
import { eventually } from "../../support/until.ts";
import { startLoad } from "../../support/load.ts";

const stamp = join(repository, "filters/build/examples/add-header.wasm");
const plugin = (value: string, file = "stamp.wasm") =>
  readFileSync(join(demo, "plugin.yaml"), "utf8")
    .replace(/file:\S+/, `file://./${file}`)
    .replace("value: first", `value: ${value}`);
let mesh: Mesh;

beforeAll(async () => {
  mesh = await startMesh({ copy: demo, files: { "plugin.yaml": "" } });
  copyFileSync(stamp, join(mesh.directory, "stamp.wasm"));
  mesh.write("plugin.yaml", plugin("first"));
});

afterAll(async () => {
  await mesh?.stop();
});

const page = (headers: Record<string, string> = {}): Promise<Answer> =>
  request(`${mesh.gateway}/productpage`, { headers });
async function command(...args: readonly string[]): Promise<string> {
  return (await promisify(execFile)(process.execPath, [scrim, ...args, "--admin", mesh.admin])).stdout;
}

const place: Bookinfo = {
  get: (path, headers = {}) => request(`${mesh.gateway}${path}`, { headers }),
  from: (workload, url) => mesh.from(workload, url),
  change: (file, text) => mesh.apply(file, text),
  scrim: command,
};

describe("bookinfo", () => {
  bookinfoScenarios(() => place);

  it("follows an edit within about a second", async () => {
    mesh.write("traffic.yaml", trafficOf(0));
    await eventually("only v3", async () => ((await versionsOf(place, 20))["v3"] === 20 ? true : undefined), 10_000);
    mesh.write("traffic.yaml", trafficOf(80));
    await mesh.synced();
  });

  it("refuses a caller outside the policy, and names the policy in the log", async () => {
    const answer = await mesh.from("details-v1", "http://ratings:9080/ratings/0");
    expect([answer.status, answer.body]).toEqual([403, "RBAC: access denied"]);
    const { name } = await mesh.proxy("ratings-v1");
    const log = join(mesh.stateDirectory, "logs", name, "access.log");
    await eventually("the log line", () =>
      / 403 .*rbac_access_denied_matched_policy\[none\],not_allowed_by\[default\/ratings\]/.test(
        readFileSync(log, "utf8"),
      )
        ? true
        : undefined,
    );
  });

  it("refuses plaintext to a STRICT workload", async () => {
    const { ports } = await mesh.proxy("reviews-v1");
    await expect(request(`http://${ports[0]?.address}/reviews/0`)).rejects.toThrow();
  });

  it("tells a caller over its quota when to come again", async () => {
    const limited = await eventually("a refusal", async () => {
      const answer = await mesh.from("productpage-v1", "http://ratings:9080/ratings/0");
      return answer.status === 429 ? answer : undefined;
    });
    expect(Number(limited.headers["retry-after"])).toBeGreaterThan(0);
  });

  it("counts requests with who called whom, on both sides", async () => {
    await page({ "end-user": "jason" });
    const statistics = async (workload: string) =>
      (await request(`http://${(await mesh.proxy(workload)).envoyAdmin}/stats/prometheus`)).body.split("\n");
    const hasLabels = (line: string, labels: Record<string, string>) =>
      Object.entries(labels).every(([label, value]) => line.includes(`${label}="${value}"`));
    const expected = {
      source_workload: "productpage-v1",
      destination_workload: "reviews-v2",
      response_code: "200",
      destination_service: "reviews.default.svc.cluster.local",
    };
    await eventually("the destination's count", async () =>
      (await statistics("reviews-v2")).find(
        (line) =>
          line.startsWith("istio_requests_total{") &&
          hasLabels(line, {
            ...expected,
            reporter: "destination",
            connection_security_policy: "mutual_tls",
            source_principal: "spiffe://cluster.local/ns/default/sa/bookinfo-productpage",
          }),
      ),
    );
    await eventually("the source's count", async () =>
      (await statistics("productpage-v1")).find(
        (line) =>
          line.startsWith("istio_requests_total{") &&
          hasLabels(line, { ...expected, reporter: "source", connection_security_policy: "unknown" }),
      ),
    );
    const text = (await statistics("reviews-v2")).join("\n");
    for (const metric of [
      "istio_request_duration_milliseconds_bucket",
      "istio_request_bytes_bucket",
      "istio_response_bytes_bucket",
    ])
      expect(text).toContain(metric);
  });
});

describe("a plugin of one's own", () => {
  const stampOf = async () => (await page()).headers["x-stamp"];

  it("is swapped 20 times under load without a failed request or a restart", async () => {
    await eventually("the first stamp", async () => ((await stampOf()) === "first" ? true : undefined));
    const before = await mesh.proxy("productpage-v1");
    const load = startLoad({ url: `${mesh.gateway}/productpage` });
    for (let swap = 1; swap <= 20; swap++) {
      // A byte after the last section's end would not be a module: a custom section makes another version of it.
      const module = Buffer.concat([readFileSync(stamp), Buffer.from([0, 3, 1, 0x76, swap])]);
      if (swap % 2 === 0) {
        mesh.write("plugin.yaml", plugin(`swap-${swap}`));
      } else {
        writeFileSync(join(mesh.directory, `stamp-${swap}.wasm`), module);
        mesh.write("plugin.yaml", plugin(`swap-${swap}`, `stamp-${swap}.wasm`));
      }
      await eventually(`swap ${swap}`, async () => ((await stampOf()) === `swap-${swap}` ? true : undefined));
    }
    const { sent, failed } = await load.stop();
    expect(failed).toEqual([]);
    expect(sent).toBeGreaterThan(100);
    const after = await mesh.proxy("productpage-v1");
    expect([after.pid, after.name]).toEqual([before.pid, before.name]);
  });

  it("shows its version in proxy-config ecds", async () => {
    const { name } = await mesh.proxy("productpage-v1");
    const rows = JSON.parse(await command("proxy-config", "ecds", `${name}.default`, "-o", "json")) as {
      name: string;
      version: string;
      sha256: string;
      status: string;
    }[];
    const row = rows.find((each) => each.name.includes("default.stamp"));
    expect(row?.sha256).toBe(
      createHash("sha256")
        .update(readFileSync(join(mesh.directory, "stamp.wasm")))
        .digest("hex"),
    );
    expect(row?.version).toMatch(/\S/);
  });

  it("stays at its last good version when the next cannot be had or does not load, and that is said", async () => {
    const good = await stampOf();
    for (const broken of ["no-such.wasm", "plugin.yaml"]) {
      mesh.write("plugin.yaml", plugin("never", broken));
      await eventually(`the problem with ${broken}`, async () => {
        const problems = JSON.parse((await request(`${mesh.admin}/debug/violations`)).body) as {
          object: string;
          message: string;
          servingLastGood: boolean;
        }[];
        return problems.find(({ object, servingLastGood }) => object === "WasmPlugin/default/stamp" && servingLastGood);
      });
      expect(await stampOf()).toBe(good);
    }
    mesh.write("plugin.yaml", plugin("mended"));
    await eventually("the mended plugin", async () => ((await stampOf()) === "mended" ? true : undefined));
    rmSync(join(mesh.directory, "stamp.wasm"));
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    expect(await stampOf()).toBe("mended");
  });
});

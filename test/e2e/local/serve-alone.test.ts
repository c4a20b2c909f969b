// The control plane alone, with an Envoy of one's own: `scrim serve` and `scrim bootstrap --issue-token`.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Envoy, startEnvoy } from "../../support/envoy.ts";
import { request, scrim } from "../../support/mesh.ts";
import { freePort } from "../../support/ports.ts";
import { bootstrapText, type ServedMesh, startServe } from "../../support/serve.ts";
import { freePorts } from "../../support/serve-settings.ts";
import { eventually } from "../../support/until.ts";
import { serviceAt } from "../../support/workloads.ts";

const root = mkdtempSync(join(tmpdir(), "scrim-serve-"));
const state = join(root, "state");
const byte = () => 2 + Math.floor(Math.random() * 250);
const podIp = `127.${byte()}.${byte()}.2`;
let application: Server;
let controlPlane: ServedMesh;
let bootstrap = "";
let envoy: Envoy;

beforeAll(async () => {
  application = createServer((incoming, response) => response.end(`web saw ${incoming.headers.host}`));
  await new Promise<void>((resolve) => void application.listen(0, "127.0.0.1", resolve));
  mkdirSync(join(root, "mesh"));
  writeFileSync(
    join(root, "mesh/web.yaml"),
    serviceAt("web", "127.0.0.1", (application.address() as AddressInfo).port),
  );
  const ports = await freePorts();
  controlPlane = startServe({ directories: { mesh: join(root, "mesh"), state }, ports });
  await controlPlane.ready();
  const pod = ["--proxy", "default/client-0", "--ip", podIp, "--service-account", "client", "--label", "app=client"];
  bootstrap = bootstrapText(state, ports.xds, [...pod, "--admin-port", String(await freePort())]);
  envoy = await startEnvoy(JSON.parse(bootstrap) as object, { logLevel: "error" });
});

afterAll(async () => {
  await envoy?.stop();
  await controlPlane?.stop("SIGKILL");
  application?.close();
  rmSync(root, { recursive: true, force: true });
});

describe("a proxy of one's own", () => {
  it("is served by the control plane that gave it its credential", async () => {
    const answer = await eventually("an answer through the proxy", async () => {
      const got = await request("http://web/", { proxy: `http://${podIp}:15001` });
      return got.status === 200 ? got : undefined;
    });
    expect(answer.body).toBe("web saw web");
  });

  it("is listed with the identity that its token proves", async () => {
    const [proxy] = JSON.parse((await request(`${controlPlane.admin}/debug/proxies`)).body) as {
      name: string;
      identity: string;
    }[];
    expect(proxy).toMatchObject({ name: "client-0", identity: "spiffe://cluster.local/ns/default/sa/client" });
  });

  it("keeps only hashes of tokens", () => {
    const [, token = "no token"] = /Bearer ([0-9a-f]{64})/.exec(bootstrap) ?? [];
    const identities = readFileSync(join(state, "identities.json"), "utf8");
    expect(token).toMatch(/^[0-9a-f]{64}$/);
    expect(identities).not.toContain(token);
    expect(JSON.parse(identities)).toMatchObject([{ namespace: "default", serviceAccount: "client", pod: "client-0" }]);
  });
});

describe("another control plane where a port is taken", () => {
  /** Its exit code and what it said, with a state directory of its own. */
  async function serveWith(...args: readonly string[]): Promise<readonly [code: number, said: string]> {
    const where = [join(root, "mesh"), "--state-dir", join(root, "other-state")];
    const child = spawn(process.execPath, [scrim, "serve", ...where, ...args], {
      stdio: ["ignore", "ignore", "pipe"],
      env: { ...process.env, SCRIM_LOG_LEVEL: "silent" },
    });
    let said = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => (said += text));
    const [code] = (await once(child, "close")) as [number];
    return [code, said];
  }

  it.each(["--admin-port", "--admin-address", "--xds-address"])("says so of %s in one sentence", async (option) => {
    const port = new URL(controlPlane.admin).port;
    const rest = option === "--xds-address" ? ["--admin-port", "0"] : ["--xds-address", "127.0.0.1:0"];
    const [code, said] = await serveWith(option, option === "--admin-port" ? port : `127.0.0.1:${port}`, ...rest);
    const by = `process ${controlPlane.process.pid} \\(.*serve.*\\)`;
    expect(said).toMatch(
      new RegExp(`^scrim: Port ${port} of ${option} is taken by ${by}: end that process, or .*\\n$`),
    );
    expect(code).toBe(1);
  });

  it("says of an address that it is not this machine's, and of two words that they are two", async () => {
    expect(await serveWith("--admin-address", "192.0.2.1:15014")).toEqual([
      1,
      expect.stringMatching(/^scrim: Port 15014 of --admin-address cannot be opened, for 192\.0\.2\.1 is no .*\n$/),
    ]);
    expect(await serveWith("--admin-address", "127.0.0.1:0", "--admin-port", "0")).toEqual([
      2,
      "scrim: --admin-address and --admin-port both say where the admin pages are: give one of them.\n",
    ]);
  });
});

// The control plane alone, with an Envoy of one's own: `scrim serve` and `scrim bootstrap --issue-token`.
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { eventually, request, scrim } from "../../support/mesh.ts";
import { freePort } from "../filters/probe-envoy.ts";
import { serviceAt } from "../../support/workloads.ts";

const envoy =
  execFileSync(process.execPath, [scrim, "envoy", "path"], { encoding: "utf8" }).trim().split("\n").at(-1) ?? "";
const root = mkdtempSync(join(tmpdir(), "scrim-serve-"));
const state = join(root, "state");
const byte = () => 2 + Math.floor(Math.random() * 250);
const podIp = `127.${byte()}.${byte()}.2`;
const children: ChildProcess[] = [];
let application: Server;
let admin = "";

function start(command: string, ...args: string[]): ChildProcess {
  const child = spawn(command, args, { stdio: "ignore" });
  children.push(child);
  return child;
}

beforeAll(async () => {
  application = createServer((incoming, response) => response.end(`web saw ${incoming.headers.host}`));
  await new Promise<void>((resolve) => void application.listen(0, "127.0.0.1", resolve));
  mkdirSync(join(root, "mesh"));
  writeFileSync(
    join(root, "mesh/web.yaml"),
    serviceAt("web", "127.0.0.1", (application.address() as AddressInfo).port),
  );
  const [xds, adminPort, envoyAdmin] = [await freePort(), await freePort(), await freePort()];
  admin = `http://127.0.0.1:${adminPort}`;
  start(
    process.execPath,
    scrim,
    "serve",
    join(root, "mesh"),
    "--state-dir",
    state,
    "--xds-address",
    `127.0.0.1:${xds}`,
    "--admin-address",
    `127.0.0.1:${adminPort}`,
  );
  await eventually("ready", async () => ((await request(`${admin}/ready`)).status === 200 ? true : undefined));
  const bootstrap = execFileSync(
    process.execPath,
    [
      scrim,
      "bootstrap",
      "--proxy",
      "default/client-0",
      "--ip",
      podIp,
      "--service-account",
      "client",
      "--label",
      "app=client",
      "--issue-token",
      "--state-dir",
      state,
      "--xds-address",
      `127.0.0.1:${xds}`,
      "--admin-port",
      String(envoyAdmin),
    ],
    { encoding: "utf8" },
  );
  writeFileSync(join(root, "envoy.json"), bootstrap, { mode: 0o600 });
  start(envoy, "-c", join(root, "envoy.json"), "--use-dynamic-base-id", "--concurrency", "1", "-l", "error");
});

afterAll(async () => {
  for (const child of children) child.kill("SIGKILL");
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
    const [proxy] = JSON.parse((await request(`${admin}/debug/proxies`)).body) as { name: string; identity: string }[];
    expect(proxy).toMatchObject({ name: "client-0", identity: "spiffe://cluster.local/ns/default/sa/client" });
  });

  it("keeps only hashes of tokens", () => {
    const [, token = "no token"] = /Bearer ([0-9a-f]{64})/.exec(readFileSync(join(root, "envoy.json"), "utf8")) ?? [];
    const identities = readFileSync(join(state, "identities.json"), "utf8");
    expect(token).toMatch(/^[0-9a-f]{64}$/);
    expect(identities).not.toContain(token);
    expect(JSON.parse(identities)).toMatchObject([{ namespace: "default", serviceAccount: "client", pod: "client-0" }]);
  });
});
